"""The synthetic stream: what it shows, counts and costs in memory."""

from __future__ import annotations

import hashlib
import tracemalloc
from typing import Any

import numpy as np
import pytest

from workloads.inputs.synthetic import Options, open_source
from workloads.protocol.source import Source


def digest(stream: Source, clips: int) -> str:
    total = hashlib.sha256()
    for _ in range(clips):
        total.update(stream.next().frames.tobytes())
    return total.hexdigest()


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, "228a45a0930a20d1a0238f672efcb4d455eae125af41c801412632be1fcd10ee"),
        (
            {"channels": 1, "resolutions": ((16, 24), (24, 16)), "resolution_every": 2, "noise": 32},
            "1d1c554cb8b974e55a18c1c36a1ab6a9715c1603b3bdd37aca6fd9ea2626f8b0",
        ),
    ],
)
def test_frames_are_these_bits_on_every_machine(keys: dict[str, Any], expected: str) -> None:
    assert digest(open_source(Options(scene_seconds=1.0, **keys), 42), 8) == expected


def test_frames_do_not_depend_on_how_they_are_cut() -> None:
    whole = open_source(Options(clip_frames=(120,), scene_seconds=1.0), 3).next().frames
    cut = open_source(Options(clip_length="set", clip_frames=(2, 7, 13), scene_seconds=1.0), 3)
    parts = np.concatenate([cut.next().frames for _ in range(20)])
    assert np.array_equal(parts[:120], whole[: len(parts)])


def test_it_looks_like_video() -> None:
    frames = open_source(Options(clip_frames=(400,), scene_seconds=4.0, noise=4), 1).next().frames.astype(int)
    change = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    cuts = np.flatnonzero(change > 4 * np.median(change))
    assert 2 <= len(cuts) <= 8, "a scene of 4 s lasts 50 to 150 frames"
    calm = np.median(change)
    assert 1 < calm < 15, "neighbouring frames are alike, but never equal"
    assert frames.std(axis=(1, 2)).min() > 5, "a frame is no flat field"
    brightness = frames.mean(axis=(1, 2, 3))
    assert np.ptp(brightness) > 15


def test_a_cut_is_told_with_its_clip_and_counted() -> None:
    stream = open_source(Options(scene_seconds=2.0), 5)
    told = sum(stream.next().cut for _ in range(100))
    assert told == stream.doses()["scenes"]
    assert 100 * 16 / 50 / 1.6 <= told <= 100 * 16 / 50 * 1.6


def test_doses_count_what_was_given() -> None:
    stream = open_source(Options(clip_length="set", clip_frames=(4, 9), fps=10), 2)
    lengths = [len(stream.next().frames) for _ in range(50)]
    doses = stream.doses()
    assert doses["frames"] == sum(lengths)
    assert doses["clips"] == 50
    assert doses["stream_seconds"] == sum(lengths) / 10
    assert doses["distinct_shapes"] == 2 == len(set(lengths))


def test_new_lengths_never_come_again() -> None:
    options = Options(clip_length="new", clip_frames=(4,), clip_new_every=2, vary=False, height=8, width=8)
    stream = open_source(options, 2)
    lengths = [len(stream.next().frames) for _ in range(700)]
    fresh = lengths[1::2]
    assert set(lengths[::2]) == {4}
    assert len(set(fresh)) == len(fresh) == 350
    assert min(fresh) > 4
    assert max(fresh) <= 4 + 2 * 256
    assert stream.doses()["distinct_shapes"] == 351


def test_resolutions_switch_between_the_given_ones() -> None:
    sizes = ((16, 24), (32, 32), (8, 64))
    stream = open_source(Options(resolutions=sizes, resolution_every=3), 2)
    shapes = [stream.next().frames.shape[1:3] for _ in range(90)]
    assert set(shapes) == set(sizes)
    assert all(len(set(shapes[i : i + 3])) == 1 for i in range(0, 90, 3))
    assert stream.doses()["distinct_shapes"] == 3


def test_frames_are_read_only() -> None:
    frames = open_source(Options(), 0).next().frames
    assert frames.dtype == np.uint8
    assert frames.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        frames[0, 0, 0, 0] = 1


def test_memory_stays_bounded_over_scenes_lengths_and_resolutions() -> None:
    options = Options(
        clip_length="set", clip_frames=(3, 5, 8), scene_seconds=0.4,
        resolutions=((16, 16), (24, 32)), resolution_every=2,
    )  # fmt: skip
    stream = open_source(options, 1)
    for _ in range(200):
        stream.next()
    tracemalloc.start()
    try:
        stream.next()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1500):
            stream.next()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # One block of frames drawn ahead may be held at one look and not at the other.
    assert grown < 400_000
