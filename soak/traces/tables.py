"""A source with samples: which of the formats it is of, by what it begins with."""

from __future__ import annotations

import functools
import importlib
import os
import pkgutil
import shutil
import stat
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from soak.errors import SoakError, UsageError
from soak.traces import formats, packed
from soak.traces.columns import Trace, listed
from soak.traces.request import TraceRequest
from soak.traces.source import TraceSource, beginning

STDIN = "-"
_FALLBACK = "delimited"


def read(path: Path) -> Trace:
    """Read a trace of one entity; bounded memory, however long it is.

    Raises:
        UsageError: there is no such file, it is of no format, it is damaged, it has no column of times, or several
            entities.
    """
    return only(read_all(path))


def only(traces: Sequence[Trace]) -> Trace:
    """The single one.

    Raises:
        UsageError: there are several.
    """
    if len(traces) > 1:
        raise UsageError(f"{listed(trace.source for trace in traces)}: expected one of {len(traces):,} entities")
    return traces[0]


def read_all(path: Path, request: TraceRequest | None = None) -> list[Trace]:
    """Read the traces of a file, one for each entity; `-` is standard input.

    Raises:
        UsageError: as `read`.
    """
    if str(path) == STDIN:
        return _of_stdin(request or TraceRequest())
    _check(path)
    source = TraceSource(path, _magic(path).startswith(packed.MAGIC) or path.suffix.lower() == ".gz")
    begins = beginning(source)
    name = next((each for each in names() if each != _FALLBACK and load(each).sniff(begins)), _FALLBACK)
    traces: list[Trace] = load(name).read(source, request or TraceRequest())
    return traces


def names() -> list[str]:
    """Every format, sorted: the files of `soak/traces/formats/`."""
    return sorted(module.name for module in pkgutil.iter_modules(formats.__path__))


@functools.cache
def load(name: str) -> Any:
    """The module of a format."""
    return importlib.import_module(f"{formats.__name__}.{name}")


def _of_stdin(request: TraceRequest) -> list[Trace]:
    """What comes on standard input: kept in a file meanwhile, as it is gone through more than once."""
    with tempfile.TemporaryDirectory(prefix="soak-analyze-") as folder:
        path = Path(folder) / "stdin"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        try:
            traces = read_all(path, request)
        except SoakError as error:
            raise type(error)(str(error).replace(str(path), "standard input")) from error
    return [replace(trace, source=trace.source.replace(str(path), "standard input")) for trace in traces]


def _check(path: Path) -> None:
    """It is a regular file; nothing else is opened, as that may never end."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except OSError as error:
        raise packed.unreadable(path, error) from error
    except ValueError as error:
        raise UsageError(f"{path}: cannot be the name of a file: {error}") from error
    if not stat.S_ISREG(mode):
        raise UsageError(f"{path}: {_kind(mode)}; expected a file or a run folder")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path}: cannot be read: Permission denied")


def _magic(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4)
    except OSError as error:
        raise packed.unreadable(path, error) from error


def _kind(mode: int) -> str:
    return "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
