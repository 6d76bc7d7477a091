"""Where the bytes of a trial's GPU are: what the framework uses and keeps, what its processes hold, what is in use.

Each account holds the one before it: allocated ≤ reserved ≤ process ≤ device. What lies between two of them has a name
of its own: cached (kept by the framework's allocator and not used; fragmentation is the part that cannot be released)
and residual (held past the framework's allocator); of a framework that does not tell what it has reserved, both are one
amount. A peak is what was allocated at once between two samples: it decides whether a model fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from monitors.detection.series import Series
from monitors.model import MetricSpec
from monitors.samplers.gpu_process import BEYOND
from monitors.samplers.worker_gpu import CACHED, FRAGMENTATION, PEAK, PEAK_SINCE_START
from reports.record import TrialInfo

PEAKS = (PEAK.name, PEAK_SINCE_START.name)
ACCOUNTS = (
    "gpu_allocated_bytes", "gpu_reserved_bytes", "gpu_process_bytes", "gpu_device_bytes", "gpu_unattributed_bytes",
    CACHED.name, FRAGMENTATION.name, "gpu_residual_bytes", BEYOND.name, "pinned_bytes", *PEAKS,
)  # fmt: skip
"""Innermost first, then what lies between, then the host's part, then what was held for a moment."""
_BEFORE: dict[str, MetricSpec] = {FRAGMENTATION.name: CACHED, "gpu_inactive_split_bytes": FRAGMENTATION}
"""Of records in which no amount is called cached: that was called fragmentation, which had PyTorch's name for it."""
_WORDS = {
    PEAK.name: "peak allocated",
    PEAK_SINCE_START.name: "peak allocated since the start",
    BEYOND.name: "beyond tensors",
}


def of_trial(info: TrialInfo, series: Sequence[Series]) -> dict[str, Any] | None:
    """The device and its accounts, of each member and device where there are several; None on the processor."""
    seat = info.settings.get("gpu")
    if not seat:
        return None
    filled = [one for one in _named_as_now(series) if one.metric.name in ACCOUNTS and len(one.t)]
    apart = {one.metric.name for one in filled if one.member or one.device}
    parts: dict[tuple[str, str], list[Series]] = {}
    for one in sorted(filled, key=lambda one: ACCOUNTS.index(one.metric.name)):
        if one.member or one.device or one.metric.name not in apart:
            parts.setdefault((one.member, one.device), []).append(one)
    return {
        "uuid": seat["uuid"],
        "model": seat["model"],
        "total_bytes": seat["total"],
        "scope": "device" if any(one.metric.name == "gpu_unattributed_bytes" for one in series) else "process",
        "peak_allocated_bytes": max(
            (float(one.values.max()) for one in filled if one.metric.name in PEAKS), default=None
        ),
        "accounts": [account for part in parts.values() for account in _accounts(part)],
    }


def _named_as_now(series: Sequence[Series]) -> Sequence[Series]:
    """Those of an earlier record by the names of today."""
    if any(one.metric.name == CACHED.name for one in series):
        return series
    return [replace(one, metric=_BEFORE.get(one.metric.name, one.metric)) for one in series]


def _accounts(filled: Sequence[Series]) -> list[dict[str, Any]]:
    # Each account holds the one before it only where both are looked at at the same time.
    begins = max((one.t[0] for one in filled), default=0.0)
    return [_account(one.part(slice(int(one.t.searchsorted(begins)), None)), one) for one in filled]


def _account(common: Series, series: Series) -> dict[str, Any]:
    """Early is the middle of the second tenth of the samples, since the first is the start; late, of the last tenth."""
    values = common.values if len(common.values) else series.values
    tenth = max(1, len(values) // 10)
    early, late = values[tenth : 2 * tenth], values[-tenth:]
    name = series.metric.name
    return {
        "metric": name,
        "name": _WORDS.get(name, name.removeprefix("gpu_").removesuffix("_bytes")),
        "member": series.member,
        "device": series.device,
        "help": series.metric.help,
        "early": float(np.median(early if len(early) else values)),
        "late": float(np.median(late)),
        "highest": float(series.values.max()),
    }
