"""Synthetic sound in chunks of one length: voiced and noisy syllables with pauses, drawn from the seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from workloads.options import between, one_of
from workloads.protocol.contract import Audio
from workloads.protocol.source import Source
from workloads.random_bits import many, uniform

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ITEM = "audio"
DOSES = {
    "chunks": "Chunks of sound through the workload",
    "samples": "Samples through the workload",
    "stream_seconds": "Stream time: samples divided by the sample rate",
}
_SYLLABLE, _NOISE = 501, 502
"""Lanes of random bits; other sources have their own."""
_PAUSE = 3
"""One syllable in so many is silent."""
_FULL = 1 << 15
Ints: TypeAlias = "npt.NDArray[np.int64]"


@dataclass(frozen=True)
class Options:
    """How the sound is sampled and cut."""

    rate: int = 16000
    """Samples a second: 8000 or 16000."""
    chunk: int = 512
    """Samples of an item."""
    syllable: int = 3200
    """Samples of one pitch and loudness."""
    pace: str = "flat_out"
    """flat_out, or real_time (a chunk is due when it would have been heard)."""

    def __post_init__(self) -> None:
        one_of(self, "rate", 8000, 16000)
        between(self, "chunk", 1, 2**20)
        between(self, "syllable", 100, 2**20)
        one_of(self, "pace", "flat_out", "real_time")


def open_source(options: Options, seed: int) -> Source:
    """Sound without end."""
    return _Sound(options, seed)


class _Sound:
    """Whole numbers until the last division, which is exact: the same bits on every machine."""

    def __init__(self, options: Options, seed: int) -> None:
        self._options, self._seed = options, seed
        self._given = 0

    def next(self) -> Audio:
        """The next chunk; its samples are read-only."""
        import numpy as np

        size = self._options.chunk
        first = self._given * size
        heard = np.empty(size, np.int64)
        done = 0
        while done < size:
            syllable, within = divmod(first + done, self._options.syllable)
            count = min(size - done, self._options.syllable - within)
            heard[done : done + count] = self._voiced(syllable, np.arange(within, within + count))
            done += count
        heard += (many(self._seed, _NOISE, first, size) % np.uint64(129)).astype(np.int64) - 64
        samples = (np.clip(heard, 1 - _FULL, _FULL - 1) / _FULL).astype(np.float32)
        samples.flags.writeable = False
        self._given += 1
        return Audio(samples, self._given - 1)

    def due(self) -> float | None:
        """Seconds after the first step at which the latest item is due."""
        if self._options.pace != "real_time":
            return None
        return (self._given - 1) * self._options.chunk / self._options.rate

    def doses(self) -> Mapping[str, float]:
        samples = float(self._given * self._options.chunk)
        return {"chunks": float(self._given), "samples": samples, "stream_seconds": samples / self._options.rate}

    def close(self) -> None:
        """Nothing is held open."""

    def _voiced(self, syllable: int, place: Ints) -> Ints | int:
        """A sawtooth, which has every harmonic, at 80 to 250 Hz, and one of its formants; or nothing in a pause."""
        if uniform(self._seed, _SYLLABLE, 4 * syllable, 1, _PAUSE) == 1:
            return 0
        pitch = uniform(self._seed, _SYLLABLE, 4 * syllable + 1, 80, 250)
        loud = uniform(self._seed, _SYLLABLE, 4 * syllable + 2, 4, 12)
        formant = pitch * uniform(self._seed, _SYLLABLE, 4 * syllable + 3, 3, 9)
        return (self._sawtooth(place, pitch) + self._sawtooth(place, formant) // 2) * loud // 24

    def _sawtooth(self, place: Ints, hertz: int) -> Ints:
        wave: Ints = place * (2 * _FULL * hertz) // self._options.rate % (2 * _FULL) - _FULL
        return wave
