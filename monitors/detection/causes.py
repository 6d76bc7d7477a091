"""The censuses of a trial and the finding that heads its leak → who holds what grows, in words. Pure, without NumPy.

Nothing is named where nothing stands out: what a process makes once, while it warms up, is no cause.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from monitors.detection import cause_words
from monitors.detection.censuses import CensusTaken, apart
from monitors.detection.seen import PAIR, SHARE, SHARED, Seen
from monitors.detection.type_names import PLAIN, WEAK
from monitors.judgement import Grown
from monitors.model import Finding

_FEWEST = 4
"""Censuses of the part that is judged; where it has fewer, those of the whole trial are looked at."""
_LARGEST = 16 * 2.0**20
"""Bytes that one object may hold outside Python."""
_BLOCK = 28.0
"""Bytes of a small object of Python, at the least."""
_MOST = 8
"""Kinds of things that are told as growing."""
_ANOTHERS = 3.0
"""Times the growth of the layer: files in /dev/shm that grow so much faster are those of another program."""
_COUNTED = {"fds": "descriptors", "threads": "threads", "children": "children"}
_ARENAS = ("anonymous", "[heap]", "malloc arenas", "reserved")
"""Mappings that say no more than that memory grows."""
_HEAP = ("host_heap", "anonymous", "total", "mmap")
_OBJECTS = "python_objects"
_WHOLE, _PART = 0.002, 0.02
"""Of the objects that grow: what an object with all that it is made of, and a thing in a container, have at least."""
_KEPT_FREE = "heap_held"
"""Free memory: nobody holds it, but what is mapped as well may be counted there."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Who holds what grows."""

    text: str = ""
    """In words; empty where nothing can be said."""
    grown: tuple[Grown, ...] = ()
    """What grew: first what is the cause."""


def of_leak(censuses: Sequence[CensusTaken], head: Finding) -> Cause:
    """The cause of a leak.

    censuses: of the member that leaks, oldest first. head: the finding that heads the leak.
    """
    told = _judged(apart(censuses), head)
    if len(told) < PAIR:
        return Cause()
    seen = Seen(told)
    # Without a rate there is nothing that a kind of thing could be the most of.
    first, text = _cause(seen, head) if head.rate_per_hour else (None, "")
    rest = sorted((each for each in seen.all(head.layer or "") if each is not first), key=_weight, reverse=True)
    return Cause(text, ((first, *rest) if first else tuple(rest))[:_MOST])


def _judged(censuses: Sequence[CensusTaken], head: Finding) -> Sequence[CensusTaken]:
    begin = head.judged_from if head.onset is None else head.onset
    judged = [each for each in censuses if each.t >= (begin or 0.0)]
    if len(judged) >= _FEWEST:
        return judged
    # The first may be of the warm-up; of few all are needed, and each has to grow as fast as the others.
    return max((judged, censuses[1:]), key=len) if len(censuses) > _FEWEST else censuses


def _weight(grown: Grown) -> tuple[float, float]:
    return grown.bytes_per_hour or 0.0, grown.per_hour


def _cause(seen: Seen, head: Finding) -> tuple[Grown | None, str]:
    """What it is, and how that is said."""
    layer, rate = head.layer or "", head.rate_per_hour or 0.0
    if layer in _COUNTED:
        return _counted(seen, layer, rate)
    for way in _ways(layer):
        if found := way(seen, rate):
            return found
    if seen.only_two or layer in (_KEPT_FREE, _OBJECTS):
        return None, ""
    if layer.startswith("gpu_"):
        return None, cause_words.NATIVE_DEVICE
    if layer in _HEAP and seen.garbage_per_hour >= SHARE * rate:
        return None, cause_words.only_garbage(garbage_types(seen.censuses))
    return None, cause_words.NATIVE if layer not in ("shared", "file", "kernel") else ""


def _ways(layer: str) -> Sequence[Callable[[Seen, float], tuple[Grown, str] | None]]:
    """What may explain growth of that layer, the plainest first."""
    if layer.startswith("gpu_"):
        return (_device_tensor,)
    if layer == _KEPT_FREE:
        return _shared_file, _tensor
    if layer == _OBJECTS:
        return _number_of_objects, _few_of_each
    return (*((_shared_file,) if layer in SHARED else ()), _tensor, _object, _small, _mapping)


def _counted(seen: Seen, layer: str, rate: float) -> tuple[Grown | None, str]:
    found = [each for each in seen.of(_COUNTED[layer]) if each.per_hour >= seen.share * rate]
    if layer == "threads" and not found:
        found = [each for each in seen.of("native_threads") if each.per_hour >= seen.share * rate]
    if not found:
        return None, ""
    children = seen.of("children") if found[0].name.endswith(cause_words.OF_CHILDREN) else []
    beside = f"; {cause_words.counted(children, 'children')}" if children else ""
    return found[0], cause_words.counted(found, layer) + beside


def _largest(found: Iterable[Grown], rate: float, share: float) -> Grown | None:
    """That with most bytes, if they are that share of the growth."""
    best = max(found, key=lambda each: each.bytes_per_hour or 0.0, default=None)
    return best if best is not None and (best.bytes_per_hour or 0.0) >= max(share * rate, 1.0) else None


def _shared_file(seen: Seen, rate: float) -> tuple[Grown, str] | None:
    best = _largest(seen.of("shared_files"), rate, seen.share)
    if best is None or (best.bytes_per_hour or 0.0) > _ANOTHERS * rate:
        return None
    tensor = _largest(_on_host(seen), rate, seen.share)
    beside = f"; {cause_words.things(tensor)}" if tensor is not None and "not mapped" not in best.name else ""
    return best, cause_words.shared_file(best) + beside


def _on_host(seen: Seen) -> list[Grown]:
    return [each for each in (*seen.of("tensors"), *seen.of("arrays")) if " on " not in each.name]


def _tensor(seen: Seen, rate: float) -> tuple[Grown, str] | None:
    best = _largest(_on_host(seen), rate, seen.share)
    if best is not None:
        best = _in_container(seen, best)
        return best, cause_words.things(best)
    best = _largest([each for each in seen.of("any_shape") if " on " not in each.name], rate, seen.share)
    return (best, cause_words.of_many_shapes(best)) if best is not None else None


def _device_tensor(seen: Seen, rate: float) -> tuple[Grown, str] | None:
    for group, words in (("tensors", cause_words.things), ("any_shape", cause_words.of_many_shapes)):
        best = _largest([each for each in seen.of(group) if " on " in each.name], rate, seen.share)
        if best is not None:
            return best, words(best)
    return None


def _in_container(seen: Seen, grown: Grown) -> Grown:
    """Held by the container that grows as fast, where nobody was found who holds it: arrays have no referrer."""
    alike = [
        each
        for each in seen.of("containers")
        if math.isclose(each.per_hour, grown.per_hour, rel_tol=0.1) and seen.elements.get(each.name) not in WEAK
    ]
    if grown.held_by or not alike:
        return grown
    return Grown(grown.group, grown.name, grown.per_hour, grown.per_step, grown.bytes_per_hour, alike[0].name)


def _object(seen: Seen, rate: float) -> tuple[Grown, str] | None:
    """Objects of a type, or what fills a container. rate: bytes per hour."""
    telling = [] if seen.only_two else [each for each in seen.telling() if _may_hold(each, rate)]
    filled = _largest(seen.of("containers"), rate, seen.share)
    plain = _largest([each for each in seen.of("types") if each.name in PLAIN], rate, seen.share)
    return _best_object(seen, telling, filled, plain, rate)


def _number_of_objects(seen: Seen, rate: float) -> tuple[Grown, str] | None:
    """The same where objects are what grows. rate: objects per hour, with all that they are made of."""
    telling = [each for each in seen.telling() if each.per_hour >= _WHOLE * rate]
    filled = [each for each in seen.of("containers") if each.per_hour >= _PART * rate]
    plain = [each for each in seen.of("types") if each.name in PLAIN and each.per_hour >= seen.share * rate]
    return _best_object(seen, telling, next(iter(filled), None), next(iter(plain), None), 0.0)


def _best_object(
    seen: Seen, telling: Sequence[Grown], filled: Grown | None, plain: Grown | None, rate: float
) -> tuple[Grown, str] | None:  # fmt: skip
    """Those of a type that are in what grows come before those that these hold in turn."""
    named = {each.name: each for each in telling}
    roots = (named[what] for each in seen.of("containers") if (what := seen.elements.get(each.name, "")) in named)
    if root := next(roots, None):
        best = _in_container(seen, root)
        parts = [(*whole.parts, part) for part, whole in seen.wholes.items() if whole and whole.name == best.name]
        return best, cause_words.wholes(best, parts[0]) if parts else cause_words.objects(best, rate)
    if filled is not None:
        return filled, cause_words.filled(filled, seen.elements.get(filled.name, ""))
    most = max(telling, key=lambda each: each.per_hour, default=plain)
    return _whole(seen, most, rate) if most is not None else None


def _whole(seen: Seen, part: Grown, rate: float) -> tuple[Grown, str]:
    """What these are parts of, where that is known: those that are most are rarely what somebody keeps."""
    whole = seen.wholes.get(part.name)
    if whole is None:
        return part, cause_words.objects(part, rate)
    per_step = part.per_step * whole.share if part.per_step else None
    told = Grown("types", whole.name, part.per_hour * whole.share, per_step, None, part.held_by)
    return told, cause_words.wholes(told, (*whole.parts, part.name))


def _may_hold(grown: Grown, rate: float) -> bool:
    """Whether so many objects could hold all that grows."""
    return rate <= grown.per_hour * _LARGEST


def _small(seen: Seen, rate: float) -> tuple[Grown, str] | None:
    """Objects that the collector does not know one by one."""
    return _few_of_each(seen, rate / _BLOCK)


def _few_of_each(seen: Seen, rate: float) -> tuple[Grown, str] | None:
    """The same. rate: objects per hour."""
    if seen.blocks_per_hour < max(seen.share * rate, 1.0):
        return None
    found = seen.of("references")
    most = found[0] if found else Grown("references", "", seen.blocks_per_hour)
    return most, cause_words.small(seen.blocks_per_hour, most)


def _mapping(seen: Seen, rate: float) -> tuple[Grown, str] | None:
    best = _largest([each for each in seen.of("mappings") if each.name not in _ARENAS], rate, seen.share)
    return (best, cause_words.mapping(best)) if best is not None else None


def garbage_types(censuses: Sequence[CensusTaken]) -> str:
    """Types of the garbage that collections at probes found, those that say most first; empty where none was told."""
    found = [each for each in censuses if each.garbage]
    types: dict[str, float] = {}
    for each in found:
        for name, count in each.garbage.items():
            types[name] = types.get(name, 0.0) + count / len(found)
    return cause_words.garbage(sorted(types.items(), key=lambda item: (item[0] in PLAIN, -item[1])))
