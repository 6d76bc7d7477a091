"""A file with a table of samples: what kind it is, by what it begins with."""

from __future__ import annotations

import stat
from pathlib import Path

from soak.errors import UsageError
from soak.traces import delimited, packed, parquet_process
from soak.traces.columns import Trace

_PARQUET = (b"PAR1", b"PARE")


def read(path: Path) -> Trace:
    """Read a trace; bounded memory, however long it is.

    Raises:
        UsageError: there is no such file, it is no table, it is damaged, or it has no column of times.
    """
    begins = _beginning(path)
    suffix = path.suffix.lower()
    if begins in _PARQUET or suffix == ".parquet":
        return parquet_process.read(path)
    return delimited.read(path, packed=begins.startswith(packed.MAGIC) or suffix == ".gz")


def _beginning(path: Path) -> bytes:
    """The first bytes of a regular file; nothing else is opened, as that may never end."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise UsageError(f"{path}: {_kind(mode)}; expected a file or a run folder")
        with path.open("rb") as file:
            return file.read(4)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except OSError as error:
        raise packed.unreadable(path, error) from error
    except ValueError as error:
        raise UsageError(f"{path}: cannot be the name of a file: {error}") from error


def _kind(mode: int) -> str:
    return "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
