"""What a detector answers, as Python's own types: a record is JSON, and a plug-in may compute with anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import msgspec
import numpy as np

from monitors.detection.series import Series
from monitors.model import SHAPES, Finding


def plain(found: object, series: Series) -> Finding:
    """The finding of a series: numbers and arrays of NumPy as Python's, a number that is none as unknown.

    Raises:
        TypeError: it is no finding, or a field is not of its type.
        ValueError: it states a probability that is none, or a shape that there is not.
    """
    if not isinstance(found, Finding):
        raise TypeError(f"expected a Finding, not {type(found).__name__}")
    try:
        finding = msgspec.convert(_plain(found), Finding)
    except msgspec.ValidationError as error:
        raise TypeError(str(error)) from None
    if finding.leak_probability is not None and not 0 <= finding.leak_probability <= 1:
        raise ValueError(f"leak_probability = {finding.leak_probability:g}: expected 0 to 1")
    if finding.shape not in SHAPES:
        raise ValueError(f"shape = {finding.shape!r}: expected {' or '.join(SHAPES)}")
    # What it is of is no matter of opinion.
    return replace(
        finding, series=series.name, layer=series.metric.layer, unit=series.metric.unit, member=series.member,
        device=series.device,
    )  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {_plain(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
