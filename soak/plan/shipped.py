"""Files that come with soak beside its code: configs, systemd units."""

from __future__ import annotations

import sys
from pathlib import Path

import soak
from soak.errors import UsageError


def shipped(name: str) -> Path:
    """A file or folder such as `configs/quick.toml`: in a checkout, or where a wheel puts it.

    Raises:
        UsageError: it is not there.
    """
    for root in (Path(soak.__file__).parents[1], Path(sys.prefix) / "share" / "soak"):
        if (root / name).exists():
            return root / name
    raise UsageError(f"{name} is not part of this installation of soak; install soak again, or name a file")
