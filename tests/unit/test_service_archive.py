"""Damaged runs in the archive: whatever is wrong with one, it is listed as damaged and the others as they are."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from soak.plan.quantity import Duration, Size
from soak.record.damage import checksum
from soak.record.rows import Rows
from soak.record.store import FILE, Store
from soak.service.archive import Archive
from soak.service.config import RetentionTable
from soak.service.retention import superfluous
from soak.service.state_folder import StateFolder
from soak.service.troubles import KINDS, Troubles

GOOD, BAD = "night-20260102T000000Z", "night-20260101T000000Z"


def record(folder: Path, **meta: object) -> Path:
    folder.mkdir(parents=True)
    with Store.create(folder / FILE) as store:
        for key, value in {"started": 1.8e9, "ended": 1.8e9, "verdict": "pass", "reason": "fine", **meta}.items():
            store.put_meta(key, value)
        store.put_trial(0, "t", {"name": "t"})
    (folder / "report.html").write_text("<p>")
    return folder


def meta(key: str, value: str) -> Callable[[Path], None]:
    def done(folder: Path) -> None:
        db = sqlite3.connect(folder / FILE)
        number = db.execute("SELECT id FROM meta WHERE key = ?", (key,)).fetchone()[0]
        db.execute(
            "UPDATE meta SET value = ?, crc = ? WHERE id = ?", (value, checksum("meta", number, key, value), number)
        )
        db.commit()
        db.close()

    return done


def sql(text: str) -> Callable[[Path], None]:
    def done(folder: Path) -> None:
        db = sqlite3.connect(folder / FILE)
        db.executescript(text)
        db.close()

    return done


def garbage(folder: Path) -> None:
    (folder / FILE).write_bytes(os.urandom(5000))


def cut_off(folder: Path) -> None:
    os.truncate(folder / FILE, 6000)


def emptied(folder: Path) -> None:
    os.truncate(folder / FILE, 0)


def a_folder(folder: Path) -> None:
    (folder / FILE).unlink()
    (folder / FILE).mkdir()


def gone(folder: Path) -> None:
    (folder / FILE).unlink()


def a_link(folder: Path) -> None:
    (folder / FILE).rename(folder / "elsewhere")
    (folder / FILE).symlink_to("elsewhere")


def a_pipe(folder: Path) -> None:
    (folder / FILE).unlink()
    os.mkfifo(folder / FILE)


def a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("x")


def a_link_to_nowhere(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to("/nowhere")


def a_link_to_everything(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to("/")


DAMAGE = [
    meta("reason", '"leak'), meta("started", '"x"'), meta("started", "null"), meta("started", "true"),
    meta("started", "NaN"), meta("started", "1e999"), meta("started", "9" * 400), meta("ended", "[]"),
    meta("ended", '"now"'), meta("verdict", "5"), meta("verdict", '{"a": 1}'), meta("verdict", '"splendid"'),
    meta("verdict", "[" * 100_000), meta("version", "7"), meta("version", '"1"'), sql("DROP TABLE meta"),
    sql("DELETE FROM meta"), sql("UPDATE meta SET value = x'ff00'"), sql("UPDATE meta SET value = 5"),
    sql("ALTER TABLE meta RENAME TO other"), sql("UPDATE meta SET value = '\"leak' WHERE key = 'reason'"),
    sql("DELETE FROM meta WHERE key = 'reason'"), garbage, cut_off, emptied, a_folder, gone, a_link, a_pipe, a_file,
    a_link_to_nowhere, a_link_to_everything,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_one_damaged_run_harms_no_other(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    record(tmp_path / GOOD)
    damage(record(tmp_path / BAD, started=1.8e9 - 1))
    archive = Archive(tmp_path)
    good, bad = archive.runs()
    assert (good.id, good.verdict, good.damage) == (GOOD, "pass", "")
    assert (bad.id, bad.schedule) == (BAD, "night")
    # The verdict stands only where all facts of the run do.
    assert (bad.verdict, bad.started) in ((None, 1767225600.0), ("pass", 1.8e9 - 1))
    assert bad.damage.startswith("its record is damaged: ")
    assert bad.damage.isprintable()
    assert len(bad.damage) < 600
    assert archive.damaged == {BAD: bad.damage}
    assert archive.unfinished() == []
    archive.last_judged("night")
    keep = RetentionTable(Duration(1.0), 1, Size(1))
    assert not [run for run, _ in superfluous([good, bad], keep, 1e10) if run.id == BAD], "never deleted"


def test_a_run_whose_facts_stand_keeps_its_verdict_and_is_damaged_all_the_same(tmp_path: Path) -> None:
    folder = record(tmp_path / GOOD)
    with Store.reopen(folder / FILE) as store:
        store.put_trial(0, "t", {"name": "t"})
    sql("UPDATE trial SET body = '{}'")(folder)
    (run,) = Archive(tmp_path).runs()
    assert run.verdict == "pass"
    assert run.damage == "its record is damaged: 1 trial of the run is damaged and left out"


def test_a_reason_of_another_type_is_told_as_text(tmp_path: Path) -> None:
    meta("reason", '{"a": [1]}')(record(tmp_path / GOOD))
    (run,) = Archive(tmp_path).runs()
    assert (run.reason, run.damage) == ("{'a': [1]}", "")


def test_damage_that_comes_later_is_seen_and_repair_too(tmp_path: Path) -> None:
    folder = record(tmp_path / GOOD)
    archive = Archive(tmp_path)
    assert [run.damage for run in archive.runs()] == [""]
    whole = (folder / FILE).read_bytes()
    garbage(folder)
    assert [bool(run.damage) for run in archive.runs()] == [True]
    (folder / FILE).write_bytes(whole)
    assert [run.damage for run in archive.runs()] == [""]


def test_a_run_that_is_being_made_is_not_damaged(tmp_path: Path) -> None:
    record(tmp_path / BAD)
    (tmp_path / GOOD).mkdir()
    (tmp_path / GOOD / FILE).touch()
    assert [run.id for run in Archive(tmp_path, lambda: ["night"]).runs()] == [BAD]
    assert Archive(tmp_path).damaged == {}
    cut_off = [run.id for run in Archive(tmp_path).runs() if run.damage]
    assert cut_off == [GOOD], "of no run under way: cut off at its start"


def test_judgements_of_any_kind_keep_nobody_from_serving(tmp_path: Path) -> None:
    body = {"index": 0, "name": "t", "workload": "w", "framework": "torch", "mode": "infer"}
    for n, (trial, judged) in enumerate([
        (body, {"verdict": "leak", "reason": "so", "leak_probability": "high"}), (body, {"verdict": "leak"}),
        (body, {"verdict": 1, "reason": 2, "findings": 7}), ({**body, "name": 5}, {"verdict": "leak", "reason": ""}),
        (body, {"verdict": "leak", "reason": "", "control_passed": "yes"}),
    ]):  # fmt: skip
        folder = record(tmp_path / f"n{n}-20260101T000000Z")
        with Store.reopen(folder / FILE) as store:
            store.put_trial(0, "t", trial)
        rows = Rows.reopen(folder / FILE)
        rows.write(("judgement", 0, json.dumps(judged)))
        rows.close()
        assert Archive(tmp_path).last_judged(f"n{n}") == []
    sql("UPDATE judgement SET body = 'no json'")(tmp_path / "n0-20260101T000000Z")
    assert Archive(tmp_path).last_judged("n0") == []


def test_without_descriptors_nothing_is_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(tmp_path / GOOD)
    archive = Archive(tmp_path)

    def none_left(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Store, "open", none_left)
    monkeypatch.setattr("soak.service.archive.os.open", none_left)
    with pytest.raises(OSError, match="Too many open files"):
        archive.runs()
    monkeypatch.undo()
    assert [run.damage for run in archive.runs()] == [""]


def test_a_report_is_given_out_of_no_linked_folder(tmp_path: Path) -> None:
    record(tmp_path / "elsewhere")
    (tmp_path / GOOD).symlink_to("elsewhere")
    assert Archive(tmp_path).report(GOOD, "report.html") is None


def test_the_state_folder_is_for_one_service_and_needs_no_room(tmp_path: Path) -> None:
    from soak.errors import SoakError, UsageError

    held = StateFolder(tmp_path / "state")
    assert held.problem == ""
    with pytest.raises(SoakError, match="another soak service uses this state folder"):
        StateFolder(tmp_path / "state")
    held.close()
    StateFolder(tmp_path / "state").close()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be used"):
        StateFolder(tmp_path / "file")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_disk_that_takes_nothing_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refused(self: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(Path, "mkdir", refused)
    state = StateFolder(tmp_path / "state")
    assert os.strerror(number) in state.problem
    monkeypatch.undo()
    assert state.look() == ""
    assert (tmp_path / "state" / "runs").is_dir()
    state.close()


def test_a_trouble_is_said_once_and_when_it_is_over() -> None:
    said: list[str] = []
    troubles = Troubles(said.append, said.append)
    for what in ("", "the disk is full", "the disk is full", "the disk is\nread-only", "", ""):
        troubles.report("state", what)
    assert said == ["the disk is full", "the disk is read-only", "resolved: the disk is read-only"]
    assert troubles.all() == []
    troubles.report("clock", "it jumped")
    assert troubles.of("clock") == "it jumped"
    assert set(KINDS) == {*KINDS}
