"""What keeps growing, from censuses of one member, by kind of thing. Pure, without NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from monitors.detection.censuses import CensusTaken
from monitors.detection.lasting import Point, lasting, slope
from monitors.detection.type_names import PLAIN
from monitors.judgement import Grown

PAIR = 2
"""Of so many, growth in one is all that is seen: only what has most of the growth is named by it."""
SHARE, _MOST_OF_IT = 0.25, 0.6
"""Of the growth of the layer that a kind of thing has to have in bytes to be its cause; and of two censuses."""
_EXACT = 32
"""Objects of a type of which the bytes of each are counted."""
_NOT_TOLD = frozenset({"references", "native_threads", "any_shape"})
"""Groups of what is only referred to, or is told elsewhere too."""
_SIZED = ("mappings", "shared_files", "any_shape")
"""Groups whose bytes may grow where their number does not."""
SHARED = ("shared", "total", "kernel", "file")
"""Layers in which files of /dev/shm are held."""


class Seen:
    """What keeps growing, by group."""

    def __init__(self, censuses: Sequence[CensusTaken]) -> None:
        self.censuses = censuses
        self.only_two = len(censuses) == PAIR
        self.share = _MOST_OF_IT if self.only_two else SHARE
        self._paced = _paced(censuses)
        """Steps by time."""
        self.elements = {name: what for each in censuses for name, what in each.elements.items()}
        self.wholes = {name: each.wholes.get(name) for each in censuses for name in each.held_by}
        self._held_by = {name: who for each in censuses for name, who in each.held_by.items()}
        self._groups: dict[str, list[Grown]] = {}
        blocks = [(each.t, each.blocks) for each in censuses if each.blocks is not None]
        span = censuses[-1].t - censuses[0].t
        steps = list(self._paced.values())
        self._second = span / (steps[-1] - steps[0]) if steps else 0.0
        """Seconds of a step, in the mean."""
        found = sum(each.garbage_bytes for each in censuses[1:])
        self.garbage_per_hour = 3600.0 * found / span if span > 0 else 0.0
        """Bytes that collections found, at these censuses alone."""
        self.blocks_per_hour = 3600.0 * (self._lasting(blocks, 64.0) or 0.0)

    def telling(self) -> list[Grown]:
        """Types that say what they are used for."""
        return [each for each in self.of("types") if each.name not in PLAIN and each.per_hour > 0]

    def all(self, layer: str) -> list[Grown]:
        """Of all groups, but for what is only referred to, and for files that others of the machine may have made."""
        groups = {name for each in self.censuses for name in each.groups} - _NOT_TOLD
        told = groups if layer in SHARED else groups - {"shared_files"}
        return [grown for group in sorted(told) for grown in self.of(group)]

    def of(self, group: str) -> list[Grown]:
        """Of one group, the fastest in number first."""
        if group not in self._groups:
            names = {name for each in self.censuses for name in each.groups.get(group, ())}
            found = (self._one(group, name) for name in sorted(names))
            self._groups[group] = sorted((g for g in found if g is not None), key=lambda g: -g.per_hour)
        return self._groups[group]

    def _one(self, group: str, name: str) -> Grown | None:
        told = [each for each in self.censuses if group in each.groups]
        # A container has a name once it has grown; what is not told of others is not there, or too few to be told.
        known = [each for each in told if name in each.groups[group] or group != "containers"]
        amounts = [(each.t, each.groups[group].get(name, (0.0, 0.0))) for each in known]
        counts = self._lasting([(t, count) for t, (count, _) in amounts])
        sized: list[Point] = [(t, size) for t, (_, size) in amounts if size is not None]
        bytes_ = self._lasting(sized, 4096.0)
        # Bytes of many objects are those of a sample, and may grow by chance.
        few = group == "types" and max((count for _, (count, _) in amounts), default=0.0) <= _EXACT
        if counts is None and (bytes_ is None or not (few or group in _SIZED)):
            return None
        per_second = counts or 0.0
        return Grown(
            group,
            name,
            3600.0 * per_second,
            self._per_step([(t, count) for t, (count, _) in amounts]) if self._paced and counts else None,
            3600.0 * bytes_ if bytes_ is not None else None,
            name if group == "containers" else self._held_by.get(name, ""),
        )

    def _lasting(self, points: Sequence[Point], least: float | None = None) -> float | None:
        """Growth per second that lasts to the end, by time or by steps: of a slower trial there is less in a second."""
        given = () if least is None else (least,)
        found = lasting(points, *given)
        return found if found is not None or not self._paced else lasting(self._by_steps(points), *given)

    def _by_steps(self, points: Sequence[Point]) -> list[Point]:
        """As if all steps took as long."""
        return [(self._paced[t] * self._second, y) for t, y in points]

    def _per_step(self, points: Sequence[Point]) -> float | None:
        return slope([(self._paced[t], y) for t, y in points])


def _paced(censuses: Sequence[CensusTaken]) -> dict[float, float]:
    """Steps by time; nothing where they are not known, or where none were made between two."""
    told = {each.t: each.steps for each in censuses if each.steps is not None}
    rises = all(later > one for one, later in itertools.pairwise(told.values()))
    return told if rises and len(told) == len(censuses) else {}
