"""A trial that escalates one dose at a time shows what growth follows, also where nothing else tells doses apart."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitors.detection.regression import regress
from monitors.detection.series import Floats, Series
from monitors.judgement import Judgement
from monitors.model import MetricSpec
from soak.judge.confirmation import confirmed
from workloads import sources
from workloads.escalation import FACTORS, IDLE, STEPS, Escalated, doses_of, duration, phases
from workloads.protocol.order import Escalation, StreamSpec, TrialSpec, from_json, to_json

HEAP = MetricSpec("host_heap_bytes", "bytes", "Live heap", layer="host_heap", judged=True)
KIB = 1024.0
SMALL = {"height": 8, "width": 8, "channels": 1, "objects": 0, "noise": 0}
SET = sources.spec_of("synthetic", {**SMALL, "clip_length": "set", "clip_frames": [4, 6, 8, 12, 40]})
ONE = sources.spec_of("synthetic", {**SMALL, "clip_frames": [4]})
NEW = sources.spec_of("synthetic", {**SMALL, "clip_length": "new", "clip_frames": [4], "clip_new_every": 2})
TOKENS = sources.spec_of("tokens", {"lengths": [4, 8, 12]})
TICKS = sources.spec_of("none", {})
seeds = st.integers(0, 2**31)


@pytest.mark.parametrize(
    ("stream", "doses"),
    [
        (SET, (STEPS, "frames")),
        (ONE, (STEPS,)),
        (NEW, (STEPS, "distinct_shapes")),
        (TOKENS, (STEPS, "tokens")),
        (TICKS, (STEPS,)),
    ],
)
def test_what_the_config_leaves_room_for_is_escalated(stream: StreamSpec, doses: tuple[str, ...]) -> None:
    assert doses_of(stream) == doses


@given(seeds, st.integers(1, 4), st.floats(1, 100))
def test_each_dose_comes_once_at_each_level_with_nothing_between(seed: int, count: int, seconds: float) -> None:
    doses = (STEPS, "frames", "tokens", "distinct_shapes")[:count]
    one = Escalation(10.0, seconds, seed)
    seen = list(itertools.islice(phases(one, doses), 2 * (3 * count + 1)))
    assert seen == list(itertools.islice(phases(one, doses), len(seen))), "the same order for the same seed"
    assert all(phase.factor == 0 and phase.seconds == IDLE * seconds for phase in seen[1::2])
    assert sorted((p.dose, p.factor) for p in seen[2::2]) == sorted(itertools.product(doses, FACTORS))
    assert sum(phase.seconds for phase in seen) == pytest.approx(duration(count, seconds))


def test_the_order_is_drawn() -> None:
    orders = {tuple(p.factor for p in itertools.islice(phases(Escalation(1, 1, n), (STEPS,)), 8)) for n in range(30)}
    assert len(orders) == 6


def drawn(
    stream: StreamSpec, seed: int, pace: float = 20.0, seconds: float = 10.0
) -> tuple[Escalated, Floats, list[dict[str, float]]]:
    """Every item until all phases have been: when it is due, and the doses with it."""
    one = Escalated(stream, Escalation(pace, seconds, seed), seed)
    end = duration(len(doses_of(stream)), seconds)
    due: list[float] = []
    doses: list[dict[str, float]] = []
    while True:
        one.next()
        if one.due() >= end:
            return one, np.array(due), doses
        due.append(one.due())
        doses.append(dict(one.doses()))


@settings(max_examples=10, deadline=None)
@given(seeds, st.sampled_from([SET, ONE, NEW, TOKENS, TICKS]))
def test_items_come_as_often_as_their_phase_says(seed: int, stream: StreamSpec) -> None:
    _, due, _ = drawn(stream, seed)
    begin = 0.0
    for phase in itertools.islice(
        phases(Escalation(20.0, 10.0, seed), doses_of(stream)), 2 * 3 * len(doses_of(stream))
    ):
        within = int(((due > begin + 1e-9) & (due <= begin + phase.seconds + 1e-9)).sum())
        wanted = phase.seconds * 20.0 * (phase.factor if phase.dose == STEPS else min(phase.factor, 1))
        assert abs(within - wanted) <= 2
        begin += phase.seconds


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_lengths_stay_within_the_config_and_doses_never_fall(seed: int) -> None:
    _, _, doses = drawn(SET, seed)
    frames = np.array([each["frames"] for each in doses])
    assert set(np.diff(frames)) == {4, 8, 12}, "a set of 4 to 40: at most four times the shortest"
    for name in doses[-1]:
        assert (np.diff([each[name] for each in doses]) >= 0).all()


def escalated(truth: Mapping[str, float], stream: StreamSpec, seed: int) -> Series:
    """What a trial would show that grows so, one sample in half a second."""
    _, due, doses = drawn(stream, seed)
    t = np.arange(0.0, due[-1], 0.5)
    done = np.searchsorted(due, t, side="right")
    counted = {name: np.append(0, [each[name] for each in doses])[done] for name in doses[-1]}
    steps = done.astype(np.float64)
    known: dict[str, Floats] = {STEPS: steps, **counted, "hours": t / 3600}
    grown = sum((rate * known[name] for name, rate in truth.items()), np.zeros(len(t)))
    rest = np.random.default_rng(seed).normal(0, 20 * KIB, len(t))
    kept: dict[str, Floats] = {n: counted[n] for n in counted if n in ("frames", "distinct_shapes", "tokens")}
    return Series(HEAP, "", t, 2e8 + grown + rest, steps, 0, kept)


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([
        ("steps", 16 * KIB, SET), ("frames", 2 * KIB, SET), ("hours", 3600 * 200 * KIB, SET),
        ("steps", 16 * KIB, TICKS), ("hours", 3600 * 200 * KIB, TICKS), ("distinct_shapes", 100 * KIB, NEW),
        ("tokens", 2 * KIB, TOKENS),
    ]),
    seeds,
)  # fmt: skip
def test_what_growth_follows_is_found(planted: tuple[str, float, StreamSpec], seed: int) -> None:
    dose, rate, stream = planted
    found = regress(escalated({dose: rate}, stream, seed))
    assert found is not None
    named = {name for names in found.together if dose in names for name in names} or {dose}
    assert found.follows
    assert set(found.follows) <= named
    assert found.rates[dose].rate == pytest.approx(rate, rel=0.1)
    if stream is not NEW:
        assert not {"steps", "hours"} <= named, "steps and time are what is to be told apart"


def test_it_is_said_in_one_sentence() -> None:
    series = escalated({"steps": 16 * KIB}, TICKS, 3)
    found = confirmed(Judgement("inconclusive", "stairs"), [series], "host_heap")
    assert found.reason.startswith("host_heap follows steps: 16 KiB a step (")
    assert "0 B/h with time (at most" in found.reason
    time = confirmed(Judgement("leak", "grows"), [escalated({"hours": 3600 * 200 * KIB}, TICKS, 3)], "host_heap")
    assert time.reason.startswith("host_heap follows time: ")
    calm = confirmed(Judgement("pass", "flat"), [escalated({}, TICKS, 3)], "host_heap")
    assert calm.reason.startswith("host_heap does not grow with any dose: ")


def test_what_could_not_be_seen_is_said() -> None:
    assert "sampled too little" in confirmed(Judgement("pass", "flat"), [], "host_heap").reason
    crashed = Judgement("unstable", "crashed")
    assert confirmed(crashed, [], "host_heap") is crashed


def test_an_order_travels_with_its_escalation() -> None:
    order = TrialSpec("recurrent", "torch", escalation=Escalation(12.5, 7.0, 3))
    assert from_json(to_json(order)) == order
    assert from_json(to_json(TrialSpec("recurrent", "torch"))).escalation is None
