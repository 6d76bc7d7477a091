"""The packages that the tests run with: they are not always in the environment of the interpreter itself."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("soak", "workloads", "monitors", "reports")


def need(*packages: str) -> None:
    """Skip without these. Not by importing them: a framework is imported once its environment was made ready."""
    for package in packages:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed", allow_module_level=True)


def package_folders() -> list[Path]:
    """The folders of the import path that packages are installed in."""
    found = dict.fromkeys(Path(entry).resolve() for entry in sys.path if entry)
    return [folder for folder in found if folder != ROOT and any(folder.glob("*.dist-info"))]


def link_packages(folder: Path, *hidden: str) -> None:
    """Make all of them importable from this folder too, without soak and those whose names begin with one of these."""
    for place in package_folders():
        for entry in place.iterdir():
            there = folder / entry.name
            if entry.suffix != ".pth" and not entry.name.startswith((*OURS, *hidden)) and not there.exists():
                there.symlink_to(entry)
