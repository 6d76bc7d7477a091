"""Answers of a Prometheus server, understood or refused, and URLs that give nothing away."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from soak.errors import UsageError
from soak.traces import answers, prometheus


def matrix(*results: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": results}, **more}).encode()


def series(values: list[Any], **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": "rss_bytes", **labels}, "values": values}


HISTOGRAM = {"count": "9", "sum": "18.4", "buckets": [[3, "0", "0.1", "9"]]}
GOOD = [[60 * i, str(5 + i)] for i in range(10)]


def read(monkeypatch: pytest.MonkeyPatch, body: bytes, query: str = "rss_bytes") -> Any:
    monkeypatch.setattr(prometheus, "_ask", lambda *_: body)
    return prometheus.read("http://user:secret@host", query, 540.0, 60.0, 540.0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (matrix(series(GOOD))[:-9], r"not valid JSON \(.*\); it begins with '\{\"status\""),
        (b"<html>\x1b[31m[/x]</html>", r"not valid JSON \(.*\); it begins with '<html>\\+x1b"),
        (b"", "not valid JSON"),
        (b"[" * 200_000, "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b"[1" + b"0" * 5000 + b"]", "not valid JSON"),
        (b"null", "the answer is not a JSON object: None"),
        (b'{"status": "error", "error": "parse\\nerror"}', "parse error"),
        (b'{"status": "success"}', "its data is not a JSON object"),
        (
            b'{"status": "success", "data": {"resultType": "vector", "result": []}}',
            "its type is 'vector', not 'matrix'",
        ),
        (b'{"status": "success", "data": {"resultType": "matrix", "result": 5}}', "its result is not a JSON array: 5"),
        (matrix({"values": []}), "a series' metric is not a JSON object"),
        (matrix({"metric": {"a": 5}}), "labels that are not text"),
        (matrix(series([[0, 5]])), r"a sample is not a pair of a time and a number as text: \[0, 5\]"),
        (matrix(series([["0", "5"]])), "a sample is not a pair"),
        (matrix(series([[0, "5", 1]])), "a sample is not a pair"),
        (matrix(series([[0, "abc"]])), "a sample is not a pair"),
        (matrix(series([[10**400, "5"]])), "a sample is not a pair"),
        (matrix(series(GOOD), series(GOOD)), "it holds the series .* twice"),
        (matrix(series(GOOD), warnings=5), "its warnings is not a JSON array"),
    ],
)
def test_what_is_no_answer_is_refused_in_one_line(body: bytes, said: str) -> None:
    with pytest.raises(answers.AnswerError, match=said) as refused:
        answers.parse(body)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500


def test_values_that_are_none_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [[0, "1"], [60, "+Inf"], [120, "3"], [60, "4"], [180, "NaN"], [240, "5"], [9e9, "6"]]
    trace = read(monkeypatch, matrix(series(values)))
    (one,) = trace.series
    assert one.values.tolist() == [1, 4, 5]
    assert trace.lost == {"rss_bytes": 3 / 7}
    assert trace.notes == (
        "up to 3 samples left out of rss_bytes: native histograms, no finite number, or out of order",
        "up to 1 samples left out of rss_bytes: no value",
    )


def test_native_histograms_are_told_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    body = matrix(series(GOOD), {"metric": {"__name__": "h"}, "histograms": [[0, HISTOGRAM], [60, HISTOGRAM]]})
    trace = read(monkeypatch, body)
    assert [(one.name, one.size) for one in trace.series] == [("rss_bytes", 10), ("h", 0)]
    assert trace.lost == {"rss_bytes": 0.0, "h": 1.0}
    assert "2 samples left out of h: native histograms" in trace.notes[0]


def test_series_without_values_are_series_without_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [one.size for one in read(monkeypatch, matrix(series([]))).series] == [0]
    with pytest.raises(UsageError, match="returns no series"):
        read(monkeypatch, matrix())


def test_labels_that_read_alike_are_not_one_series(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = read(monkeypatch, matrix(series(GOOD, a="1,b=2"), series(GOOD, a="1", b="2")))
    assert [one.size for one in trace.series] == [10, 10]


def test_what_a_server_warns_of_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = read(monkeypatch, matrix(series(GOOD), warnings=["partial\nresponse"] * 2 + [f"w{i}" for i in range(9)]))
    assert trace.notes[0] == "the server warns: partial response"
    assert trace.notes[-1] == "the server warns: and 6 more"


def test_hostile_labels_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = read(monkeypatch, matrix(series(GOOD, job="[/x]\x1b\ud800\n" + "y" * 900)))
    assert trace.series[0].name.startswith("rss_bytes{job=[/x]\\x1b\\ud800 yyy")
    assert trace.series[0].name.isprintable()
    assert len(trace.series[0].name) < 400


def test_no_password_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, matrix(series(GOOD))).source == "http://host rss_bytes"
    for body in (b"no", matrix()):
        with pytest.raises(UsageError) as refused:
            read(monkeypatch, body)
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["ftp://u:secret@host", "http://", "http://u:secret@[::1", "http://u:secret@host:99999", "host:9090", "",
     "http://host/?token=secret", "http://host/#secret", "http://u:secret@ho\ud800st"],
)  # fmt: skip
def test_what_is_no_url_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        prometheus.read(url, "x", 60.0, 60.0)
    assert "secret" not in str(refused.value)
    assert str(refused.value).isprintable()


def test_too_many_samples_are_not_asked_for() -> None:
    for span, step in ((1e9, 1e-2), (1e-4, 1e-11)):
        with pytest.raises(UsageError, match="expected a step of a millisecond or more"):
            prometheus.read("http://host", "x", span, step)


def test_an_end_that_a_server_repeats_is_no_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "_ask", lambda *_: matrix(series([[60 * i, str(min(i, 20))] for i in range(25)])))
    (one,) = prometheus.read("http://host", "x", 6000.0, 60.0, 6000.0).series
    assert np.array_equal(one.values, np.arange(21))
