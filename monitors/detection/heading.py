"""Which of the layers that grow is named, and what is said of the others. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitors.detection import members
from monitors.detection.outer import TOTAL, metric_of
from monitors.model import LAYERS, Finding
from monitors.units import format_rate

NESTS = {
    "host": ("python_objects", "host_heap", "heap_held", "mmap", "pinned", "anonymous", TOTAL),
    "gpu": ("gpu_allocated", "gpu_reserved", "gpu_residual", "gpu_process", "gpu_device"),
}
"""Layers of which each outer one holds the inner ones."""

_COUNTED = {"python_objects": 4096.0, "fds": 65536.0, "threads": 1048576.0, "children": math.inf}
"""Layers that are counted, not measured. Bytes that grow by up to so many for each are no more than each may take."""
_OF_A_CHILD = {"fds": 32.0, "threads": 256.0}
"""So many descriptors and threads a child process may have: children that grow explain them."""
ZOMBIES = "zombies"
"""The series of children that are dead and were not waited for."""

_SIDE_EFFECT = 0.1
"""Of the fastest growth: so much less is its side effect."""
_SMALL = 512.0
"""Bytes of the largest object that Python keeps in memory of its own, which malloc does not know of."""
_MALLOC = ("host_heap", "heap_held")
_MOST = 0.5
"""Share of all growth that is plainly what grows."""


def heading(leaks: Sequence[Finding]) -> Finding:
    """Of one member: the innermost layer of bytes that grows, unless they are no more than a growing number may take.

    What grows at less than a tenth of the fastest is what keeping books of that costs, and heads nothing. That two
    layers grow does not say that one is the cause of the other: what else grows is told with its own rate.

    leaks: the innermost first.
    """
    counted = [f for f in leaks if f.layer in _COUNTED]
    measured = [f for f in leaks if f.layer not in _COUNTED]
    fastest = max(rates(measured), default=0.0)
    weighty = [f for f in measured if (f.rate_per_hour or 0.0) >= _SIDE_EFFECT * fastest]
    head = _children(counted) or _number(counted, measured) or _small_objects(counted, measured, weighty)
    head = head or (weighty or counted)[0]
    alike = [f for f in leaks if f.layer == head.layer and ((f.device and head.device) or f.layer == "shared")]
    return max(alike, key=lambda f: f.rate_per_hour or 0.0, default=head)


def _children(counted: Sequence[Finding]) -> Finding | None:
    """Children, where they explain all else that is counted."""
    children = next((f for f in counted if f.layer == "children" and metric_of(f) != ZOMBIES), None)
    children = children or next((f for f in counted if f.layer == "children"), None)
    others = [f for f in counted if f.layer in _OF_A_CHILD]
    return children if children and all(_explains(children, f) for f in others) else None


def _explains(children: Finding, other: Finding) -> bool:
    most = _OF_A_CHILD.get(other.layer or "", 0.0)
    return (other.rate_per_hour or 0.0) <= most * (children.rate_per_hour or 0.0)


def _number(counted: Sequence[Finding], measured: Sequence[Finding]) -> Finding | None:
    """What is counted, where it explains the bytes that grow."""
    return next((f for f in counted if f.layer != "python_objects" and _may_take(f, measured)), None)


def _small_objects(
    counted: Sequence[Finding], measured: Sequence[Finding], weighty: Sequence[Finding]
) -> Finding | None:
    """Python objects, where most growth is past malloc and no more than so many small ones take.

    Those that keep books of what grows ten times as fast elsewhere, such as tensors of a card, are its side effect.
    """
    objects = next((f for f in counted if f.layer == "python_objects"), None)
    whole = [f.rate_per_hour or 0.0 for f in weighty if f.layer in ("anonymous", TOTAL)]
    if objects is None or not whole:
        return None
    malloc = sum(max([f.rate_per_hour or 0.0 for f in measured if f.layer == layer], default=0.0) for layer in _MALLOC)
    past = max(whole) - malloc
    return objects if _MOST * max(whole) <= past <= _SMALL * (objects.rate_per_hour or 0.0) else None


def rates(findings: Sequence[Finding]) -> list[float]:
    """Of bytes."""
    return [f.rate_per_hour or 0.0 for f in findings if f.layer not in _COUNTED]


def briefly(finding: Finding) -> str:
    """Its layer and rate."""
    return f"{finding.layer or finding.series} by {format_rate(finding.rate_per_hour or 0.0, finding.unit)}"


def along(head: Finding, others: Sequence[Finding]) -> list[str]:
    """What else grows. A layer that holds the one that heads shows its growth too; any other has one of its own."""
    nest = next((layers for layers in NESTS.values() if head.layer in layers), (TOTAL,))
    inside = [f for f in others if f.layer in nest and f.device == head.device]
    within = {id(f) for f in inside}
    around = [f.layer or f.series for f in inside if f.layer not in ("python_objects", head.layer)]
    objects = [f for f in others if f.layer == "python_objects" and head.layer != "python_objects"]
    notes = [f"Python objects grow too, {_each(f)}" for f in objects[:1]]
    if around and head.unit == "bytes":
        notes.append(f"seen in {', '.join(dict.fromkeys(around))} too")
    apart = [f for f in others if id(f) not in within and f.layer not in ("python_objects", head.layer)]
    return [*_dead(head, others), *notes, *(_beside(f, head) for f in _each_layer_once(apart))]


def _dead(head: Finding, others: Sequence[Finding]) -> list[str]:
    dead = [f for f in others if metric_of(f) == ZOMBIES and head.layer == "children"]
    return [
        f"{format_rate(f.rate_per_hour or 0.0, f.unit)} of them are dead and not waited for (zombies)" for f in dead
    ]


def _each_layer_once(findings: Sequence[Finding]) -> list[Finding]:
    """Of several series of one layer and device, the one that grows fastest."""
    found: dict[str, Finding] = {}
    for finding in findings:
        name = members.layer(finding)
        known = found.get(name)
        if known is None or (finding.rate_per_hour or 0.0) > (known.rate_per_hour or 0.0):
            found[name] = finding
    return list(found.values())


def _beside(finding: Finding, head: Finding) -> str:
    said = f"{members.layer(finding)} grows too, by {format_rate(finding.rate_per_hour or 0.0, finding.unit)}"
    held = head.layer == "children" and finding.layer in _OF_A_CHILD and _explains(head, finding)
    return f"{said}, no more than such children hold" if held else said


def _may_take(counted: Finding, measured: Sequence[Finding]) -> bool:
    """Whether the bytes that grow are no more than so many descriptors, threads or children may take."""
    rate = counted.rate_per_hour or 0.0
    return max(rates(measured), default=0.0) <= rate * _COUNTED[counted.layer or ""]


def _each(finding: Finding) -> str:
    if finding.rate_per_step is not None:
        return f"{finding.rate_per_step:.2g} per step"
    return f"{finding.rate_per_hour or 0:.3g} per hour"


def depth(finding: Finding) -> int:
    """The innermost layer first."""
    return LAYERS.index(finding.layer) if finding.layer in LAYERS else len(LAYERS)
