"""Files of profilers that hold no samples over time, or none that may be read; each is refused with what to do."""

from __future__ import annotations

from soak.errors import UsageError
from soak.traces.columns import Trace
from soak.traces.request import TraceRequest
from soak.traces.source import Beginning, TraceSource

EXAMPLE = "memray's capture.bin"
_KINDS = {
    b"memray\0": "a capture of memray; expected samples: `soak diagnose`, or RSS over time as CSV",
    b"\x80\x03": "a pickle, such as tracemalloc's Snapshot.dump writes, which is code; expected sizes over time as CSV",
    b"\x80\x04": "a pickle, such as tracemalloc's Snapshot.dump writes, which is code; expected sizes over time as CSV",
    b"\x80\x05": "a pickle, such as tracemalloc's Snapshot.dump writes, which is code; expected sizes over time as CSV",
    b"PK\x03\x04": "a zip or an Excel workbook; expected its sheet as CSV",
    b"SQLite format 3\0": "an SQLite database; expected a run folder, or a table of it as CSV",
    b"<!DOCTYPE": "a page of HTML; expected the data that it shows, as CSV or JSON",
    b"<html": "a page of HTML; expected the data that it shows, as CSV or JSON",
}


def sniff(begins: Beginning) -> bool:
    """By what it begins with."""
    return begins.raw.startswith(tuple(_KINDS))


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """None.

    Raises:
        UsageError: always.
    """
    raw = source.path.read_bytes()[:32] if not source.packed else b""
    what = next((said for magic, said in _KINDS.items() if raw.startswith(magic)), "no table")
    raise UsageError(f"{source.name}: {what}")
