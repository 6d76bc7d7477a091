"""PyAV and torchcodec decode the same file to the same frames, however often it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.installed import need
from workloads import catalog
from workloads.errors import StreamError
from workloads.needs import needs_of
from workloads.protocol.contract import ClockTick, Setup
from workloads.video import recorded

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

DECODERS = ["decode_av", "decode_torchcodec"]
FRAMES, CLIP, STEPS = 40, 16, 8
COLOURS = 2
"""Largest difference of a value, of 255: a decoder of H.264 is exact, and two versions of FFmpeg may each be 1 off when
they make pixels of colours, which are for 2 × 2 of them. No difference was seen."""


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("av")
    path = tmp_path_factory.mktemp("video") / "made.mp4"
    recorded.make(path, 3, FRAMES, 48, 64)
    return path


def built(name: str, **options: Any) -> Any:
    module = catalog.load(name)
    need(*module.REQUIRES)
    if lacks := list(needs_of(module).lacks()):
        pytest.skip(str(lacks[0]))
    setup = Setup(name, module.FRAMEWORKS[0], "infer", "eager", 3, 0)
    return module.build(setup, catalog.options_of(name, options))


def decoded(name: str, path: Path, **options: Any) -> list[Any]:
    workload = built(name, path=str(path), clip_frames=CLIP, **options)
    found = []
    for step in range(STEPS):
        value = workload.step(ClockTick(step, 0.0))
        found.append(np.asarray(workload.output))
        assert abs(value - found[-1].mean() / 255) < 1e-6
    counted = workload.counters()
    assert counted["frames"] == sum(map(len, found))
    every = options.get("reopen_every", 0)
    assert counted["opens"] == (1 + (STEPS - 1) // every if every else 1)
    workload.close()
    return found


@pytest.mark.parametrize("every", [0, 1, 3])
def test_both_decoders_give_the_same_frames(video: Path, every: int) -> None:
    one, other = (decoded(name, video, reopen_every=every) for name in DECODERS)
    for mine, others in zip(one, other, strict=True):
        assert mine.shape == others.shape
        assert np.abs(mine.astype(int) - others.astype(int)).max() <= COLOURS


@pytest.mark.parametrize("name", DECODERS)
def test_a_file_is_played_from_its_beginning_to_its_end_and_again(video: Path, name: str) -> None:
    found = decoded(name, video)
    assert [len(frames) for frames in found[:4]] == [16, 16, 8, 16]
    assert found[0].shape == (16, 48, 64, 3)
    assert np.array_equal(found[0], found[3])
    assert not np.array_equal(found[0], found[1])
    again = decoded(name, video, reopen_every=1)
    assert all(np.array_equal(frames, found[0]) for frames in again)


@pytest.mark.parametrize("name", DECODERS)
def test_a_file_that_is_made_shows_the_stream_and_goes_with_the_workload(name: str) -> None:
    workload = built(name, made_frames=20, height=32, width=48)
    workload.step(ClockTick(0, 0.0))
    folder = Path(workload._folder)
    assert np.asarray(workload.output).shape == (16, 32, 48, 3)
    assert [file.name for file in folder.iterdir()] == ["made.mp4"]
    workload.close()
    assert not folder.exists()


@pytest.mark.parametrize("name", DECODERS)
def test_no_file_is_no_video(name: str, tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="no such file"):
        built(name, path=str(tmp_path / "none.mp4"))
