"""A record as rows of Arrow tables: samples, events, verdicts. `samples` has one trial side by side. Needs pyarrow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from monitors.detection.series import Series
from reports.document import speaker
from reports.record import RunRecord, TrialInfo

_WORD = pa.dictionary(pa.int32(), pa.string())
_TIME = pa.timestamp("us", tz="UTC")
SAMPLES = pa.schema(
    [
        ("t", pa.float64()), ("time", _TIME), ("metric", _WORD), ("member", _WORD), ("device", _WORD),
        ("label", _WORD), ("layer", _WORD), ("unit", _WORD), ("value", pa.float64()),
    ]
)  # fmt: skip
"""One row a sample. t: seconds since the trial began; time: of day. member, device, label: what tells several series of
one metric apart, empty where there is one. layer: empty for what is no memory. value: in `unit`."""
EVENTS = pa.schema(
    [
        ("t", pa.float64()), ("time", _TIME), ("trial", pa.string()), ("kind", pa.string()), ("message", pa.string()),
        ("data", pa.string()),
    ]
)  # fmt: skip
"""One row an event. trial: its name; null for what happened to the run. data: JSON."""
_OF_A_TRIAL = ("index", "name", "workload", "framework", "mode", "execution", "seed", "block", "arm", "state", "device",
               "seconds", "end_reason", "end_message")  # fmt: skip
_OF_A_JUDGEMENT = ("verdict", "reason", "leak_probability", "calibrated", "layer", "member", "leak_device", "process")
_UNJUDGED = {"reason": "", "calibrated": False, "member": "", "leak_device": "", "process": ""}
_NUMBERS = {
    "index": pa.int64(), "seed": pa.int64(), "seconds": pa.float64(), "leak_probability": pa.float64(),
    "calibrated": pa.bool_(), "control_passed": pa.bool_(),
}  # fmt: skip
_RATES = ("rate_per_hour", "rate_per_hour_low", "rate_per_hour_high", "minimum_detectable_rate_per_hour",
          "hours_to_exhaustion")  # fmt: skip
VERDICTS = pa.schema(
    [
        *(
            ("trial" if name == "name" else name, _NUMBERS.get(name, pa.string()))
            for name in (*_OF_A_TRIAL, *_OF_A_JUDGEMENT, "expect", "control_passed")
        ),
        ("started", _TIME), ("series", pa.string()), ("unit", pa.string()), *((name, pa.float64()) for name in _RATES),
        ("run_verdict", pa.string()),
    ]
)  # fmt: skip
"""One row a trial. series, unit, rates: of the series that stands for the trial, per hour. Null is unknown."""


def batches(record: RunRecord, trial: TrialInfo) -> Iterator[pa.RecordBatch]:
    """All samples of a trial by `SAMPLES`, one batch a series."""
    for series in record.series(trial.index):
        if len(series.t):
            yield _batch(series, trial.started)


def _batch(series: Series, started: float | None) -> pa.RecordBatch:
    count, metric = len(series.t), series.metric
    time = pa.nulls(count, _TIME)
    if started is not None:
        time = pa.array(np.round((started + series.t) * 1e6).astype("int64")).cast(_TIME)
    words = {"metric": metric.name, "member": series.member, "device": series.device, "label": series.label,
             "layer": metric.layer or "", "unit": metric.unit}  # fmt: skip
    columns = {"t": pa.array(series.t), "time": time, "value": pa.array(series.values)}
    columns |= {name: _repeated(word, count) for name, word in words.items()}
    return pa.RecordBatch.from_arrays([columns[name] for name in SAMPLES.names], schema=SAMPLES)


def _repeated(word: str, count: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, "int32")), [word])


def events(record: RunRecord) -> pa.Table:
    """Everything that happened, oldest first, by `EVENTS`."""
    names = {trial.index: trial.name for trial in record.trials()}
    rows = [
        {
            "t": event.t, "time": _time(event.wall), "kind": event.kind, "message": event.message,
            "trial": None if event.trial is None else names.get(event.trial, f"trial {event.trial}"),
            "data": json.dumps(dict(event.data), sort_keys=True),
        }
        for event in record.events()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, EVENTS)


def verdicts(record: RunRecord) -> pa.Table:
    """What was found of each trial, by `VERDICTS`."""
    run_verdict = record.run().verdict
    return pa.Table.from_pylist([_verdict(trial, run_verdict) for trial in record.trials()], VERDICTS)


def _verdict(trial: TrialInfo, run_verdict: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(trial, name) for name in (*_OF_A_TRIAL, "expect")} | _UNJUDGED
    row |= {"trial": row.pop("name"), "started": _time(trial.started), "run_verdict": run_verdict}
    if trial.judgement is not None:
        row |= {name: getattr(trial.judgement, name) for name in (*_OF_A_JUDGEMENT, "control_passed")}
    finding = speaker(trial.judgement)
    if finding is None:
        return row
    low, high = finding.rate_per_hour_ci95 or (None, None)
    return row | {
        "series": finding.series, "unit": finding.unit, "rate_per_hour": finding.rate_per_hour,
        "rate_per_hour_low": low, "rate_per_hour_high": high,
        "minimum_detectable_rate_per_hour": finding.minimum_detectable_rate_per_hour,
        "hours_to_exhaustion": finding.hours_to_exhaustion,
    }  # fmt: skip


def _time(wall: float | None) -> int | None:
    """Unix time in microseconds; None where it is unknown or beyond the years that there are."""
    return None if wall is None or not abs(wall) < 2.5e11 else round(wall * 1e6)
