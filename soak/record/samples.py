"""The samples of a trial side by side, as one Arrow table. Needs NumPy: for short-lived processes, and for users."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from monitors.detection.series import Series
from soak.record.reader import Record

TIME = "t"


def samples(record: Record, trial: int) -> pa.Table:
    """Every series of a trial, judged or not, side by side.

    The column `t` holds seconds since the trial began, one row a round. Every other column is a series, named
    `metric` or `metric{labels}`, float64 in its metric's unit; null where a round has no value of it. The metadata of a
    column says its `metric`, `member`, `device`, `label`, `unit`, `help`, `layer` and whether it is `judged`; that of
    the table, the `trial`.

    Args:
        record: open for reading.
        trial: its index.
    """
    series = [one for one in record.series(trial) if len(one.t)]
    t = np.unique(np.concatenate([one.t for one in series])) if series else np.zeros(0)
    fields, columns = [pa.field(TIME, pa.float64(), nullable=False)], [pa.array(t)]
    for one in series:
        values = np.full(len(t), np.nan)
        values[np.searchsorted(t, one.t)] = one.values
        columns.append(pa.array(values, from_pandas=True))
        fields.append(pa.field(one.name, pa.float64(), metadata=_metadata(one)))
    name = next((info.name for info in record.trials() if info.index == trial), "")
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata={"trial": name, "index": str(trial)}))


def _metadata(series: Series) -> dict[str, str]:
    metric, labels = series.metric, {"member": series.member, "device": series.device, "label": series.label}
    told = {"metric": metric.name, **labels, "unit": metric.unit, "help": metric.help, "layer": metric.layer or ""}
    return {**told, "judged": json.dumps(metric.judged)}
