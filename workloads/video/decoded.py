"""A real video file as a source of frames: decoded with PyAV, rescaled, played again and again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from workloads.errors import StreamError
from workloads.protocol.contract import Frames


class Decoded:
    """Plays a file in a loop; the decoder is opened anew for every loop and closed at its end.

    scenes: times that the file began anew.
    """

    def __init__(self, path: str, channels: int) -> None:
        if not Path(path).is_file():
            raise StreamError(f"stream.path = {path!r}: no such file; expected a video")
        try:
            import av
        except ImportError as error:
            raise StreamError("stream.source = 'file' needs PyAV: pip install 'soak[video]'") from error
        self._av: Any = av
        self._path, self._format = path, "gray" if channels == 1 else "rgb24"
        self._channels = channels
        self.scenes = 0
        self._faults = 0
        self._size = 0, 0
        self._decoder: Iterator[Frames] = self._loop()

    @property
    def errors(self) -> Mapping[str, float]:
        """Packets that could not be decoded, so far."""
        return {"decode_errors": float(self._faults)}

    def read(self, first: int, count: int, height: int, width: int) -> Frames:
        """The next `count` frames of the file, rescaled; shape (count, height, width, channels).

        Raises:
            StreamError: no frame of the file could be decoded in a whole loop.
        """
        self._size = height, width
        frames = np.empty((count, height, width, self._channels), np.uint8)
        for i in range(count):
            frames[i] = next(self._decoder)
        return frames

    def close(self) -> None:
        """Close the decoder."""
        self._decoder.close()  # type: ignore[attr-defined]

    def _loop(self) -> Iterator[Frames]:
        while True:
            shown = 0
            for frame in self._play():
                shown += 1
                yield frame
            if not shown:
                raise StreamError(f"{self._path}: not one frame of it can be decoded")
            self.scenes += 1

    def _play(self) -> Iterator[Frames]:
        try:
            container = self._av.open(self._path)
        except (OSError, self._av.error.FFmpegError) as error:
            raise StreamError(f"{self._path}: not a video that can be read: {error}") from error
        with container:
            if not container.streams.video:
                raise StreamError(f"{self._path}: holds no video stream")
            video = container.streams.video[0]
            video.thread_type = "NONE"
            for packet in self._packets(container, video):
                for frame in self._decoded(packet):
                    height, width = self._size
                    scaled = frame.reformat(width=width, height=height, format=self._format).to_ndarray()
                    yield scaled.reshape(height, width, self._channels)

    def _packets(self, container: Any, video: Any) -> Iterator[Any]:
        try:
            yield from container.demux(video)
        except self._av.error.FFmpegError:
            # The rest of the file cannot be taken apart: this loop ends here.
            self._faults += 1

    def _decoded(self, packet: Any) -> list[Any]:
        try:
            return list(packet.decode())
        except self._av.error.FFmpegError:
            self._faults += 1
            return []
