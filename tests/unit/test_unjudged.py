"""Every amount that is recorded is judged, or a reason is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitors.catalog import all_specs
from monitors.detection.series import Series
from monitors.model import MetricSpec
from reports import unjudged


def series(metric: MetricSpec, member: str = "") -> Series:
    return Series(metric, "", np.arange(3.0), np.arange(3.0), member=member)


def test_every_metric_of_soaks_own_is_judged_or_has_a_reason() -> None:
    reasons = {name: unjudged.reason(series(spec)) for name, spec in all_specs().items()}
    assert {name for name, why in reasons.items() if why is None} == {n for n, s in all_specs().items() if s.judged}
    unsaid = [name for name, why in reasons.items() if why and "does not ask" in why]
    assert unsaid == [], "an amount that is held and not judged says why"


def test_every_layer_but_the_page_cache_is_judged_by_some_metric() -> None:
    judged = {spec.layer for spec in all_specs().values() if spec.judged}
    assert judged >= {"shared", "kernel", "total", "children", "anonymous"}
    assert "file" not in judged


def test_what_is_judged_elsewhere_is_told_where_it_is_not() -> None:
    memory = all_specs()["anonymous_bytes"]
    assert unjudged.reason(series(memory)) is None
    recorded = replace(memory, judged=False)
    assert unjudged.reason(series(recorded, "client")) == "its member is only recorded"
    assert unjudged.reason(series(recorded)) == "the sum of a single part, which is judged"
    assert unjudged.reason(series(replace(all_specs()["cgroup_total_bytes"], judged=False))) == (
        "members that are not judged share the cgroup"
    )
    foreign = MetricSpec("their_bytes", "bytes", "Of a plug-in")
    assert unjudged.reason(series(foreign)) == "its sampler does not request a verdict"
