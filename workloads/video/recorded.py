"""A video file made of the synthetic stream, for what decodes one: H.264, by PyAV."""

from __future__ import annotations

from pathlib import Path

from workloads.inputs import synthetic

CODEC = "libx264"
_CLIP = 16
"""Frames that are drawn at once."""


def make(path: Path, seed: int, frames: int, height: int, width: int) -> None:
    """Write so many frames there, at 25 a second. height, width: in pixels, even."""
    import av

    source = synthetic.open_source(synthetic.Options(height=height, width=width, clip_frames=(_CLIP,)), seed)
    with av.open(path, "w") as container:
        stream = container.add_stream(CODEC, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        # Otherwise it has one for each core.
        stream.codec_context.thread_count = 1
        for _ in range(0, frames, _CLIP):
            for frame in source.next().frames[:frames]:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            frames -= _CLIP
        container.mux(stream.encode(None))
    source.close()
