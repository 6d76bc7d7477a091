"""Where code is, short enough to be read."""

from __future__ import annotations

import sys
from pathlib import Path, PurePath
from typing import Any

from workloads.census import kinds

_PARTS = 3
"""Of the path of a file outside the folder that the process runs in."""
_ROOTS = ("site-packages", "dist-packages")


def file_of(path: object) -> str:
    """A file by its path from here, from where packages are, or by its last parts; the name alone of what is none."""
    if type(path) is not str or not path:
        return ""
    parts = PurePath(path).parts
    for root in _ROOTS:
        if root in parts:
            return "/".join(parts[len(parts) - parts[::-1].index(root) :])
    here = Path.cwd().parts
    if parts[: len(here)] == here:
        return "/".join(parts[len(here) :])
    return "/".join(parts[-_PARTS:]) if len(parts) > _PARTS else path


def file_of_module(name: object) -> str:
    """The file of a module, or its name."""
    if type(name) is not str:
        return ""
    module = sys.modules.get(name)
    return file_of(getattr(module, "__file__", None)) or name


def file_of_class(kind: type) -> str:
    """The file that a class was written in: by one of its functions, else by its module."""
    for value in list(kind.__dict__.values()):
        code = getattr(value, "__code__", None) if kinds.is_named(value, "function") else None
        if code is not None and "<" not in code.co_filename:
            return file_of(code.co_filename)
    return file_of_module(kind.__dict__.get("__module__"))


def file_of_code(code: Any) -> str:
    """The file of a function's code."""
    return file_of(code.co_filename)
