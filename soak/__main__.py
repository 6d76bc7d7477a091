"""`python -m soak`, and what the command `soak` begins with."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn

_ERROR = 4
"""Exit code of everything that is no verdict and no usage."""


def main() -> NoReturn:
    """Be the command line, in a process that no library can end with the exit code of a verdict."""
    try:
        from soak.leaving import guard_exit, leave

        guard_exit(_ERROR)
    except BaseException as error:  # noqa: BLE001  (so early that even Ctrl-C would be a traceback, and 1)
        os._exit(_cannot_begin(error))
    leave(run())


def run() -> int:
    """Run the command line; its exit code."""
    try:
        from soak import cli

        return cli.main()
    except SystemExit as asked:
        # Of the parser: somebody asked for help, or a word was wrong.
        return asked.code if isinstance(asked.code, int) else _ERROR
    except BaseException as error:  # noqa: BLE001  (what fails before the command line does: a package, memory, threads)
        return _cannot_begin(error)


def _cannot_begin(error: BaseException) -> int:
    """One line, whatever it is; Ctrl-C is no traceback, however early it comes."""
    asked = isinstance(error, KeyboardInterrupt)
    said = f"cannot start: {type(error).__name__}: {ascii(str(error))[1:-1][:2000]}"
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(f"soak: {'interrupted' if asked else said}\n")
    return 130 if asked else _ERROR


if __name__ == "__main__":
    main()
