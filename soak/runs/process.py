"""A run in a process of its own: started, held, asked to end and waited for. The API and the service hold the same."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO

from soak.runs import launch


class RunProcess:
    """`soak run`, or `soak exec`, and the pipe by which it tells how it goes. Nobody else's Ctrl-C reaches it.

    A run that nobody listens to any more, because the other end of its pipe is closed, ends itself.
    """

    def __init__(
        self, words: Sequence[str], *, errors: IO[bytes] | None = None, cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None, held: Sequence[int] = (),
    ) -> None:  # fmt: skip
        """Start it.

        Args:
            words: of the command line behind `soak`.
            errors: takes what it says on standard error; None for where this process says it.
            cwd: the folder that it runs in; None for this process's.
            env: added to the environment.
            held: descriptors that it holds for as long as it lives, such as locks.

        Raises:
            OSError: it cannot be started.
            ValueError: a word or a variable is one that no process can be given.
        """
        self.pipe, write = os.pipe()
        """The descriptor of what it tells: for who reads it, to be closed."""
        try:
            self._process = subprocess.Popen(
                launch.argv(words, write), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, cwd=cwd,
                pass_fds=(write, *held), env={**os.environ, **(env or {})},
                # A terminal's Ctrl-C is for this process, which passes it on once: twice would leave no report.
                start_new_session=True,
            )  # fmt: skip
        except BaseException:
            os.close(self.pipe)
            raise
        finally:
            os.close(write)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def stop(self) -> None:
        """Ask it to end: cleanly, with a report of what there is. Asked a second time, it ends now. Does not wait."""
        self._process.send_signal(signal.SIGTERM)  # does nothing where it was waited for already

    def pause(self) -> None:
        """Hold its trials where they are."""
        self._process.send_signal(signal.SIGUSR1)

    def resume(self) -> None:
        """Let them go on."""
        self._process.send_signal(signal.SIGUSR2)

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        return self._process.wait()
