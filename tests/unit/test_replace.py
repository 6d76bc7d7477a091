"""A report is there whole or not at all, and never written through a link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from soak.errors import SoakError
from soak.record.replace import replace_file


def test_a_link_is_replaced_and_what_it_led_to_is_untouched(tmp_path: Path) -> None:
    victim = tmp_path / "passwd"
    victim.write_text("root")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "report.html").symlink_to(victim)
    path = replace_file(folder, "report.html", "new")
    assert (path.read_text(), path.is_symlink(), victim.read_text()) == ("new", False, "root")
    assert [found.name for found in folder.iterdir()] == ["report.html"]


def test_on_a_full_disk_the_old_report_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_file(tmp_path, "report.html", "old")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SoakError, match=r"report\.html: cannot be written: No space left on device; an existing file"):
        replace_file(tmp_path, "report.html", "new")
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("report.html", "old")]


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SoakError, match="No such file or directory"):
        replace_file(tmp_path / "gone", "report.html", "x")
    (tmp_path / "report.html").mkdir()
    with pytest.raises(SoakError, match="cannot be written"):
        replace_file(tmp_path, "report.html", "x")
    assert [found.name for found in tmp_path.iterdir()] == ["report.html"]
