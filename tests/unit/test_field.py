"""The cases of `benchmarks.field`: each names what there is, there are enough of both kinds, and the table adds up."""

from __future__ import annotations

import re
from typing import Any

import pytest

from benchmarks import field
from benchmarks.field_cases import BOTH, STREAM, Case, cases
from benchmarks.field_table import table
from benchmarks.field_truth import fitted
from workloads import catalog, sources

ALL = cases()
LAYERS = ("python_objects", "host_heap", "mmap", "anonymous", "shared", "total", "fds", "threads", "children")


def test_there_are_thirty_of_each_kind_in_each_framework() -> None:
    for framework in BOTH:
        for truth in ("leak", "bounded"):
            of_kind = {one.workload for one in ALL if one.framework == framework and one.truth == truth}
            assert len(of_kind) >= 30, (framework, truth)


def test_names_are_unique() -> None:
    assert len({one.name for one in ALL}) == len(ALL)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_a_case_names_what_there_is(case: Case) -> None:
    module = catalog.load(case.workload)
    assert case.framework in module.FRAMEWORKS
    assert case.mode in module.MODES
    assert catalog.options_of(case.workload, case.options)
    assert case.truth != "leak" or any(re.fullmatch(case.layer, layer) for layer in LAYERS)
    re.compile(case.cause)


def test_every_leak_of_a_cpu_is_a_case() -> None:
    there = {name for name in catalog.names() if name.startswith(("zoo_", "lookalike_"))}
    there = {name for name in there if "cpu" in catalog.devices_of(catalog.load(name))}
    elsewhere = {
        "zoo_figures",  # needs matplotlib
        "zoo_conv_shapes",  # its truth is not known: configs/zoo.toml has it
        "zoo_tfjs_tensors",  # needs Node.js: configs/zoo-tfjs.toml has it
        "zoo_process_groups",  # descriptors run out within the steps of a measurement: configs/ranks.toml has it
        "zoo_fragments", "zoo_graph_capture", "lookalike_cache_fills", "lookalike_one_step", "lookalike_sawtooth",
    }  # fmt: skip
    assert there - {one.workload for one in ALL} <= elsewhere


def test_the_stream_is_one_that_there_is() -> None:
    assert sources.spec_of("synthetic", STREAM).options["height"] == 16


def test_growth_is_that_of_the_last_half() -> None:
    early = [{"steps": float(step), "total_bytes": 1000.0 * step} for step in range(0, 50, 10)]
    late = [{"steps": float(step), "total_bytes": 50_000.0 + 7.0 * step} for step in range(50, 110, 10)]
    assert fitted([*early, *late])["per_step"]["total_bytes"] == pytest.approx(7.0)


def test_what_grows_in_leaps_is_true_between_bounds() -> None:
    """Ten bytes a step, and a table that doubles once after the half."""
    readings = [{"steps": step, "total_bytes": 10.0 * step + 4000.0 * (step > 140)} for step in range(0, 210, 10)]
    low, high = fitted(readings)["bounds"]["total_bytes"]
    assert low == pytest.approx(10.0)
    assert high > 40
    even = fitted([{"steps": float(step), "total_bytes": 7.0 * step} for step in range(0, 200, 10)])
    assert even["bounds"]["total_bytes"] == (7.0, 7.0)


def measured(**per_step: float) -> dict[str, Any]:
    """The truth of what grows evenly."""
    return {"readings": [{"steps": step, **{n: v * step for n, v in per_step.items()}} for step in (10.0, 20.0, 30.0)]}


def said(verdict: str, rate: float | None, layer: str | None = None, cause: str = "") -> dict[str, Any]:
    told = None if rate is None else {"per_hour": rate, "per_step": rate / 3600, "unit": "bytes"}
    words = {"verdict": verdict, "leak_probability": 0.5, "layer": layer, "cause": cause}
    return {**words, "rate": told, "steps_per_second": 1.0}


def test_the_table_tells_errors_and_totals() -> None:
    leak = Case("a-torch", "zoo_a", "torch", "leak", "host_heap", "float")
    missed = Case("b-torch", "zoo_b", "torch", "leak", "host_heap", "float")
    bounded = Case("c-torch", "lookalike_c", "torch", "bounded")
    truth = measured(total_bytes=1024.0)
    told = table(
        [leak, missed, bounded],
        {"a-torch": truth, "b-torch": truth, "c-torch": truth},
        {
            # One step a second: 3600 KiB an hour, said 5 % too high.
            "a-torch": said("leak", 1.05 * 3600 * 1024, "host_heap", "2,000 objects of float"),
            "b-torch": said("pass", None),
            "c-torch": said("leak", 1.0, "heap_held"),
        },
    )
    assert "| a-torch | 3.5 MiB | leak | 0.50 | 3.7 MiB | +5 % | host_heap | 2,000 objects of float |" in told
    assert "| b-torch | 3.5 MiB | pass ✗ |" in told
    assert "| c-torch | bounded | leak ✗ |" in told
    assert "false alarms: 1 of 1; passed: 0 of 1" in told
    assert "leaks found: 1 of 2" in told
    assert "rate within 10%: 1 of 1" in told


def test_what_may_be_either_is_in_no_total() -> None:
    case = Case("a-torch", "zoo_a", "torch", "either")
    for verdict in ("pass", "leak"):
        told = table([case], {"a-torch": measured(total_bytes=1.0)}, {"a-torch": said(verdict, None)})
        assert f"| {verdict} |" in told
        assert "leaks found: 0 of 0" in told
        assert "false alarms: 0 of 0" in told


def test_a_rate_of_descriptors_is_held_against_descriptors() -> None:
    case = Case("a-torch", "zoo_a", "torch", "leak", "shared|fds")
    truth = measured(total_bytes=1024.0, fds=2.0)
    rate = {"per_hour": 7200.0, "per_step": 2.0, "unit": "count", "series": "floor_fds"}
    told = table([case], {"a-torch": truth}, {"a-torch": {**said("leak", None, "fds"), "rate": rate}})
    assert "| a-torch | 7,200 | leak | 0.50 | 7,200 | +0 % | fds |" in told


def test_a_config_is_one_paced_trial() -> None:
    config = field.config_of(ALL[0], 90.0)
    assert config["run"]["duration"] == "90 s"
    assert config["stream"]["pace"] == "real_time"
    assert [one["workload"] for one in config["trial"]] == [ALL[0].workload]


def test_what_the_dead_left_in_shared_memory_is_swept(tmp_path: Any) -> None:
    shm, proc = tmp_path / "shm", tmp_path / "proc"
    (proc / "7").mkdir(parents=True)
    shm.mkdir()
    for name in ("soak-zoo-7-1", "soak-zoo-8-1", "psm_8_0", "torch_8_1_2", "psm_abc", "other-8-1"):
        (shm / name).touch()
    field.sweep(shm, proc)
    assert sorted(path.name for path in shm.iterdir()) == ["other-8-1", "psm_abc", "soak-zoo-7-1"]


def test_a_line_that_was_cut_is_left_out(tmp_path: Any) -> None:
    (tmp_path / "x.jsonl").write_text('{"case": "a", "n": 1}\n{"case": "a", "n": 2}\n{"case": "b", "n"')
    assert field.load(tmp_path / "x.jsonl") == {"a": {"case": "a", "n": 2}}
