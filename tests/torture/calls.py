"""Calls of soak's command line inside this process, held to bounds: for thousands of inputs in minutes."""

from __future__ import annotations

import contextlib
import io
import json
import resource
import signal
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.torture.rules import Said, Told

PROCESSOR_SECONDS = 60.0
"""Of processor time for one call: more is a hang, however busy the machine is."""
MEMORY = 4 * 2**30
"""Bytes of private memory for the process: an input that asks for more is a bomb that went off."""


VERDICTS: dict[int | None, str] = {0: "pass", 1: "leak", 3: "inconclusive"}
"""Of `soak analyze`, by its exit code."""


class HangError(BaseException):
    """Not to be taken for an error of the input by anything that is called."""


@contextlib.contextmanager
def bounded(seconds: float = PROCESSOR_SECONDS) -> Iterator[None]:
    """End what computes for longer than this, wherever it stands."""

    def stop(*_: object) -> None:
        raise HangError(f"{seconds:.0f} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def hold_memory() -> None:
    """Bound what this process may allocate."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, hard))


def call(*words: str) -> Said:
    """One command, as `soak WORDS` would run it."""
    from soak import cli

    out, err = io.StringIO(), io.StringIO()
    code: int | None = None
    raised = ""
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), bounded():
            code = cli.main(list(words))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except (Exception, HangError) as error:  # noqa: BLE001  (that nothing is raised is what is tested)
        raised = "".join(traceback.format_exception(error)[-4:])
    return Said(code, out.getvalue(), err.getvalue(), raised)


def told(folder: Path) -> Told | None:
    """What the report in a folder says; None where there is none that can be read."""
    try:
        body: dict[str, Any] = json.loads((folder / "report.json").read_text())
        trials = {str(trial["name"]): trial["verdict"] for trial in body["trials"]}
        samples = sum(series["samples"] for trial in body["trials"] for series in trial["series"])
        damage = tuple(body["run"].get("damage", ()))
        return Told(body["run"]["verdict"], bool(body["run"]["unfinished"]), trials, samples, damage)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def last_json(said: Said) -> Sequence[dict[str, Any]]:
    """The JSON objects that `soak analyze --json` printed, one a line.

    Raises:
        ValueError: what it printed is no JSON.
    """
    return [json.loads(line) for line in said.out.splitlines()]
