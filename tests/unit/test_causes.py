"""Censuses of known growth → the cause that is named; where nothing stands out, nothing is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.detection import causes, censuses
from monitors.detection.lasting import lasting
from monitors.judgement import Judgement
from monitors.model import LAYERS, Event, Finding
from soak.judge.cause import garbage_types, with_cause
from tests.conftest import MIB

EVERY = 15.0
"""Seconds between two censuses."""
HOUR = 3600.0 / EVERY
"""Of which there are so many an hour."""
LIST, FIGURES = "a list named `history` in `train.py`", "a dict, class attribute `figs` of `Gcf` (matplotlib/pylab.py)"


def finding(layer: str, rate: float, unit: Any = "bytes") -> Finding:
    return Finding(
        "trend", layer, layer, unit, "leak", 0.99, True, rate, None, None, None, "linear", "grows", 100, 0,
        judged_from=20.0,
    )  # fmt: skip


def taken(count: int, data: Callable[[int], Mapping[str, Any]]) -> list[censuses.CensusTaken]:
    """So many censuses, read as they come over the wire."""
    return [
        censuses.read(EVERY * n, json.loads(json.dumps({"steps": 10 * n, "left_out": [], **data(n)})))
        for n in range(count)
    ]


def said(
    layer: str, rate: float, data: Callable[[int], Mapping[str, Any]], count: int = 12, unit: Any = "bytes"
) -> str:
    return causes.of_leak(taken(count, data), finding(layer, rate, unit)).text


def test_tensors_by_shape_and_who_holds_them() -> None:
    def data(n: int) -> Mapping[str, Any]:
        return {
            "tensors": {
                "torch.Tensor (64×64 float32)": [10 * n, 10 * n * 16384],
                "torch.Tensor (scalar int64)": [10 * n, 80 * n],
            },
            "types": {"torch.Tensor": [20 * n, 1600 * n], "tuple": [10 * n, 560 * n]},
            "held_by": {"torch.Tensor (64×64 float32)": LIST},
        }  # fmt: skip

    assert said("host_heap", 10 * 16384 * HOUR, data) == (
        "2,400 objects of `torch.Tensor` (64×64 float32) an hour (1 a step, 37.5 MiB an hour), held by "
        "a list named `history` in `train.py`"
    )


def test_a_last_census_that_comes_at_once_after_another_hides_no_growth() -> None:
    """Seen in a short trial: one at a probe, and one at the end, between which hardly a step was made."""
    times = [(22.0, 0), (99.5, 1500), (161.8, 2700), (164.7, 2701)]
    told = [
        censuses.read(
            t, {"steps": n, "left_out": [], "types": {"module": [2500 + n, 72 * n], "list": [9000 + n, None]}}
        )
        for t, n in times
    ]
    text = causes.of_leak(told, finding("python_objects", 1e7, "count")).text
    assert "objects of `module` an hour" in text


def test_what_each_step_makes_lasts_though_steps_take_longer_at_the_end() -> None:
    """Seen on a busy machine: the last census came soon, and half of the time before it went to the one before."""
    times = [(11.0, 20), (46.8, 82), (116.9, 209), (127.1, 216)]
    told = [
        censuses.read(t, {"steps": n, "left_out": [], "types": {"train.Batch": [7 * n, 700 * n], "list": [9000, None]}})
        for t, n in times
    ]
    cause = causes.of_leak(told, finding("python_objects", 7 * 6000, "count"))
    assert "objects of `train.Batch` an hour (7 a step)" in cause.text
    ended = [(20, 20), (82, 82), (209, 83), (216, 83)]
    told = [
        censuses.read(t, {"steps": n, "left_out": [], "types": {"train.Batch": [7 * made, 700 * made]}})
        for (t, n), (_, made) in zip(times, ended, strict=True)
    ]
    assert causes.of_leak(told, finding("python_objects", 7 * 6000, "count")).text == ""


def test_one_array_that_gets_larger_has_another_shape_each_time() -> None:
    def data(n: int) -> Mapping[str, Any]:
        size = 4096 * (1 + 15 * n)
        return {
            "arrays": {f"numpy.ndarray ({size // 4} float32)": [1, size]},
            "any_shape": {"numpy.ndarray (float32)": [3, size + 800], "torch.Tensor (float32)": [20, 1e6]},
            "types": {"dict": [100, None]},
        }

    text = said("host_heap", 15 * 4096 * HOUR, data)
    assert text == "`numpy.ndarray` (float32) that gets larger, by 14.1 MiB an hour"
    on_device = {"any_shape": {"torch.Tensor (float32 on cuda:0)": [2, 0]}}

    def of_device(n: int) -> Mapping[str, Any]:
        return {"any_shape": {name: [2, 1e6 * n] for name in on_device["any_shape"]}}

    assert "that gets larger" in said("gpu_allocated", 1e6 * HOUR, of_device)


def test_arrays_of_ever_new_shapes_are_told_together() -> None:
    def data(n: int) -> Mapping[str, Any]:
        return {
            "arrays": {f"numpy.ndarray ({1000 + n} float32)": [1, 4000]},
            "any_shape": {"numpy.ndarray (float32)": [10 * n, 40_000 * n]},
        }

    assert said("host_heap", 40_000 * HOUR, data) == (
        "2,400 objects of `numpy.ndarray` (float32), of many shapes, an hour (1 a step, 9.16 MiB an hour)"
    )


def test_what_refers_weakly_holds_nothing() -> None:
    weak, strong = "a dict, attribute `data` of `WeakValueDictionary` (weakref.py)", "a list named `due` in `train.py`"

    def data(n: int) -> Mapping[str, Any]:
        return {
            "arrays": {"bytearray (up to 4 KiB)": [10 * n, 40_000 * n]},
            "containers": {weak: [10 * n, 2000 * n], strong: [10 * n, 800 * n]},
            "elements": {weak: "weakref.KeyedRef", strong: "functools.partial"},
        }

    assert said("host_heap", 40_000 * HOUR, data).endswith(f"held by {strong}")


def test_arrays_are_held_by_what_grows_as_fast() -> None:
    def data(n: int) -> Mapping[str, Any]:
        return {"arrays": {"numpy.ndarray (1000 float64)": [5 * n, 40000 * n]}, "containers": {LIST: [5 * n, 600 * n]}}

    assert said("anonymous", 40000 * HOUR, data).endswith(f"held by {LIST}")


def test_numbers_in_a_list() -> None:
    def data(n: int) -> Mapping[str, Any]:
        return {
            "containers": {LIST: [1000 * n, 32000 * n]}, "elements": {LIST: "float"},
            "python_blocks": 50_000 + 1000 * n, "references": {"float": 1000 * n},
        }  # fmt: skip

    assert said("total", 32000 * HOUR, data) == (
        "240,000 numbers (`float`) an hour (100 a step, 7.32 MiB an hour), held by a list named `history` in `train.py`"
    )


def test_numbers_of_which_no_container_is_known() -> None:
    def data(n: int) -> Mapping[str, Any]:
        return {"python_blocks": 50_000 + 10_000 * n, "references": {"float": 10_000 * n}}

    assert said("total", 320_000 * HOUR, data) == (
        "2,400,000 small Python objects an hour, such as numbers or texts, most of them `float`"
    )


def test_the_type_in_a_container_comes_before_what_it_holds_in_turn() -> None:
    def data(n: int) -> Mapping[str, Any]:
        return {
            "types": {
                "matplotlib.lines.Line2D": [400 * n, 40_000 * n], "matplotlib.figure.Figure": [4 * n, 200 * n],
                "dict": [4000 * n, 400_000 * n],
            },
            "containers": {FIGURES: [4 * n, 900 * n]}, "elements": {FIGURES: "matplotlib.figure.Figure"},
        }  # fmt: skip

    told = said("anonymous", 4 * MIB * HOUR, data)
    assert told.startswith(f"960 objects of `matplotlib.figure.Figure` an hour (0.4 a step), held by {FIGURES}")


def test_parts_are_told_as_what_they_are_parts_of() -> None:
    def data(n: int) -> Mapping[str, Any]:
        return {
            "types": {
                "itertools.count": [440 * n, 440 * 56 * n], "matplotlib.axis.XTick": [40 * n, 2000 * n],
                "dict": [4000 * n, 400_000 * n],
            },
            "held_by": {"itertools.count": FIGURES},
            "wholes": {
                "itertools.count": {
                    "type": "matplotlib.figure.Figure", "share": 1 / 110,
                    "parts": ["matplotlib.axes._axes.Axes", "itertools.count"],
                }
            },
        }  # fmt: skip

    words = (
        f"960 objects of `matplotlib.figure.Figure` an hour (0.4 a step), held by {FIGURES}; they are made of "
        "`matplotlib.axes._axes.Axes`, `itertools.count` and more"
    )
    assert said("anonymous", 4 * MIB * HOUR, data) == words
    assert said("python_objects", 9000 * HOUR, data, unit="count") == words
    named = causes.of_leak(taken(12, data), finding("anonymous", 4 * MIB * HOUR)).grown
    assert (named[0].name, named[0].held_by) == ("matplotlib.figure.Figure", FIGURES)
    assert "itertools.count" in {each.name for each in named[1:]}, "what was counted is told too"


def test_a_whole_that_a_later_census_knows_better_is_not_told() -> None:
    """Seen while much is made once: the holder that was found then is looked for again."""

    def data(n: int) -> Mapping[str, Any]:
        early = {"train.Batch": {"type": "train.WarmUp", "share": 0.5, "parts": []}}
        return {
            "types": {"train.Batch": [10 * n, 6400 * n]},
            "held_by": {"train.Batch": LIST if n >= 4 else "a list named `made_once` in `train.py`"},
            "wholes": early if n < 4 else {},
        }

    assert said("host_heap", 64_000 * HOUR, data).startswith("2,400 objects of `train.Batch` an hour (1 a step), held")


@pytest.mark.parametrize(
    ("layer", "group", "name", "words"),
    [
        ("fds", "descriptors", "pipe", "descriptors: 960 an hour are pipes"),
        ("fds", "descriptors", "file in /data/clips", "descriptors: 960 an hour (file in /data/clips)"),
        ("children", "children", "`true`, zombie", "children: 960 zombies an hour (dead, not waited for), `true`"),
        ("children", "children", "`sleep *`, running", "children: 960 an hour stay, `sleep *` (running)"),
        (
            "threads", "threads", "`worker`, running `Pool._serve` (pool.py)",
            "threads: 960 an hour named `worker`, running `Pool._serve` (pool.py)",
        ),
        ("threads", "native_threads", "`tf_pool`", "threads: 960 an hour named `tf_pool`"),
    ],
)  # fmt: skip
def test_what_is_counted(layer: str, group: str, name: str, words: str) -> None:
    def data(n: int) -> Mapping[str, Any]:
        return {group: {name: 3 + 4 * n, "socket": 7, "other": 2 + n % 2}}

    assert said(layer, 4 * HOUR, data, unit="count") == words


def test_files_in_shared_memory_that_nobody_maps() -> None:
    def data(n: int) -> Mapping[str, Any]:
        return {"shared_files": {"/dev/shm/fld_*, not mapped": [60 * n, 60 * n * 65536]}}

    for layer in ("shared", "total"):
        assert said(layer, 60 * 65536 * HOUR, data) == (
            "files `/dev/shm/fld_*`: 900 MiB an hour (14,400 files), mapped by no process of the trial"
        )


def test_native_memory_is_what_nothing_explains() -> None:
    def data(n: int) -> Mapping[str, Any]:
        return {
            "types": {"dict": [5000 + n % 2, 1e6], "weakref.finalize": [40 + n % 3, 1e4]},
            "tensors": {"torch.Tensor (3 float32)": [12, 144]},
            "mappings": {"[heap]": [1, MIB * n], "anonymous": [9, MIB]},
            "python_blocks": 100_000 + n % 5,
        }  # fmt: skip

    assert said("host_heap", MIB * HOUR, data).startswith("native memory: no Python object, tensor or mapping explains")


def test_garbage_that_is_not_collected_for_a_while_is_not_called_native() -> None:
    def data(n: int) -> Mapping[str, Any]:
        return {
            "garbage": {"types": {"cycles._Node": 200, "dict": 3}, "bytes": 3 * MIB},
            "mappings": {"[heap]": [1, n]},
        }

    assert said("host_heap", 3 * MIB * HOUR, data) == (
        "garbage that Python's collector comes to too rarely, of these types: `cycles._Node` (200), `dict` (3)"
    )


def test_garbage_of_unknown_types_is_told_without_them() -> None:
    told = said("host_heap", 3 * MIB * HOUR, lambda n: {"garbage": {"bytes": 3 * MIB}, "mappings": {"[heap]": [1, n]}})
    assert told == "garbage that Python's collector comes to too rarely"


@pytest.mark.parametrize(("layer", "unit"), [("host_heap", "bytes"), ("fds", "count"), ("gpu_allocated", "bytes")])
def test_of_a_leak_of_unknown_rate_no_cause_is_named(layer: str, unit: str) -> None:
    def data(n: int) -> Mapping[str, Any]:
        return {"types": {"train.Batch": [10 * n, 640 * n]}, "descriptors": {"pipe": 10 * n},
                "tensors": {"torch.Tensor (3 float32 on cuda:0)": [n, 12 * n]}}  # fmt: skip

    found = causes.of_leak(taken(12, data), replace(finding(layer, 1.0, unit), rate_per_hour=None))
    assert found.text == ""
    assert {grown.name for grown in found.grown} >= {"train.Batch", "pipe"}, "what grows is told all the same"


def test_a_growing_number_of_objects() -> None:
    def data(n: int) -> Mapping[str, Any]:
        return {
            "types": {"train.Batch": [10 * n, 640 * n], "dict": [300 * n, 30_000 * n], "other.Slow": [n, 64 * n]},
            "held_by": {"train.Batch": LIST}, "python_blocks": 1000 * n, "containers": {"a set": [40, 4000]},
        }  # fmt: skip

    assert said("python_objects", 1000 * HOUR, data, unit="count") == (
        f"2,400 objects of `train.Batch` an hour (1 a step), held by {LIST}"
    )


def test_small_growth_beside_a_native_leak_is_not_named() -> None:
    def data(n: int) -> Mapping[str, Any]:
        return {
            "types": {"dict": [100 * n, 6400 * n]}, "containers": {LIST: [100 * n, 3200 * n]},
            "elements": {LIST: "float"}, "tensors": {"torch.Tensor (scalar float32)": [100 * n, 400 * n]},
            "python_blocks": 500 * n,
        }  # fmt: skip

    assert said("host_heap", 10 * MIB * HOUR, data).startswith("native memory")


def test_device_memory() -> None:
    name = "torch.Tensor (1024×1024 float32 on cuda:0, with its graph)"

    def data(n: int) -> Mapping[str, Any]:
        return {"tensors": {name: [n, 4 * MIB * n], "torch.Tensor (9 float32)": [n, 36 * n]}, "held_by": {name: LIST}}

    assert said("gpu_allocated", 4 * MIB * HOUR, data) == (
        "240 objects of `torch.Tensor` (1024×1024 float32 on cuda:0, with its graph) an hour (0.1 a step, "
        "960 MiB an hour), held by a list named `history` in `train.py`"
    )
    assert said("gpu_residual", 400 * MIB * HOUR, data).startswith("no tensor that Python knows explains it")


@pytest.mark.parametrize("count", [12, 40])
def test_warm_up_and_then_flat_is_no_cause(count: int) -> None:
    """All is made in the first third; what grows for ever is native."""

    def data(n: int) -> Mapping[str, Any]:
        made = min(n, count // 3)
        return {
            "types": {"module.Layer": [100 * made, 6400 * made], "dict": [900 * made, MIB * made]},
            "tensors": {"torch.Tensor (64×64 float32)": [10 * made, 10 * made * MIB]},
            "containers": {LIST: [1000 * made, MIB * made]}, "elements": {LIST: "float"},
            "descriptors": {"pipe": 10 * made}, "children": {"`x`, zombie": made}, "threads": {"`w`": 9 * made},
        }  # fmt: skip

    assert said("host_heap", 10 * MIB * HOUR, data, count).startswith("native memory")
    for layer in ("fds", "threads", "children"):
        assert said(layer, 10 * HOUR, data, count, "count") == ""


def test_two_censuses_name_only_what_has_most_of_the_growth() -> None:
    def data(n: int) -> Mapping[str, Any]:
        return {"tensors": {"torch.Tensor (64×64 float32)": [10 * n, 10 * n * 16384]}}

    assert said("host_heap", 10 * 16384 * HOUR, data, 2).startswith("2,400 objects of `torch.Tensor`")
    assert said("host_heap", 20 * 16384 * HOUR, data, 2) == "", "nor is it called native: one step may be anything"
    assert said("host_heap", 10 * 16384 * HOUR, data, 1) == ""


def test_what_was_left_out_for_want_of_time_is_not_taken_for_nothing() -> None:
    def data(n: int) -> Mapping[str, Any]:
        cut = n % 3 == 0
        return {
            "tensors": {"torch.Tensor (64×64 float32)": [0 if cut else 10 * n, 0 if cut else 10 * n * 16384]},
            "left_out": ["tensors"] if cut else [],
        }

    assert said("host_heap", 10 * 16384 * HOUR, data).startswith("2,400 objects of `torch.Tensor`")


def event(t: float, data: Mapping[str, Any], member: str = "", trial: int = 0) -> Event:
    return Event(t, censuses.KIND, "", trial, 0.0, {**data, **({"member": member} if member else {})})


def test_a_trial_has_the_cause_of_the_member_that_leaks() -> None:
    def of(member: str, name: str) -> list[Event]:
        return [
            event(EVERY * n, {"tensors": {name: [10 * n, 10 * n * 16384]}, "steps": 10 * n}, member) for n in range(12)
        ]

    told = [*of("rank 0", "torch.Tensor (1)"), *of("rank 1", "torch.Tensor (2)"), *of("rank 1", "other")[:1]]
    head = replace(finding("host_heap", 10 * 16384 * HOUR), member="rank 1")
    judgement = Judgement("leak", "grows", layer=head.layer, member="rank 1", findings=(head,))
    assert "`torch.Tensor` (2)" in with_cause(judgement, told, 0).cause
    assert with_cause(judgement, told, 0).causes[0].name == "torch.Tensor (2)"
    assert with_cause(judgement, told, 1).cause == "", "of another trial"
    assert with_cause(judgement, [], 0) == judgement, "a record without censuses"
    calm = replace(judgement, layer=None, verdict="pass")
    assert with_cause(calm, told, 0) == calm


def test_types_of_garbage() -> None:
    found = {"types": {"dict": 900, "cycles._Node": 700, "numpy.ndarray": 700, "list": 5}, "bytes": 11 * MIB}
    told = [event(EVERY * n, {"garbage": found}) for n in range(5)]
    assert garbage_types(told, 0, []) == "`cycles._Node` (700), `numpy.ndarray` (700), `dict` (900)"
    assert garbage_types([], 0, []) == ""


Points = Sequence[tuple[float, float]]


@given(st.floats(0.5, 1e3), st.integers(6, 60), st.floats(0, 1e6))
def test_a_line_lasts_with_its_slope(rate: float, count: int, before: float) -> None:
    found = lasting([(float(10 * n), before + 10 * n * rate) for n in range(count)])
    assert found == pytest.approx(rate, rel=1e-3)


@given(st.integers(6, 60), st.integers(1, 1000), st.floats(0.1, 0.5))
def test_what_ends_does_not_last(count: int, each: int, part: float) -> None:
    assert lasting([(float(n), float(each * min(n, int(part * count)))) for n in range(count)]) is None


def test_one_step_does_not_last() -> None:
    for at in range(1, 12):
        assert lasting([(float(n), 1000.0 if n >= at else 0.0) for n in range(12)]) is None


BESIDE = ("elements", "held_by", "wholes", "garbage", "steps", "python_blocks", "left_out", "member")
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=20,
)


@given(
    st.lists(st.dictionaries(st.sampled_from([*censuses.GROUPS, *BESIDE]), JSON), max_size=6),
    st.sampled_from(LAYERS),
)
def test_whatever_a_program_sends_as_a_census_is_read(told: list[dict[str, Any]], layer: str) -> None:
    events = [event(float(n), data) for n, data in enumerate(told)]
    found = censuses.of_trial(events, 0)
    cause = causes.of_leak(found, finding(layer, 1e6))
    assert isinstance(cause.text, str)
    json.dumps(cause.text)
    assert isinstance(causes.garbage_types(found), str)


def test_many_censuses_are_thinned() -> None:
    told = [event(float(n), {"steps": n}) for n in range(5000)]
    found = censuses.of_trial(told, 0)
    assert len(found) <= 48
    assert (found[0].t, found[-1].t) == (0.0, 4999.0)
