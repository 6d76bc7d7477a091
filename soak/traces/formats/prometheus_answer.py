"""What Prometheus, Thanos, Mimir or VictoriaMetrics answer to a range query, saved as JSON."""

from __future__ import annotations

import re

from soak.errors import UsageError
from soak.traces import answers
from soak.traces.columns import Trace
from soak.traces.labelled import Labelled, traces
from soak.traces.request import TraceRequest
from soak.traces.source import Beginning, TraceSource

EXAMPLE = (
    '{"status": "success", "data": {"resultType": "matrix", "result": [\n'
    '  {"metric": {"__name__": "process_resident_memory_bytes", "pod": "a"}, "values": [[1782727200, "512000000"]]}]}}'
)
_MARK = re.compile(r'"resultType"\s*:')
_BARE = re.compile(r'\[?\s*\{\s*"metric"\s*:\s*\{')


def sniff(begins: Beginning) -> bool:
    """By the type of its result, or by a series of one."""
    if begins.text[:1] not in ("{", "["):
        return False
    return _MARK.search(begins.text) is not None or (
        _BARE.match(begins.text) is not None and re.search(r'"values"\s*:', begins.text) is not None
    )


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its traces, one for each entity.

    Raises:
        UsageError: it is no answer to a range query.
    """
    try:
        answer = answers.parse(_whole(source.whole()))
    except answers.AnswerError as error:
        raise UsageError(f"{source.name}: no answer to a range query: {error}") from error
    every = [
        Labelled(
            result.labels.get("__name__", "value"),
            {key: value for key, value in result.labels.items() if key != "__name__"},
            result.points[0], result.points[1], unread=result.histograms,
        )
        for result in answer.results
    ]  # fmt: skip
    return traces(source.name, every, request, [f"the server warns: {text}" for text in answer.warnings])


def _whole(body: bytes) -> bytes:
    """An answer; what is but a part of one, or the series of one, with the rest around it."""
    text = body.lstrip(b"\xef\xbb\xbf \r\n\t")
    if text.startswith(b"["):
        return b'{"status": "success", "data": {"resultType": "matrix", "result": ' + text + b"}}"
    if re.match(rb'\{\s*"resultType"', text):
        return b'{"status": "success", "data": ' + text + b"}"
    return text
