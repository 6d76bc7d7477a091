"""Parquet, read in a process of its own."""

from __future__ import annotations

from soak.traces import parquet_process
from soak.traces.columns import Trace
from soak.traces.request import TraceRequest
from soak.traces.source import Beginning, TraceSource

EXAMPLE = "frame.to_parquet('trace.parquet')"


def sniff(begins: Beginning) -> bool:
    """By its magic number, and its name, as what is damaged has none."""
    return begins.raw[:4] in (b"PAR1", b"PARE") or begins.suffix == ".parquet"


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its traces."""
    return parquet_process.read_all(source.path, request)
