"""What a census saw grow, as a person reads it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from monitors.judgement import Grown
from monitors.units import format_per_step, format_value

NATIVE = "native memory: no Python object, tensor or mapping explains it; `soak diagnose` can look"
NATIVE_DEVICE = "no tensor that Python knows explains it; `soak diagnose` can look"
OF_CHILDREN = " of children"
"""End of the kind of a descriptor that a child process has."""
_SHARE_TOLD = 0.2
"""Of the growth: where objects take less by themselves, that is told."""
_TYPES_TOLD = 3
_NUMBERS = ("float", "int", "complex", "bool")


def things(grown: Grown) -> str:
    """Tensors and arrays: `2,000 objects of torch.Tensor (64×64 float32) an hour`, their bytes, who holds them."""
    kind, _, what = grown.name.partition(" (")
    named = f"`{kind}` ({what}" if what else f"`{kind}`"
    return f"{_number(grown.per_hour)} objects of {named} an hour{_aside(grown)}{_holder(grown)}"


def of_many_shapes(grown: Grown) -> str:
    """Tensors, arrays or buffers of no one shape: ever more of them, or one that gets larger."""
    kind, _, what = grown.name.partition(" (")
    named = f"`{kind}`" + (f" ({what}" if what else "")
    if grown.per_hour:
        return f"{_number(grown.per_hour)} objects of {named}, of many shapes, an hour{_aside(grown)}"
    return f"{named} that gets larger, by {format_value(grown.bytes_per_hour or 0.0, 'bytes')} an hour"


def objects(grown: Grown, rate: float) -> str:
    """Objects of a type. rate: bytes per hour of all that grows; 0 where it is objects that were counted."""
    own = grown.bytes_per_hour or 0.0
    said = (
        f"{_number(grown.per_hour)} objects of `{grown.name}` an hour{_aside(grown, with_bytes=False)}{_holder(grown)}"
    )
    if rate and own < _SHARE_TOLD * rate:
        said += f"; by themselves they take {format_value(own, 'bytes')} an hour, the rest is what they hold"
    return said


def wholes(grown: Grown, parts: Sequence[str]) -> str:
    """Objects of a type with all that they are made of. parts: types of that."""
    named = ", ".join(f"`{name}`" for name in dict.fromkeys(parts))
    return f"{objects(grown, 0.0)}; they are made of {named} and more"


def filled(grown: Grown, what: str) -> str:
    """A container that grows by what has no type of its own to name."""
    named = f"numbers (`{what}`)" if what in _NUMBERS else f"objects of `{what}`" if what else "objects"
    return f"{_number(grown.per_hour)} {named} an hour{_aside(grown)}, held by {grown.name}"


def small(per_hour: float, most: Grown) -> str:
    """What only the allocator of Python counted."""
    named = f", most of them `{most.name}`" if most.name else ""
    return f"{_number(per_hour)} small Python objects an hour, such as numbers or texts{named}"


def counted(found: Sequence[Grown], layer: str) -> str:
    """Descriptors, threads or children."""
    what = {"fds": "descriptors", "threads": "threads", "children": "children"}[layer]
    say = {"fds": _descriptor, "threads": _thread, "children": _child}[layer]
    fast = [each for each in found if each.per_hour >= 0.3 * found[0].per_hour][:_TYPES_TOLD]
    return f"{what}: {', '.join(say(each) for each in fast)}"


def _descriptor(grown: Grown) -> str:
    kind = grown.name
    if kind in ("pipe", "socket", "eventfd", "eventpoll", "timerfd", "signalfd", "inotify"):
        return f"{_number(grown.per_hour)} an hour are {kind}s"
    whose = " in child processes" if kind.endswith(OF_CHILDREN) else ""
    return f"{_number(grown.per_hour)} an hour{whose} ({kind.removesuffix(OF_CHILDREN)})"


def _thread(grown: Grown) -> str:
    return f"{_number(grown.per_hour)} an hour named {grown.name}"


def _child(grown: Grown) -> str:
    command, _, state = grown.name.rpartition(", ")
    if state == "zombie":
        return f"{_number(grown.per_hour)} zombies an hour (dead, not waited for), {command}"
    return f"{_number(grown.per_hour)} an hour stay, {command} ({state})"


def shared_file(grown: Grown) -> str:
    """Files of /dev/shm of one prefix."""
    name, _, held = grown.name.rpartition(", ")
    by = "mapped by no process of the trial" if held == "not mapped" else "mapped by its processes"
    return f"files `{name}`: {format_value(grown.bytes_per_hour or 0.0, 'bytes')} an hour{_counted(grown)}, {by}"


def _counted(grown: Grown) -> str:
    return f" ({_number(grown.per_hour)} files)" if grown.per_hour else ""


def mapping(grown: Grown) -> str:
    """Mappings of one kind."""
    return f"mappings of the kind `{grown.name}`: {format_value(grown.bytes_per_hour or 0.0, 'bytes')} an hour"


def only_garbage(types: str) -> str:
    """Growth that is what collections take back. types: empty where they are not known."""
    return "garbage that Python's collector comes to too rarely" + (f", of these types: {types}" if types else "")


def garbage(types: Sequence[tuple[str, float]]) -> str:
    """Types of garbage with how many there were between two collections."""
    return ", ".join(f"`{name}` ({max(1.0, count):,.0f})" for name, count in types[:_TYPES_TOLD])


def _number(count: float) -> str:
    """Two figures where there are few, whole numbers where there are many."""
    return format_value(float(f"{count:.3g}"), "count") if count >= 1 else f"{count:.2g}"


def _aside(grown: Grown, with_bytes: bool = True) -> str:
    """By step and in bytes, as far as known."""
    parts = [format_per_step(grown.per_step, "count")] if grown.per_step else []
    if with_bytes and grown.bytes_per_hour:
        parts.append(f"{format_value(grown.bytes_per_hour, 'bytes')} an hour")
    return f" ({', '.join(parts)})" if parts else ""


def _holder(grown: Grown) -> str:
    return f", held by {grown.held_by}" if grown.held_by else ""
