"""Real models answer the golden clip the same for ever, whatever they learn; and not once a bit has flipped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import ways
from workloads import catalog, sources
from workloads.answers import apart
from workloads.protocol.contract import Setup
from workloads.protocol.order import StreamSpec, TrialSpec

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

SPEC = TrialSpec("recurrent", "torch", stream=StreamSpec("synthetic", {"clip_length": "set", "clip_frames": [5, 8]}))
WAYS = ways.PLAIN


def built(name: str, framework: str, mode: str, execution: str, **options: Any) -> Any:
    setup = Setup(name, framework, mode, execution, 5, 3)
    return catalog.load(name).build(setup, catalog.options_of(name, options))


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize("mode", ["train", "infer"])
@pytest.mark.parametrize(("framework", "execution"), WAYS)
def test_replays_never_differ_and_never_disturb(architecture: str, mode: str, framework: str, execution: str) -> None:
    watched, alone = (built(architecture, framework, mode, execution) for _ in range(2))
    clip = sources.golden(SPEC.stream, SPEC.seed)
    first = watched.replay(clip)
    assert first.dtype == np.float32
    assert first.shape == (len(clip.frames), 3)
    stream, again = (sources.open_source(SPEC.stream, 1) for _ in range(2))
    for _ in range(30):
        assert watched.step(stream.next()) == alone.step(again.next())
        assert apart(watched.replay(clip), first) <= watched.replay_tolerance
    assert np.array_equal(np.asarray(watched.output), np.asarray(alone.output))


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize(("framework", "execution"), WAYS)
def test_so_do_batches_and_a_coarser_precision(architecture: str, framework: str, execution: str) -> None:
    model = built(architecture, framework, "train", execution, batch=3, precision="bfloat16")
    clip = sources.golden(SPEC.stream, SPEC.seed)
    first = model.replay(clip)
    assert first.dtype == np.float32
    assert first.shape == (3 * len(clip.frames), 3)
    stream = sources.open_source(SPEC.stream, 1)
    for _ in range(10):
        model.step(stream.next())
        assert apart(model.replay(clip), first) <= model.replay_tolerance


@pytest.mark.parametrize(("framework", "execution"), WAYS)
def test_both_modes_and_a_fresh_step_give_the_same_answer(framework: str, execution: str) -> None:
    clip = sources.golden(SPEC.stream, SPEC.seed)
    infers, trains = (built("recurrent", framework, mode, execution) for mode in ("infer", "train"))
    infers.step(clip)
    trains.step(clip)
    assert np.array_equal(infers.replay(clip), np.asarray(infers.output))
    assert np.array_equal(trains.replay(clip), infers.replay(clip))


def test_a_replay_uses_the_graph_of_the_steps() -> None:
    model = built("recurrent", "tensorflow", "infer", "graph")
    model.replay(sources.golden(SPEC.stream, SPEC.seed))
    model.step(sources.golden(SPEC.stream, SPEC.seed))
    assert model.counters() == {"traces": 1}


@pytest.mark.parametrize(("framework", "execution"), WAYS)
def test_a_flipped_bit_shows(framework: str, execution: str) -> None:
    model = built("fault_bit_flip", framework, "infer", execution, after_steps=3)
    clip = sources.golden(SPEC.stream, SPEC.seed)
    first = model.replay(clip)
    stream = sources.open_source(SPEC.stream, 1)
    distances = []
    for _ in range(4):
        assert np.isfinite(model.step(stream.next()))
        distances.append(apart(model.replay(clip), first))
    assert max(distances[:2]) <= model.replay_tolerance
    assert min(distances[2:]) > 100 * model.replay_tolerance
    assert np.isfinite(distances).all()
