"""Every spec gives the stream it describes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.inputs.synthetic import MOST_NOISE, Options, open_source
from workloads.random_bits import many, one, uniform

sides = st.integers(8, 40)
specs = st.builds(
    Options,
    fps=st.floats(0.5, 100),
    height=sides,
    width=sides,
    channels=st.sampled_from((1, 3)),
    objects=st.integers(0, 5),
    noise=st.integers(0, MOST_NOISE),
    scene_seconds=st.floats(0.1, 5),
    clip_length=st.sampled_from(("fixed", "set", "new")),
    clip_frames=st.lists(st.integers(2, 20), min_size=1, max_size=3).map(tuple),
    clip_new_every=st.integers(1, 4),
    vary=st.booleans(),
    resolutions=st.lists(st.tuples(sides, sides), max_size=3).map(tuple),
    resolution_every=st.integers(1, 3),
)
seeds = st.integers(0, 2**63)


@settings(max_examples=25, deadline=None)
@given(specs, seeds)
def test_same_spec_and_seed_same_clips_and_doses(options: Options, seed: int) -> None:
    first, second = open_source(options, seed), open_source(options, seed)
    for _ in range(5):
        a, b = first.next(), second.next()
        assert np.array_equal(a.frames, b.frames)
        assert (a.index, a.cut) == (b.index, b.cut)
        assert first.doses() == second.doses()


@settings(max_examples=25, deadline=None)
@given(specs, seeds)
def test_clips_have_the_shapes_asked_for_and_doses_add_up(options: Options, seed: int) -> None:
    stream = open_source(options, seed)
    frames, seen, last_scenes = 0, set(), 0.0
    for index in range(8):
        clip = stream.next()
        count, height, width, channels = clip.frames.shape
        assert clip.index == index
        assert channels == options.channels
        assert (height, width) in (options.resolutions or ((options.height, options.width),))
        assert options.clip_length == "new" or count in options.clip_frames
        frames += count
        seen.add((count, height, width))
        doses = stream.doses()
        assert doses["frames"] == frames
        assert doses["stream_seconds"] == frames / options.fps
        assert doses["distinct_shapes"] == len(seen)
        assert clip.cut == (doses["scenes"] > last_scenes)
        last_scenes = doses["scenes"]


@settings(max_examples=15, deadline=None)
@given(specs, seeds)
def test_no_pixel_wraps(options: Options, seed: int) -> None:
    """The texture is smooth and noise at most MOST_NOISE: a wrapped sum would show as a leap to the other end."""
    frames = open_source(options, seed).next().frames
    assert frames.min() >= 16
    assert frames.max() <= 239


@given(seeds, st.integers(0, 200), st.integers(0, 2**40), st.integers(1, 20))
def test_many_bits_are_single_bits_in_a_row(seed: int, lane: int, first: int, count: int) -> None:
    assert many(seed, lane, first, count).tolist() == [one(seed, lane, first + i) for i in range(count)]


@given(seeds, st.integers(0, 10**6), st.integers(-50, 50), st.integers(0, 100))
def test_uniform_stays_within(seed: int, counter: int, low: int, span: int) -> None:
    assert low <= uniform(seed, 0, counter, low, low + span) <= low + span
