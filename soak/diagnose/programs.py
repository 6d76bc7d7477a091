"""A command as memray would run it, where it is a program of Python that can be told apart from its options. Pure."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")
_WITH_VALUE = ("-X", "-W", "--check-hash-based-pycs")
"""Options of the interpreter that take the next word."""
_SHEBANG = re.compile(rb"#!\s*(?P<program>\S+)(?:\s+(?P<argument>\S+))?")
_MEMRAY = ("-m", "memray", "run", "--native", "--force", "--quiet", "--output")


class NotPythonError(Exception):
    """The command is not one that memray can run; the message says why."""


def under_memray(
    command: Sequence[str], capture: Path, first_line: Callable[[str], bytes] | None = None
) -> tuple[str, list[str]]:
    """The interpreter, and the command that runs the same under memray.

    Args:
        command: as it was recorded.
        capture: file that memray writes.
        first_line: the first line of the program of that name, for what is a script.

    Raises:
        NotPythonError: memray cannot run it.
    """
    program, *rest = command
    if not _PYTHON.fullmatch(os.path.basename(program)):  # noqa: PTH119  (a word, which may be no path)
        interpreter = _of_script((first_line or first_line_of)(program))
        if not interpreter:
            raise NotPythonError(f"{program} is not a Python program: memray supports only Python")
        found = shutil.which(program) or program
        return interpreter, [interpreter, *_MEMRAY, str(capture), found, *rest]
    flags, what = _split(rest)
    if not what or what[0] == "-":
        raise NotPythonError("the Python command has no file to run")
    return program, [program, *flags, *_MEMRAY, str(capture), *what]


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Options of the interpreter; what it runs, with its arguments."""
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] not in ("-m", "-c", "-"):
        at += 2 if words[at] in _WITH_VALUE else 1
    return list(words[:at]), list(words[at:])


def _of_script(line: bytes) -> str:
    found = _SHEBANG.match(line)
    if not found:
        return ""
    program = os.fsdecode(found["argument"] if found["program"].endswith(b"/env") else found["program"])
    return program if program and _PYTHON.fullmatch(os.path.basename(program)) else ""  # noqa: PTH119


def first_line_of(program: str) -> bytes:
    """Of the file that a command would start; nothing where there is none."""
    found = shutil.which(program)
    if found is None:
        return b""
    try:
        with Path(found).open("rb") as file:
            return file.readline(4096)
    except OSError:
        return b""
