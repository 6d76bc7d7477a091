"""What is recorded and not judged: a reason for each metric."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from monitors import catalog
from monitors.detection.series import Series
from monitors.model import MetricSpec

_OF_OTHERS = {"host_": "of the machine, not of the trial", "tester_": "of soak itself, not of the trial",
              "sampler_": "of soak itself, not of the trial", "pinned_": "judged as pinned_bytes",
              "probed_": "one stage of a probe; what is left after the last stage is judged",
              "floor_": "part of floor_anonymous_bytes, which is judged",
              "gpu_": "shown for context; other layers of the device are judged"}  # fmt: skip
_DONE = "counts events: not an amount that is held"
_NO_AMOUNT = "not an amount that is held"
_NOT_ASKED = "its sampler does not request a verdict"


def reason(series: Series) -> str | None:
    """Why a series is not judged; None where it is."""
    metric = series.metric
    if metric.judged:
        return None
    known = _specs().get(metric.name, metric)
    if known.judged and metric.name.startswith("cgroup_"):
        return "members that are not judged share the cgroup"
    if known.judged:
        return "its member is only recorded" if series.member else "the sum of a single part, which is judged"
    if known.unjudged:
        return known.unjudged
    of_others = next((said for prefix, said in _OF_OTHERS.items() if metric.name.startswith(prefix)), None)
    if of_others:
        return of_others
    if metric.counter:
        return _DONE
    return _NOT_ASKED if metric.unit == "bytes" or metric.layer else _NO_AMOUNT


@functools.cache
def _specs() -> Mapping[str, MetricSpec]:
    try:
        return catalog.all_specs()
    except catalog.CatalogError:
        # A plug-in of this machine says nothing of a record made on another.
        return {}
