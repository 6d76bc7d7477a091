"""The lowest versions that are allowed are the ones that are tested."""

from __future__ import annotations

import tomllib

import pytest

from tests.installed import ROOT
from tests.lowest import pins


def test_every_requirement_states_a_lowest_version_which_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = dict(pin.split("==") for pin in pins(project))
    assert {"numpy", "msgspec", "pyarrow", "starlette", "pytest"} <= set(found)
    assert not {"torch", "tensorflow", "ruff"} & set(found)


def test_the_lowest_xdist_has_the_option_that_the_makefile_gives_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lowest = dict(pin.split("==") for pin in pins(project))["pytest-xdist"]
    assert "--no-loadscope-reorder" in (ROOT / "Makefile").read_text()
    assert tuple(map(int, lowest.split("."))) >= (3, 8)


@pytest.mark.parametrize("requirement", ["numpy", "numpy<3", "numpy==2"])
def test_one_that_states_none_is_refused(requirement: str) -> None:
    extras: dict[str, list[str]] = {"video": [], "service": [], "clients": [], "test": []}
    with pytest.raises(ValueError, match=requirement):
        pins({"dependencies": [requirement], "optional-dependencies": extras})
