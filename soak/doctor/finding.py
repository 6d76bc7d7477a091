"""One thing that was found out about this node, and what many of them come to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "note", "warning", "missing", "broken"]
"""`note`: worth knowing; `warning`: changes what a soak shows, or may end it; `missing`: not there, and a soak does
without; `broken`: there, and does not work."""
Group = Literal["gpu", "frameworks", "system", "environment"]

ORDER: tuple[Status, ...] = ("ok", "note", "warning", "missing", "broken")
"""From best to worst."""
GROUPS: tuple[Group, ...] = ("gpu", "frameworks", "system", "environment")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One statement. name: what it is about, such as `driver` or `swap`; several may share one."""

    group: Group
    name: str
    status: Status
    message: str
    advice: str = ""
    """What to do, with a command where there is one; empty where there is nothing to do."""
    device: str = ""
    """UUID of the device that it is about; empty where it is about none."""


def worst(findings: Iterable[Diagnosis]) -> Status:
    """The worst status among them; `ok` where there are none."""
    return max((finding.status for finding in findings), key=ORDER.index, default="ok")


def exit_code(findings: Iterable[Diagnosis]) -> int:
    """0 where a soak can run here, if only on the processor; 4 where something that is there does not work."""
    return 4 if worst(findings) == "broken" else 0
