"""What findings of several layers mean together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monitors.detection import judge as detection
from monitors.detection.conclusion import conclude
from monitors.detection.judge import JudgeSettings, judge
from monitors.detection.series import Floats, Series
from monitors.model import Finding, MetricSpec
from monitors.samplers.gpu_device import UNATTRIBUTED
from monitors.samplers.gpu_process import PROCESS, RESIDUAL
from monitors.samplers.worker_gpu import ALLOCATED, RESERVED

BASE = Finding(
    detector="trend", series="", layer=None, unit="bytes", verdict="pass", leak_probability=0.01, calibrated=False,
    rate_per_hour=0.0, rate_per_hour_ci95=(-1.0, 1.0), rate_per_step=None, minimum_detectable_rate_per_hour=1e6,
    shape="flat", reason="flat", samples=100, gaps=0,
)  # fmt: skip


def finding(layer: str, verdict: str = "pass", **keys: Any) -> Finding:
    unit = "count" if layer in ("fds", "threads", "children", "python_objects") else "bytes"
    sure = {"leak": 0.99, "pass": 0.01, "inconclusive": 0.4}[verdict]
    rate = 1e9 if verdict == "leak" else 0.0
    limit = 7.0 if unit == "count" else 1e6
    known = {"leak_probability": sure, "rate_per_hour": rate, "minimum_detectable_rate_per_hour": limit, "unit": unit}
    known |= keys
    return replace(BASE, series=layer, layer=layer, verdict=verdict, **known)  # type: ignore[arg-type]


def test_a_leak_lives_in_its_innermost_layer() -> None:
    told = conclude([finding("anonymous", "leak"), finding("host_heap", "leak"), finding("fds")])
    assert (told.verdict, told.layer) == ("leak", "host_heap")
    assert "seen in anonymous too" in told.reason
    alone = conclude([finding("anonymous", "leak"), finding("fds")])
    assert told.leak_probability == alone.leak_probability, "layers nest: they are no independent witnesses"


def test_one_series_among_many_has_to_be_surer_than_one_alone() -> None:
    lucky = finding("fds", "leak", leak_probability=0.93)
    assert conclude([lucky]).verdict == "leak"
    others = [finding(layer) for layer in ("threads", "children", "shared", "file", "kernel", "anonymous")]
    told = conclude([lucky, *others])
    assert told.leak_probability is not None
    assert told.leak_probability < 0.8
    assert told.verdict == "inconclusive"
    sure = finding("fds", "leak", leak_probability=0.999)
    assert conclude([sure, *others]).verdict == "leak"


def test_many_quiet_series_are_no_likelier_to_leak_than_one() -> None:
    quiet = [finding(layer, leak_probability=0.1) for layer in ("fds", "threads", "children", "shared", "kernel")]
    probability = conclude(quiet).leak_probability
    assert probability is not None
    assert probability < 0.11


def test_growing_python_objects_are_the_cause_of_a_leak_in_bytes() -> None:
    told = conclude([finding("python_objects", "leak", rate_per_step=3.0), finding("host_heap", "leak")])
    assert told.layer == "host_heap"
    assert "Python objects grow too, 3 per step" in told.reason
    assert "holds" not in told.reason, "that both grow says nothing of a cause"


def test_what_grows_beside_is_told_with_its_rate_and_is_no_cause() -> None:
    told = conclude([finding("fds", "leak", rate_per_hour=7200.0), finding("anonymous", "leak", rate_per_hour=3e7)])
    assert told.layer == "fds"
    assert told.reason == "fds: flat; anonymous grows too, by 28.6 MiB/h"
    told = conclude([finding("fds", "leak", rate_per_hour=10.0), finding("host_heap", "leak")])
    assert told.reason == "host_heap: flat; fds grows too, by 10/h"


def test_a_leak_slower_than_what_could_have_been_seen_is_no_verdict() -> None:
    """Whoever says so: a detector of others is held to it as well."""
    told = conclude([finding("anonymous", "leak", rate_per_hour=131e9, minimum_detectable_rate_per_hour=166e9)])
    assert (told.verdict, told.findings[0].verdict) == ("inconclusive", "inconclusive")
    assert "is below 155 GiB/h, above which it was detectable" in told.reason


def test_memory_that_threads_cost_is_a_leak_of_threads() -> None:
    told = conclude([finding("threads", "leak", rate_per_hour=3600.0), finding("anonymous", "leak", rate_per_hour=1e8)])
    assert told.layer == "threads"


def test_memory_far_beyond_what_descriptors_cost_is_a_leak_of_memory() -> None:
    told = conclude([finding("fds", "leak", rate_per_hour=10.0), finding("host_heap", "leak")])
    assert told.layer == "host_heap"


def test_held_memory_leaks_unless_resident_memory_says_no() -> None:
    held = finding("heap_held", "leak")
    assert conclude([held, finding("anonymous", "leak")]).layer == "heap_held"
    told = conclude([held, finding("anonymous")])
    assert told.verdict == "pass"
    blind = finding("anonymous", minimum_detectable_rate_per_hour=1e12)
    assert conclude([held, blind]).verdict == "leak", "what could not have been seen contradicts nothing"


def test_doubt_in_any_layer_is_doubt_about_the_trial() -> None:
    told = conclude([finding("anonymous"), finding("host_heap", "inconclusive", reason="it fades")])
    assert told.verdict == "inconclusive"
    assert told.reason == "host_heap: it fades"


def test_doubt_about_held_memory_is_settled_by_resident_memory() -> None:
    held = finding("heap_held", "inconclusive")
    assert conclude([held, finding("anonymous")]).verdict == "pass"
    assert conclude([held, finding("host_heap")]).verdict == "inconclusive"


def test_doubt_about_resident_memory_is_settled_by_a_live_heap_that_would_have_shown_it() -> None:
    creeping = finding("anonymous", "inconclusive", rate_per_hour=5e6, reason="it came in a few steps")
    told = conclude([creeping, finding("host_heap")])
    assert told.verdict == "pass"
    assert "it came in a few steps; the live heap does not grow" in told.reason
    blind = finding("host_heap", minimum_detectable_rate_per_hour=1e9)
    assert conclude([creeping, blind]).verdict == "inconclusive"
    objects = finding("python_objects", "inconclusive")
    assert conclude([creeping, finding("host_heap"), objects]).verdict == "inconclusive"
    leaking = finding("anonymous", "leak")
    assert conclude([leaking, finding("host_heap")]).verdict == "leak", "what malloc does not know of can leak too"


def test_a_second_layer_that_is_too_short_leaves_it_to_the_first() -> None:
    short = finding("python_objects", "inconclusive", leak_probability=None)
    assert conclude([finding("anonymous"), short]).verdict == "pass"
    assert (
        conclude([finding("fds"), finding("anonymous", "inconclusive", leak_probability=None)]).verdict
        == "inconclusive"
    )


def test_a_second_layer_too_short_to_show_any_leak_leaves_it_to_the_first() -> None:
    mute = finding("python_objects", "inconclusive", leak_probability=0.01, minimum_detectable_rate_per_hour=None)
    assert conclude([finding("anonymous"), mute]).verdict == "pass"
    assert conclude([mute]).verdict == "inconclusive"
    doubt = finding("python_objects", "inconclusive", leak_probability=0.5, minimum_detectable_rate_per_hour=None)
    assert conclude([finding("anonymous"), doubt]).verdict == "inconclusive"


def test_memory_of_a_gpu_that_nothing_tells_of_long_enough_cannot_pass() -> None:
    short = finding("gpu_process", "inconclusive", leak_probability=None, device="cuda:1", reason="25 s are too short")
    told = conclude([finding("anonymous"), short, finding("gpu_process", device="cuda:0")])
    assert told.verdict == "inconclusive"
    assert told.reason == "gpu_process on cuda:1: 25 s are too short"
    told = conclude([finding("anonymous"), short, finding("gpu_allocated", device="cuda:1")])
    assert told.verdict == "pass", "another layer of that device speaks for it"


def test_without_a_leak_the_main_layer_speaks() -> None:
    told = conclude([finding("fds", minimum_detectable_rate_per_hour=7.0), finding("anonymous")])
    assert told.minimum_detectable_rate_per_hour == 1e6
    assert told.layer is None


def test_memory_that_settles_over_a_flat_heap_is_retained() -> None:
    told = conclude([finding("anonymous", shape="step", reason="a step"), finding("host_heap")])
    assert "freed memory that the allocator retains" in told.reason


def test_nothing_to_judge_is_inconclusive() -> None:
    assert judge([]).verdict == "inconclusive"
    clock = MetricSpec("loss", "value", "Loss")
    assert judge([Series(clock, "", np.arange(100.0), np.arange(100.0))]).findings == ()


def test_a_detector_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def judge(self, series: Series, settings: JudgeSettings) -> Finding:
            raise ZeroDivisionError("by design")

    monkeypatch.setattr(detection, "load", lambda name: Broken)
    spec = MetricSpec("anonymous_bytes", "bytes", "Memory", "anonymous", judged=True)
    told = judge([Series(spec, "", np.arange(100.0), np.ones(100))])
    assert told.verdict == "inconclusive"
    assert "ZeroDivisionError: by design" in told.findings[0].reason


def test_growth_of_reserved_memory_alone_is_of_the_allocator() -> None:
    told = conclude([finding("gpu_allocated"), finding("gpu_reserved", "leak"), finding("gpu_process", "leak")])
    assert told.layer == "gpu_reserved"
    assert "takes more while its tensors do not: cached blocks, or fragmentation" in told.reason


def test_growth_past_what_is_reserved_is_outside_the_frameworks_allocator() -> None:
    layers = [finding("gpu_allocated"), finding("gpu_reserved"), finding("gpu_residual", "leak")]
    told = conclude([*layers, finding("gpu_process", "leak")])
    assert told.layer == "gpu_residual"
    assert "outside the framework's allocator" in told.reason
    assert "seen in gpu_process too" in told.reason


def test_growth_of_live_tensors_is_the_cause_of_all_that_grows_around_them() -> None:
    grows = [finding(layer, "leak") for layer in ("gpu_process", "gpu_reserved", "gpu_allocated")]
    told = conclude([*grows, finding("gpu_residual")])
    assert told.layer == "gpu_allocated"
    assert "seen in gpu_reserved, gpu_process too" in told.reason
    assert "allocator" not in told.reason


def test_layers_of_a_gpu_are_one_witness_and_the_host_is_another() -> None:
    alone = conclude([finding("gpu_allocated", "leak")])
    nested = conclude([finding(layer, "leak") for layer in ("gpu_allocated", "gpu_reserved", "gpu_process")])
    assert nested.leak_probability == alone.leak_probability
    host = conclude([finding("gpu_allocated", "leak"), finding("anonymous")])
    assert host.leak_probability != alone.leak_probability


GPU_T = np.arange(0.0, 600.0, 1.0)
MIB = 2.0**20


def gpu_trial(allocated: Floats, reserved: Floats, residual: Floats | float) -> list[Series]:
    """Series of the samplers' own metrics; amounts in MiB."""
    amounts = {ALLOCATED: allocated, RESERVED: reserved, PROCESS: reserved + residual, RESIDUAL: residual + 0 * GPU_T}
    return [Series(spec, "", GPU_T, np.round(values * MIB), steps=50 * GPU_T) for spec, values in amounts.items()]


def growing(base: float) -> Floats:
    """By 2 MiB at a time, as allocators take it."""
    return base + 2 * np.floor(GPU_T / 2)


LIVE = 60 + 20 * ((GPU_T * 3.7) % 1)
"""What live tensors hold at whatever moment of a step."""
DOUBLINGS = 128 * 2.0 ** np.searchsorted([10.0, 30.0, 60.0, 120.0], GPU_T)


@pytest.mark.parametrize(
    ("series", "layer"),
    [
        (gpu_trial(growing(60.0) + LIVE, growing(300.0), 500.0), "gpu_allocated"),
        (gpu_trial(LIVE, growing(300.0), 500.0), "gpu_reserved"),
        (gpu_trial(LIVE, 0 * GPU_T + 300, growing(500.0)), "gpu_residual"),
    ],
)
def test_device_memory_that_grows_is_a_leak_of_its_innermost_layer(series: list[Series], layer: str) -> None:
    told = judge(series)
    assert (told.verdict, told.layer) == ("leak", layer)
    assert told.rate_per_hour == pytest.approx(3600 * MIB, rel=0.05)


def test_an_allocator_that_doubles_its_memory_and_stops_is_no_leak() -> None:
    told = judge(gpu_trial(LIVE, DOUBLINGS, 500.0))
    assert told.verdict == "pass"
    (reserved,) = (f for f in told.findings if f.series == "gpu_reserved_bytes")
    assert "GiB in a few jumps, flat otherwise" in reserved.reason


def test_a_device_whose_processes_cannot_be_told_apart_leaks_as_a_whole() -> None:
    whole = Series(UNATTRIBUTED, "", GPU_T, growing(900.0) * MIB, steps=50 * GPU_T)
    told = judge([*gpu_trial(LIVE, 0 * GPU_T + 300, 0.0)[:2], whole])
    assert (told.verdict, told.layer) == ("leak", "gpu_device")
