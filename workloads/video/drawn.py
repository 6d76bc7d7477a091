"""Synthetic video: textured objects that move over a drifting background, camera noise, brightness, scene cuts.

Whole numbers alone, so that the same options and seed give the same bits on every machine. Frame i is a function of
options, seed and i; how the frames are cut into clips does not change them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from workloads.protocol.contract import Frames
from workloads.random_bits import many, one, uniform
from workloads.video.options import ClipOptions

# Lanes of random bits, one for each thing drawn.
_TEXTURE, _NOISE, _NOISE_AT, _SCENE, _OBJECT = range(5)

_DARKEST, _BRIGHTEST = 72, 183
"""Range of the texture. With tint, brightness and `MOST_NOISE` at their largest, a pixel stays within 0 to 255."""
_TINT, _BRIGHTNESS = 16, 24
_DRIFT = 24
"""Pixels that the background drifts at most."""
_SLACK = 64
"""Pixels by which the bank of texture exceeds a frame: scenes lie at different places in it."""
_NOISE_PLACES = 1 << 16
_BLOCK_BYTES = 1 << 18
_FINE = 16
"""Positions and speeds are in sixteenths of a pixel."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Path:
    """A coordinate that goes to and fro: at frame k of the scene, `(start + speed * k)` folded into 0 … span."""

    start: int
    speed: int

    def at(self, frames: Ints, span: int) -> Ints:
        if span == 0:
            return np.zeros_like(frames)
        turn = 2 * span * _FINE
        place = (self.start + self.speed * frames) % turn
        return np.minimum(place, turn - place) // _FINE


@dataclass(frozen=True, slots=True)
class _Object:
    """patch: shape (height, width · channels)."""

    patch: Frames
    y: _Path
    x: _Path


@dataclass(frozen=True, slots=True)
class _Scene:
    """One scene at one resolution."""

    first: int
    """Its first frame."""
    end: int
    """The first frame after it."""
    background: Frames
    """All windows of one frame's size, shape (places down, places across, height, width · channels)."""
    y: _Path
    x: _Path
    objects: tuple[_Object, ...]
    brightness: _Path


@dataclass(frozen=True)
class Scenery:
    """What the frames show, besides their size."""

    objects: int
    """Moving textured objects."""
    noise: int
    """Camera noise: the largest deviation of a pixel, of 255."""
    scene_seconds: float
    """Mean length of a scene."""


class Drawn:
    """An endless sequence of frames. Memory is bounded by the largest resolution."""

    def __init__(self, options: ClipOptions, look: Scenery, seed: int) -> None:
        self._options, self._look, self._seed = options, look, seed
        sizes = [(options.height, options.width), *options.resolutions]
        height, width = max(h for h, _ in sizes), max(w for _, w in sizes)
        self._bank = _texture(seed, height + _DRIFT + _SLACK, width + _DRIFT + _SLACK, options.channels)
        self._noise = _noise(seed, look.noise, height * width * options.channels + _NOISE_PLACES)
        self._scene_bounds = (0, 0, self._length(0))
        self._scene: _Scene | None = None
        self._ahead: tuple[int, Frames] = (0, np.empty((0, 0, 0, 0), np.uint8))
        self.scenes = 0
        """Scene cuts so far."""
        self.errors: Mapping[str, float] = {}
        """There are none."""

    def read(self, first: int, count: int, height: int, width: int) -> Frames:
        """Frames `first` to `first + count - 1`, shape (count, height, width, channels); `first` never goes back."""
        frames = np.empty((count, height, width, self._options.channels), np.uint8)
        done = 0
        while done < count:
            at, ahead = self._ahead
            start = first + done - at
            if not 0 <= start < len(ahead) or ahead.shape[1:] != frames.shape[1:]:
                # A block costs little more than a frame; what is drawn ahead does not depend on how it is cut.
                self._ahead = first + done, self._draw(first + done, _BLOCK_BYTES // frames[0].nbytes, height, width)
                continue
            piece = ahead[start : start + count - done]
            frames[done : done + len(piece)] = piece
            done += len(piece)
            self.scenes = self._scene_bounds[0]
        return frames

    def _draw(self, first: int, most: int, height: int, width: int) -> Frames:
        """Frames from `first` on, of one scene: `most` at most, but one at least."""
        scene = self._scene_at(first, height, width)
        count = max(1, min(most, scene.end - first))
        frames = np.empty((count, height, width * self._options.channels), np.uint8)
        since = np.arange(first, first + count, dtype=np.int64) - scene.first
        self._paint(scene, since, frames)
        brightness = scene.brightness.at(since, 2 * _BRIGHTNESS) - (_BRIGHTNESS + self._look.noise)
        self._disturb(frames.reshape(count, -1), brightness.astype(np.uint8), first)
        return frames.reshape(count, height, width, self._options.channels)

    def close(self) -> None:
        """Nothing is held open."""

    def _paint(self, scene: _Scene, since: Ints, out: Frames) -> None:
        height, row = out.shape[1:]
        channels = self._options.channels
        out[...] = scene.background[scene.y.at(since, _DRIFT), scene.x.at(since, _DRIFT)]
        each = np.arange(len(out))
        for thing in scene.objects:
            down, across = height - thing.patch.shape[0], (row - thing.patch.shape[1]) // channels
            windows = as_strided(
                out,
                (len(out), down + 1, across + 1, *thing.patch.shape),
                (out.strides[0], out.strides[1], channels, out.strides[1], 1),
            )
            place = each, thing.y.at(since, down), thing.x.at(since, across)
            windows[place] = thing.patch

    def _disturb(self, flat: Frames, brightness: Frames, first: int) -> None:
        """Add camera noise and brightness in place. Unsigned sums may wrap on the way, never at the end."""
        places = many(self._seed, _NOISE_AT, first, len(flat)) % np.uint64(_NOISE_PLACES)
        windows = as_strided(self._noise, (_NOISE_PLACES, flat.shape[1]), (1, 1))
        flat += windows[places.astype(np.int64)]
        flat += brightness[:, None]

    def _length(self, number: int) -> int:
        """Frames of a scene: half to one and a half times the mean."""
        mean = max(1, round(self._look.scene_seconds * self._options.fps))
        return uniform(self._seed, _SCENE, 16 * number, max(1, mean // 2), mean + mean // 2)

    def _scene_at(self, frame: int, height: int, width: int) -> _Scene:
        number, first, end = self._scene_bounds
        while frame >= end:
            number, first, end = number + 1, end, end + self._length(number + 1)
        fresh = (number, first, end) != self._scene_bounds
        self._scene_bounds = number, first, end
        if self._scene is None or fresh or self._scene.background.shape[2:] != (height, width * self._options.channels):
            self._scene = self._make_scene(number, first, end, height, width)
        return self._scene

    def _make_scene(self, number: int, first: int, end: int, height: int, width: int) -> _Scene:
        def draw(item: int, low: int, high: int) -> int:
            return uniform(self._seed, _SCENE, 16 * number + item, low, high)

        channels = self._options.channels
        texture = self._cut(number, height + _DRIFT, width + _DRIFT)
        row = texture.shape[1]
        windows = as_strided(
            texture,
            (_DRIFT + 1, _DRIFT + 1, height, width * channels),
            (row, channels, row, 1),
            writeable=False,
        )
        objects = tuple(self._make_object(number, i, height, width) for i in range(self._look.objects))
        return _Scene(
            first, end, windows,
            _Path(draw(1, 0, 1 << 16), draw(2, 1, 12)), _Path(draw(3, 0, 1 << 16), draw(4, 1, 12)),
            objects, _Path(draw(5, 0, 1 << 16), draw(6, 1, 6)),
        )  # fmt: skip

    def _make_object(self, number: int, i: int, height: int, width: int) -> _Object:
        def draw(item: int, low: int, high: int) -> int:
            return uniform(self._seed, _OBJECT, (number * self._look.objects + i) * 8 + item, low, high)

        tall = max(1, height * draw(0, 2, 6) // 16)
        wide = max(1, width * draw(1, 2, 6) // 16)
        patch = 255 - self._cut(one(self._seed, _OBJECT, number * self._look.objects + i), tall, wide)
        down, across = _Path(draw(2, 0, 1 << 16), draw(3, 1, 24)), _Path(draw(4, 0, 1 << 16), draw(5, 1, 24))
        return _Object(patch, down, across)

    def _cut(self, key: int, height: int, width: int) -> Frames:
        """A tinted piece of the bank, shape (height, width · channels); the key says where and how."""
        channels = self._options.channels
        rows, columns = self._bank.shape[:2]
        y = uniform(self._seed, _TEXTURE, 8 * key + 1, 0, rows - height)
        x = uniform(self._seed, _TEXTURE, 8 * key + 2, 0, columns - width)
        tints = [uniform(self._seed, _TEXTURE, 8 * key + 3 + c, -_TINT, _TINT) % 256 for c in range(channels)]
        piece = self._bank[y : y + height, x : x + width] + np.array(tints, np.uint8)
        return piece.reshape(height, width * channels)


def _texture(seed: int, height: int, width: int, channels: int) -> Frames:
    """Smooth at several scales, within darkest and brightest, shape (height, width, channels)."""
    total = np.zeros((height, width, channels), np.int64)
    for octave, cell in enumerate((32, 8, 2)):
        rows, columns = height // cell + 3, width // cell + 3
        grid = many(seed, _TEXTURE, (octave + 1) << 40, rows * columns * channels) % np.uint64(256)
        field = grid.astype(np.int64).reshape(rows, columns, channels)
        total += _stretched(_stretched(field, cell, height, 0), cell, width, 1) // (cell * cell) * (4, 2, 1)[octave]
    span = _BRIGHTEST - _DARKEST
    return (_DARKEST + total * span // (7 * 256)).astype(np.uint8)


def _stretched(field: Ints, cell: int, length: int, axis: int) -> Ints:
    """Linear interpolation along an axis, times `cell`."""
    place = np.arange(length)
    whole, part = place // cell, place % cell
    shape = [1, 1, 1]
    shape[axis] = length
    part = part.reshape(shape)
    return np.take(field, whole, axis) * (cell - part) + np.take(field, whole + 1, axis) * part


def _noise(seed: int, largest: int, length: int) -> Frames:
    """Whole numbers from 0 to 2 · largest, shape (length,)."""
    drawn = many(seed, _NOISE, 0, length) % np.uint64(2 * largest + 1)
    return drawn.astype(np.uint8)
