"""Plug-ins of somebody else, installed into a folder: modules, and the entry points that name them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Planted:
    """A folder on the path of a process of its own."""

    folder: Path

    def install(self, name: str, points: Mapping[str, Mapping[str, str]], modules: Mapping[str, str]) -> None:
        """A distribution. points: by group and name, the module; modules: by name, its text."""
        info = self.folder / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        groups = "".join(
            f"[{group}]\n" + "".join(f"{point} = {module}\n" for point, module in named.items())
            for group, named in points.items()
        )
        (info / "entry_points.txt").write_text(groups)
        for module, text in modules.items():
            (self.folder / f"{module}.py").write_text(text)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`python …` where it is installed."""
        env = {**os.environ, "PYTHONPATH": str(self.folder)}
        return subprocess.run([sys.executable, *words], env=env, capture_output=True, text=True, check=False)
