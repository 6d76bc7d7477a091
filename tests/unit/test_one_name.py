"""One name means one thing: no public class name stands for two classes of the packages."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("soak", "workloads", "monitors", "reports")
CONTRACTS = {"Options"}
"""What every plug-in of a kind has to define by this name: see CONTRIBUTING.md."""


def classes() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    yield node.name, f"{path.relative_to(ROOT)}:{node.lineno}"


def test_no_public_class_name_is_defined_twice() -> None:
    places = defaultdict[str, list[str]](list)
    for name, place in classes():
        places[name].append(place)
    assert "Judgement" in places, "classes are found"
    assert {name: where for name, where in places.items() if len(where) > 1 and name not in CONTRACTS} == {}
