"""In a delegated cgroup v2, the service moves into a leaf of its own, so that trials can have cgroups beside it.

A cgroup that holds processes cannot give controllers to children; systemd delegates the whole unit (`Delegate=`).
"""

from __future__ import annotations

import os
from pathlib import Path

from soak.cgroup import MOUNT, ROOM
from soak.service.journal import Journal


def delegate(journal: Journal, mount: Path = MOUNT, proc: Path = Path("/proc")) -> None:
    """Make room for trials below the unit's cgroup, where it is delegated; elsewhere, change nothing."""
    if "INVOCATION_ID" not in os.environ:
        return
    lines = (proc / "self/cgroup").read_text().splitlines()
    path = next((line.split(":", 2)[2] for line in lines if line.startswith("0::")), "")
    unit = mount / path.lstrip("/")
    if not path.endswith(".service") or not (unit / "cgroup.subtree_control").exists():
        return
    try:
        (unit / "service").mkdir(exist_ok=True)
        (unit / "service" / "cgroup.procs").write_text(f"{os.getpid()}\n")
        (unit / "cgroup.subtree_control").write_text("+memory\n")
    except OSError as error:
        journal.warning(f"trials get no cgroups of their own: {unit}: {error.strerror}")
        return
    os.environ[ROOM] = str(unit)
