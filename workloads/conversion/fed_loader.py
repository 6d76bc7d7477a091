"""Clips that go through a worker of PyTorch's `DataLoader`: pictures come back in shared memory."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from typing import Any


class FedLoader:
    """A `DataLoader` with one worker that makes pictures of the frames it is fed, one clip at a time and in order.

    A source is read once and in one process, which counts its doses and replays its items, so the worker does not read
    it again: frames go to it as bytes, and pictures come back as training data does, in shared memory, and through
    pinned memory where a GPU takes them. There is no reading ahead, as each clip is asked for in its step.
    """

    def __init__(self, network: Any, pinned: bool) -> None:
        """Start nothing yet.

        Args:
            network: makes pictures of frames, in the worker.
            pinned: whether pictures pass through page-locked memory.
        """
        # The worker is forked, as PyTorch does by default: network and pipe are there without being sent.
        self._reader, self._writer = multiprocessing.Pipe(duplex=False)
        self._network, self._pinned = network, pinned
        self._clips: Iterator[Any] | None = None

    def pictures(self, frames: Any) -> Any:
        """Of frames on the host, shape (T, height, width, channels), uint8; as `Network.pictures` makes them."""
        if self._clips is None:
            self._clips = self._started()
        self._writer.send(frames.numpy())
        return next(self._clips)

    def close(self) -> None:
        """End the worker: it has no more to read."""
        self._writer.close()
        self._reader.close()
        self._clips = None

    def _started(self) -> Iterator[Any]:
        from torch.utils.data import DataLoader

        data = _dataset(self._network, self._reader, self._writer)
        # Read ahead by none: the worker waits for what it is fed.
        loader = DataLoader(data, batch_size=None, num_workers=1, prefetch_factor=1, pin_memory=self._pinned)
        clips: Iterator[Any] = iter(loader)
        return clips


def _dataset(network: Any, reader: Any, writer: Any) -> Any:
    import torch
    from torch.utils.data import IterableDataset

    class Fed(IterableDataset):  # type: ignore[type-arg]
        """Pictures, until the other end of the pipe is closed."""

        def __iter__(self) -> Iterator[Any]:
            # While this copy of it is open, the end of the process that feeds would not be seen.
            writer.close()
            while True:
                try:
                    frames = reader.recv()
                except EOFError:
                    return
                yield network.pictures(torch.from_numpy(frames))

    return Fed()
