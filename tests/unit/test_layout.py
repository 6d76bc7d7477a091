"""Every module is named in the layout that docs/design.md shows, under the folder that it is in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("soak", "workloads", "monitors", "reports")
ONE_FILE_EACH = re.compile(r"one file = one (?!concern|kind)")
"""What the layout says of a folder whose files are plug-ins of one sort, and need not be named."""


def blocks() -> dict[str, str]:
    """By folder, `soak/judge`: what the layout says from its name on, without folders in it."""
    section = (ROOT / "docs" / "design.md").read_text(encoding="utf-8").split("\n## 2. ")[1].split("\n## ")[0]
    found: dict[str, list[str]] = {}
    above: list[tuple[int, str]] = []
    for line in section.split("```")[1].splitlines():
        text = line.strip()
        depth = len(line) - len(line.lstrip())
        above = [(own, path) for own, path in above if own < depth]
        heads = re.match(r"\w+/(?:, \w+/)*(?= |$)", text)
        if heads:
            parent = f"{above[-1][1]}/" if above else ""
            named = [f"{parent}{name.strip('/')}" for name in heads.group().split(", ")]
            above.append((depth, named[0]))
        for path in named if heads else [path for _, path in above[-1:]]:
            found.setdefault(path, []).append(text)
    return {path: "\n".join(lines) for path, lines in found.items()}


def unnamed(layout: dict[str, str], modules: dict[str, list[str]]) -> Iterator[str]:
    """Modules that it does not name. modules: by folder, their names."""
    for folder, names in modules.items():
        # A folder that has no place of its own is told of by the one that it is in.
        place = folder
        while place not in layout:
            place = place.rpartition("/")[0]
        if ONE_FILE_EACH.search(layout[place].splitlines()[0]):
            continue
        known = set(re.findall(r"\w+", layout[place]))
        yield from (f"{folder}/{name}" for name in names if name not in known)


def modules() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.stem != "__init__":
                found.setdefault(str(path.parent.relative_to(ROOT)), []).append(path.stem)
    return found


def test_every_module_is_named_in_the_layout() -> None:
    assert list(unnamed(blocks(), modules())) == []


@pytest.mark.parametrize(
    ("folder", "module"), [("soak/judge", "nowhere_told"), ("monitors/detection", "store"), ("soak", "unheard_of")]
)
def test_a_module_that_is_not_named_there_is_found(folder: str, module: str) -> None:
    """`store` is one in another folder: a name counts where its module lies."""
    assert list(unnamed(blocks(), {folder: [module]})) == [f"{folder}/{module}"]
    assert list(unnamed(blocks(), {"monitors/samplers": [module]})) == [], "one file = one sampler"
