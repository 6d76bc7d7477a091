"""Files of profilers that hold no samples over time, or none that may be read; each is refused with what to do."""

from __future__ import annotations

from collections.abc import Sequence

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
_HTML = (b"<!doctype", b"<html")
_PAGES = {
    "| NVIDIA-SMI ": "the page that nvidia-smi prints for people; expected what `nvidia-smi "
    "--query-gpu=timestamp,index,memory.used --format=csv -l 10` writes",
    " Mounted on": "df, which tells of disks, not of memory; expected what `free -s 10` or `pidstat -r 10` prints",
    "procs -----------memory": "vmstat, which tells what is free, not what is held; expected what `free -s 10`, "
    "`sar -r 10` or `pidstat -r 10` prints",
}
"""What is printed for people, by what stands in one of its first lines."""


def sniff(begins: Beginning) -> bool:
    """By what it begins with."""
    return _what(begins.raw, begins.lines) is not None


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """None.

    Raises:
        UsageError: always.
    """
    begins = beginning(source)
    raise UsageError(f"{source.name}: {_what(begins.raw, begins.lines)}")


def _what(raw: bytes, lines: Sequence[str]) -> str | None:
    if raw[:16].lower().startswith(_HTML):
        return "a page of HTML; expected the data that it shows, as CSV or JSON"
    said = (said for magic, said in _KINDS.items() if raw.startswith(magic))
    return next(said, None) or _page(lines)


def _page(lines: Sequence[str]) -> str | None:
    return next((said for mark, said in _PAGES.items() if any(mark in line for line in lines[:10])), None)
