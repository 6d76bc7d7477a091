"""What a Prometheus server answers to a range query, understood or refused: bytes in, time series out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitors.detection.series import Floats
from monitors.text import one_line
from soak.traces.cells import BROKEN

_TOLD = 5
"""Warnings of a server that are handed on."""


class AnswerError(Exception):
    """This is no answer to a range query; says in what it is none."""


@dataclass(frozen=True, slots=True)
class Result:
    """One time series of an answer."""

    labels: Mapping[str, str]
    points: Floats
    """Times and values, shape (2, n); NaN where the server knows no value, infinite where it is no finite number."""
    histograms: int
    """Points that are native histograms, which hold no single number."""


@dataclass(frozen=True, slots=True)
class PrometheusAnswer:
    """Every time series of an answer, and what the server warns of."""

    results: Sequence[Result]
    warnings: Sequence[str]


def parse(body: bytes) -> PrometheusAnswer:
    """Understand an answer.

    Raises:
        AnswerError: it is none.
    """
    answer = _object(_loaded(body), "the answer")
    if answer.get("status") != "success":
        why = answer.get("error") or f"its status is {answer.get('status')!r}, not 'success'"
        raise AnswerError(one_line(why, 300))
    data = _object(answer.get("data"), "its data")
    if data.get("resultType") != "matrix":
        raise AnswerError(f"its type is {one_line(repr(data.get('resultType')), 60)}, not 'matrix'")
    results = [_result(one) for one in _list(data.get("result"), "its result")]
    seen: set[frozenset[tuple[str, str]]] = set()
    for result in results:
        key = frozenset(result.labels.items())
        if key in seen:
            raise AnswerError(f"it holds the series {one_line(dict(result.labels), 200)} twice")
        seen.add(key)
    return PrometheusAnswer(results, _warnings(answer))


def _loaded(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        begins = one_line(repr(body[:40].decode(errors="replace")), 60)
        raise AnswerError(f"not valid JSON ({one_line(error, 120)}); it begins with {begins}") from error


def _warnings(answer: Mapping[str, Any]) -> list[str]:
    said = [one_line(text, 200) for key in ("warnings", "infos") for text in _list(answer.get(key) or [], f"its {key}")]
    more = len(said) - _TOLD
    return [*said[:_TOLD], *([f"and {more:,} more"] if more > 0 else [])]


def _result(one: object) -> Result:
    result = _object(one, "a series")
    labels = _object(result.get("metric"), "a series' metric")
    if not all(isinstance(value, str) for value in labels.values()):
        raise AnswerError(f"labels that are not text: {one_line(labels, 200)}")
    points = [_point(pair) for pair in _list(result.get("values", []), "a series' values")]
    histograms = len(_list(result.get("histograms", []), "a series' histograms"))
    return Result(labels, np.array(points, dtype=np.float64).reshape(-1, 2).T, histograms)


def _point(pair: Any) -> tuple[float, float]:
    try:
        at, value = pair
        if isinstance(at, int | float) and not isinstance(at, bool) and isinstance(value, str):
            number = float(value)
            return float(at), BROKEN if abs(number) == BROKEN else number
    except (TypeError, ValueError, OverflowError):
        pass
    raise AnswerError(f"a sample is not a pair of a time and a number as text: {one_line(pair, 80)}")


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise AnswerError(f"{what} is not a JSON object: {one_line(value, 80)}")
    return value


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise AnswerError(f"{what} is not a JSON array: {one_line(value, 80)}")
    return value
