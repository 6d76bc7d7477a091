"""What the probes of a trial found, and what they cost it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from monitors.detection import stages
from monitors.detection.series import Series
from reports.record import TrialInfo


def of_trial(info: TrialInfo, series: Sequence[Series], whole: Mapping[str, Series]) -> dict[str, Any] | None:
    """Amounts in bytes and times in seconds; None where the trial was not probed.

    whole: series of the trial as a whole, by metric.
    """
    found = stages.of_trial(series)
    if found is None:
        return None
    after = whole.get("step_after_probe_seconds")
    return {
        "count": found.count,
        "judged": found.enough,
        "seconds": found.seconds,
        "share": found.seconds / info.seconds if info.seconds else 0.0,
        "garbage_bytes": found.garbage,
        "cached_bytes": found.cached,
        "retained_bytes": found.retained,
        "step_after_seconds": float(np.median(after.values)) if after is not None else None,
    }
