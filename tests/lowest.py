"""The lowest versions that pyproject.toml allows, as pins for pip: `python tests/lowest.py > pins.txt`.

Of what soak itself imports and of what its unit tests need, frameworks aside; what pip installs for these in turn is
the newest. `make test-lowest` runs the unit and property tests with them.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

EXTRAS = ("video", "service", "clients", "test")
TOOLS = ("axe-playwright-python", "fastapi", "mypy", "playwright", "ruff", "schemathesis")
"""Not imported by the tests that are run."""
REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)>=(?P<lowest>[0-9.]+)(?:,<[0-9.]+)?$")


def pins(project: dict[str, object]) -> list[str]:
    """One `name==version` for each requirement.

    Raises:
        ValueError: a requirement states no lowest version, so none could be tested.
    """
    dependencies, extras = project["dependencies"], project["optional-dependencies"]
    assert isinstance(dependencies, list)
    assert isinstance(extras, dict)
    found = []
    for requirement in (*dependencies, *(each for extra in EXTRAS for each in extras[extra])):
        match = REQUIREMENT.match(requirement)
        if match is None:
            raise ValueError(f"{requirement!r}: expected NAME>=VERSION")
        if match["name"] not in TOOLS:
            found.append(f"{match['name']}=={match['lowest']}")
    return found


if __name__ == "__main__":
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    sys.stdout.write("\n".join(pins(tomllib.loads(text)["project"])) + "\n")
