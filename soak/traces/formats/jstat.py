"""What `jstat` of Java prints: `-gc` and `-gcutil`, best with `-t`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from soak.errors import UsageError
from soak.traces import textual
from soak.traces.columns import Trace
from soak.traces.request import TraceRequest
from soak.traces.seen import Row
from soak.traces.source import Beginning, TraceSource

EXAMPLE = (
    "Timestamp  S0C  S1C  S0U  S1U  EC  EU  OC  OU  MC  MU  YGC  YGCT  FGC  FGCT  GCT\n"
    "123.4  0.0  1024.0  0.0  512.0  30720.0  4096.0  80000.0  51200.0  40000.0  39000.0  7  0.1  0  0.0  0.1"
)
_NAMES = {"Timestamp": "elapsed_s", "OU": "old heap used [KiB]", "MU": "metaspace memory used [KiB]",
          "O": "old heap used [%]", "M": "metaspace memory used [%]"}  # fmt: skip
"""What is judged. The young generation fills up and is emptied again, capacities are what there is, the rest counts."""


def sniff(begins: Beginning) -> bool:
    """By its header."""
    return any(_is_header(line.split()) for line in begins.lines[:5])


def _is_header(words: Sequence[str]) -> bool:
    return "YGC" in words and "YGCT" in words


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its one trace.

    Raises:
        UsageError: it tells nothing of the old generation.
    """
    header = next(words for _, text in source.lines() if _is_header(words := text.split()))
    wanted = [name for name in _NAMES if name in header]
    if not {"OU", "O"} & set(wanted):
        raise UsageError(f"{source.name}: jstat without the old generation; expected jstat -gc -t or -gcutil -t")

    def rows() -> Iterator[Row]:
        for line, text in source.lines():
            words = text.split()
            if not words or words == header:
                continue
            yield line, [words[header.index(name)] for name in wanted] if len(words) == len(header) else words[:1]

    return textual.read(textual.TextRows(source.name, [_NAMES[name] for name in wanted], rows), request)
