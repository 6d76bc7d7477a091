"""Versions of a served model: loaded before others are dropped, labels that follow, failures that change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workloads.serving.versions import AVAILABLE, END, NoVersionError, Versions


class Folder:
    """Versions on disk, and what was loaded of them in which order."""

    def __init__(self, base: Path, latest: int = 2) -> None:
        self.base, self.log = base, list[str]()
        self.versions = Versions("m", base, self.load, latest, lambda: self.log.append("unloaded"))

    def put(self, *numbers: int) -> None:
        for number in numbers:
            place = self.base / str(number)
            place.mkdir()
            (place / "saved_model.pb").touch()

    def load(self, place: Path) -> str:
        if place.name == "13":
            raise OSError("cannot be loaded")
        self.log.append(f"load {place.name}")
        return f"model {place.name}"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "notes").mkdir()
    return Folder(tmp_path)


def test_the_newest_are_served_and_labelled(folder: Folder) -> None:
    folder.put(1, 2, 3)
    folder.versions.poll()
    assert folder.versions.states() == {2: AVAILABLE, 3: AVAILABLE}
    assert folder.versions.pick() == (3, "model 3")
    assert folder.versions.pick(label="stable") == (2, "model 2")
    assert folder.versions.pick(label="canary") == (3, "model 3")
    assert folder.versions.pick(version=2) == (2, "model 2")


def test_a_version_that_comes_is_loaded_before_the_oldest_goes(folder: Folder) -> None:
    folder.put(1, 2)
    folder.versions.poll()
    folder.log.clear()
    folder.put(3)
    folder.versions.poll()
    assert folder.log == ["load 3", "unloaded"]
    assert folder.versions.states() == {1: END, 2: AVAILABLE, 3: AVAILABLE}
    assert folder.versions.swaps == 1
    assert folder.versions.pick(label="stable") == (2, "model 2")


def test_versions_that_are_asked_for_stay_until_others_are(folder: Folder) -> None:
    folder.put(1, 2, 3)
    folder.versions.poll()
    assert folder.versions.reload([2, 3, 1], {"stable": 2}) == ""
    folder.versions.poll()
    assert folder.versions.reload([3, 1], {"stable": 3, "canary": 1}) == ""
    assert folder.versions.pick(label="canary") == (1, "model 1")
    folder.versions.poll()
    assert folder.versions.states() == {1: AVAILABLE, 2: END, 3: AVAILABLE}
    assert folder.versions.pick(label="stable") == (3, "model 3")


def test_a_label_of_a_version_that_is_not_there_is_refused(folder: Folder) -> None:
    folder.put(1)
    folder.versions.poll()
    assert "not available: {'canary': 9}" in folder.versions.reload([1], {"canary": 9})
    folder.versions.poll()
    assert folder.versions.pick(label="canary") == (1, "model 1")


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"version": 7}, r"Specific\(m, 7\)"), ({"label": "blue"}, "Unrecognized servable version label: blue")],
)
def test_what_is_not_served_is_told_as_in_tensorflow_serving(folder: Folder, asked: Any, said: str) -> None:
    folder.put(1)
    folder.versions.poll()
    with pytest.raises(NoVersionError, match=said):
        folder.versions.pick(**asked)


def test_a_version_that_cannot_be_loaded_leaves_the_others_as_they_are(folder: Folder) -> None:
    folder.put(1, 2)
    folder.versions.poll()
    folder.put(13)
    with pytest.raises(OSError, match="cannot be loaded"):
        folder.versions.poll()
    assert folder.versions.states() == {1: AVAILABLE, 2: AVAILABLE}


def test_an_empty_folder_drops_nothing(folder: Folder, tmp_path: Path) -> None:
    folder.put(1)
    folder.versions.poll()
    (tmp_path / "1" / "saved_model.pb").unlink()
    folder.versions.poll()
    assert folder.versions.pick() == (1, "model 1")


def test_versions_that_ended_are_forgotten_after_a_while(folder: Folder) -> None:
    for number in range(1, 60):
        if number != 13:
            folder.put(number)
            folder.versions.poll()
    assert len(folder.versions.states()) == 2 + 16
