"""A real file, made here with PyAV, played in a loop."""

from __future__ import annotations

import contextlib
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workloads.errors import StreamError
from workloads.inputs.file import Options, open_source
from workloads.protocol.source import Source

av: Any = pytest.importorskip("av")

FRAMES = 30


def write_video(path: Path, codec: str = "mpeg4") -> Path:
    """Frames of rising brightness: frame i is a field of 4 + 8 · i."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.gop_size = 5
        for i in range(FRAMES):
            picture = np.full((48, 64, 3), 4 + 8 * i, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode(None))
    return path


def play(path: Path, **keys: Any) -> Source:
    return open_source(Options(path=str(path), clip_frames=(10,), **keys), 0)


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_it_plays_the_file_frame_by_frame_and_anew(tmp_path: Path, codec: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no encoder {codec}")
    stream = play(write_video(tmp_path / "v.mp4", codec), height=24, width=32)
    shown = np.concatenate([stream.next().frames for _ in range(6)])
    stream.close()
    assert shown.shape == (60, 24, 32, 3)
    levels = shown.mean(axis=(1, 2, 3))
    expected = 4 + 8 * (np.arange(60) % FRAMES)
    assert np.abs(levels - expected).max() < 6
    assert stream.doses()["scenes"] == 1
    assert stream.doses()["decode_errors"] == 0


def test_it_scales_to_one_channel_and_switches_resolution(tmp_path: Path) -> None:
    sizes = ((16, 16), (20, 24))
    stream = play(write_video(tmp_path / "v.mp4"), channels=1, resolutions=sizes, resolution_every=1)
    shapes = {stream.next().frames.shape for _ in range(12)}
    assert shapes == {(10, 16, 16, 1), (10, 20, 24, 1)}


def test_descriptors_do_not_grow_over_loops(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4")
    stream = play(path)
    for _ in range(6):
        stream.next()
    before = descriptors_of(path)
    assert before
    for _ in range(30):
        stream.next()
    assert stream.doses()["scenes"] >= 10
    assert descriptors_of(path) == before


def descriptors_of(path: Path) -> int:
    """How many of this process lead to a file: what else it has open comes and goes with its garbage."""
    links = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(link.readlink())
    return links.count(path)


def test_broken_packets_are_skipped_and_counted(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4")
    data = bytearray(path.read_bytes())
    payload = data.index(b"mdat") + 4
    data[payload + 60 : payload + 600] = bytes(540)
    path.write_bytes(data)
    stream = play(path)
    for _ in range(9):
        stream.next()
    assert stream.doses()["decode_errors"] > 0
    assert stream.doses()["frames"] == 90


def test_a_file_without_a_frame_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match=r"missing\.mp4.*no such file"):
        play(tmp_path / "missing.mp4")
    text = tmp_path / "text.mp4"
    text.write_text("this is no video " * 100)
    with pytest.raises(StreamError, match=r"text\.mp4: not a video"):
        play(text).next()
    sound = tmp_path / "sound.wav"
    with wave.open(str(sound), "wb") as track:
        track.setparams((1, 2, 8000, 0, "NONE", ""))
        track.writeframes(bytes(16000))
    with pytest.raises(StreamError, match=r"sound\.wav: holds no video"):
        play(sound).next()
