"""Files of profilers that hold no samples over time, or none that may be read; each is refused with what to do."""

from __future__ import annotations

from soak.errors import UsageError
from soak.traces.columns import Trace
from soak.traces.request import TraceRequest
from soak.traces.source import Beginning, TraceSource, beginning

EXAMPLE = "memray's capture.bin"
_KINDS = {
    b"memray\0": "a capture of memray; expected samples: `soak diagnose`, or RSS over time as CSV",
    b"\x80\x03": "a pickle, such as tracemalloc's Snapshot.dump writes, which is code; expected sizes over time as CSV",
    b"\x80\x04": "a pickle, such as tracemalloc's Snapshot.dump writes, which is code; expected sizes over time as CSV",
    b"\x80\x05": "a pickle, such as tracemalloc's Snapshot.dump writes, which is code; expected sizes over time as CSV",
    b"PK\x03\x04": "a zip or an Excel workbook; expected its sheet as CSV",
    b"SQLite format 3\0": "an SQLite database; expected a run folder, or a table of it as CSV",
}
_PAGES = (b"<!doctype", b"<html")


def sniff(begins: Beginning) -> bool:
    """By what it begins with."""
    return _what(begins.raw) is not None


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """None.

    Raises:
        UsageError: always.
    """
    raise UsageError(f"{source.name}: {_what(beginning(source).raw)}")


def _what(raw: bytes) -> str | None:
    if raw[:16].lower().startswith(_PAGES):
        return "a page of HTML; expected the data that it shows, as CSV or JSON"
    return next((said for magic, said in _KINDS.items() if raw.startswith(magic)), None)
