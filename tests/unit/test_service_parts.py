"""The small parts of the service: curve, history, conditions, journal, notify, archive, installation."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import closing
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from monitors.catalog import all_specs
from monitors.gpu import Holder, Reading
from monitors.judgement import Judgement
from soak.engine.status import TrialStatus
from soak.plan.shipped import shipped
from soak.record.store import FILE, Store
from soak.runs import messages
from soak.service import config, installation, metrics
from soak.service.archive import Archive
from soak.service.conditions import Facts, computing, descends, hindrance
from soak.service.config import ConditionsTable
from soak.service.curve import Curve
from soak.service.history import History
from soak.service.journal import Journal
from soak.service.notify import Notify
from soak.service.pages import chart, when
from soak.service.state import MAX_SILENCE, Now, ServiceState

GIB = 1024**3


def test_a_curve_stays_small_and_keeps_its_ends() -> None:
    curve = Curve(most=64)
    for t in range(100_000):
        curve.add(float(t), 2.0 * t)
    points = curve.points()
    assert len(points) <= 65
    assert points[0] == (0.0, 0.0)
    assert points[-1][0] > 0.95 * 100_000
    assert all(value == 2 * t for t, value in points)


def test_history_outlives_a_restart_and_a_damaged_file(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.of("nightly").last_success = 5.0
    history.save()
    assert History(tmp_path).of("nightly").last_success == 5.0
    (tmp_path / "history.json").write_text("{broken")
    again = History(tmp_path)
    assert again.of("nightly").last_success is None
    assert again.damaged == tmp_path / "history.json.damaged"


def test_history_that_cannot_be_written_is_kept_until_it_can(tmp_path: Path) -> None:
    history = History(tmp_path / "state")
    (tmp_path / "state").write_text("in the way")
    history.of("nightly").missed = 3
    assert "cannot be written" in history.save()
    assert "cannot be written" in history.retry()
    (tmp_path / "state").unlink()
    assert history.retry() == ""
    assert History(tmp_path / "state").of("nightly").missed == 3


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (Facts(5 * GIB, 0.1), ""),
        (Facts(GIB, 0.1), "1 GiB of free disk, 2 GiB required"),
        (Facts(5 * GIB, 0.9), "a load of 0.90 per core"),
        (Facts(5 * GIB, 0.1, [7, 8]), "the device is used by processes 7, 8"),
    ],
)
def test_why_a_run_may_not_start(facts: Facts, said: str) -> None:
    assert said in hindrance(facts, ConditionsTable(load=0.8))
    assert bool(said) == bool(hindrance(facts, ConditionsTable(load=0.8)))


def test_conditions_can_be_waived() -> None:
    busy = Facts(5 * GIB, 99.0, [7])
    assert hindrance(busy, ConditionsTable(load=0.0, gpu_idle=False)) == ""


def test_who_computes_on_a_device_is_no_child_of_ours_and_no_display(tmp_path: Path) -> None:
    for pid, parent in ((os.getpid(), 1), (50, os.getpid()), (60, 1), (70, 1)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (x) S {parent} {' '.join(['0'] * 48)}\n")
    holders = (Holder(50, 1.0), Holder(60, 1.0), Holder(70, 1.0, draws=True), Holder(3_000_000, None))
    gpus = {"cuda:1": Reading("GPU-b", 1.0, holders=holders), "cuda:2": Reading("GPU-c", 1.0)}
    assert computing(gpus, ["cuda:1"], running=False, proc=tmp_path) == [60, 3_000_000]
    assert computing(gpus, ["cuda:1"], running=True, proc=tmp_path) == [60], "3000000 may be ours, by another name"
    assert computing(gpus, ["cuda:2"], running=False, proc=tmp_path) == []
    assert computing(gpus, ["cuda:0"], running=False, proc=tmp_path) == []
    assert computing(gpus, ["cuda:0", "cuda:1", "cuda:1"], running=False, proc=tmp_path) == [60, 3_000_000]


def test_own_processes_are_told_by_their_parents(tmp_path: Path) -> None:
    for pid, parent in ((10, 1), (11, 10), (12, 11), (20, 1)):
        (tmp_path / str(pid)).mkdir()
        rest = " ".join(["0"] * 48)
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (x) S {parent} {rest}\n")
    assert descends(12, 10, tmp_path)
    assert not descends(20, 10, tmp_path)
    assert not descends(99, 10, tmp_path), "gone meanwhile"


def test_the_journal_gets_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "journal"))
        monkeypatch.setenv("JOURNAL_STREAM", "8:1")
        with closing(Journal(tmp_path / "journal")) as journal:
            journal.warning("two\nlines", SOAK_RUN="r-1")
        said = listener.recv(4096)
    assert b"PRIORITY=4\n" in said
    assert b"SOAK_RUN=r-1\n" in said
    assert b"MESSAGE\n\x09\x00\x00\x00\x00\x00\x00\x00two\nlines\n" in said


def test_without_a_journal_there_are_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    Journal().error("it broke", SOAK_RUN="r-1")
    assert capsys.readouterr().err.endswith("Z error: it broke\n")


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "90000000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        notify = Notify()
        notify.ready()
        notify.status("idle")
        notify.alive()
        assert [listener.recv(100) for _ in range(3)] == [b"READY=1", b"STATUS=idle", b"WATCHDOG=1"]
        assert notify.watchdog == 90.0
    with closing(notify):
        notify.alive()  # systemd is gone: no harm


def record(folder: Path, **meta: object) -> None:
    folder.mkdir(parents=True)
    with Store.create(folder / FILE) as store:
        for key, value in {"started": 5.0, **meta}.items():
            store.put_meta(key, value)


def test_the_archive_knows_its_runs_and_gives_out_nothing_else(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    assert archive.runs() == []
    record(tmp_path / "night-20260101T000000Z", verdict="pass", reason="fine", ended=9.0)
    record(tmp_path / "night-20260102T000000Z", started=6.0)
    record(tmp_path / "not a run", verdict="pass")
    (tmp_path / "night-20260103T000000Z").mkdir()
    (tmp_path / "night-20260101T000000Z" / "report.html").write_text("<p>")
    (tmp_path / "secret.txt").write_text("x")
    assert [run.id for run in archive.runs()] == ["night-20260102T000000Z", "night-20260101T000000Z"]
    assert [run.id for run in archive.unfinished()] == ["night-20260102T000000Z"]
    assert archive.report("night-20260101T000000Z", "report.html") is not None
    for run, file in (
        ("..", "secret.txt"), ("night-20260101T000000Z", "../secret.txt"), ("night-20260101T000000Z", FILE),
        ("night-20260101T000000Z/..", "report.html"), ("", "report.html"), ("night-20260102T000000Z", "report.html"),
    ):  # fmt: skip
        assert archive.report(run, file) is None
    (tmp_path / "night-20260102T000000Z" / "report.html").symlink_to(tmp_path / "secret.txt")
    assert archive.report("night-20260102T000000Z", "report.html") is None, "a link may lead anywhere"
    archive.remove("night-20260101T000000Z")
    archive.remove("..")
    assert [run.id for run in archive.runs()] == ["night-20260102T000000Z"]
    assert (tmp_path / "secret.txt").exists()


def test_what_the_last_run_showed_outlives_a_restart(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    assert archive.last_judged("night") == []
    body = {"index": 0, "name": "t", "workload": "w", "framework": "torch", "mode": "infer"}
    for day, verdict in ((1, "pass"), (2, "leak")):
        folder = tmp_path / f"night-2026010{day}T000000Z"
        record(folder, verdict=verdict, started=float(day))
        with Store.reopen(folder / FILE) as store:
            store.put_trial(0, "t", body)
            store.put_trial(1, "never ran", {**body, "index": 1, "name": "never ran"})
            store.put_judgement(0, Judgement(verdict, "so", control_passed=False))
    (judged,) = archive.last_judged("night")
    assert (judged.trial, judged.outlook.verdict, judged.control_passed) == ("t", "leak", False)


def test_a_record_of_another_time_keeps_nobody_from_serving(tmp_path: Path) -> None:
    folder = tmp_path / "night-20260101T000000Z"
    record(folder, verdict="leak")
    with Store.reopen(folder / FILE) as store:
        store.put_trial(0, "t", {"index": 0, "name": "t"})
        store.put_judgement(0, Judgement("leak", "so"))
    assert Archive(tmp_path).last_judged("night") == []


def test_silence_is_not_fresh() -> None:
    state = ServiceState(metrics.layers_of(all_specs()))
    now = Now("s", "cpu", MagicMock(), 0.0, 100.0)
    state.now["s"] = now
    running = TrialStatus("t", "w", "torch", "infer", "cpu", False, "stepping", 50.0, sampled=1.0)
    state.on_message(now, messages.Tick((running,), 0), 100.0)
    assert state.stale(100.0 + MAX_SILENCE - 2) == ""
    assert "trial t of s has not been sampled" in state.stale(100.0 + MAX_SILENCE - 0.5)
    assert "has not reported" in state.stale(100.0 + MAX_SILENCE + 1)
    now.paused = True
    assert state.stale(1e6) == ""


def test_a_chart_spans_its_box() -> None:
    drawn = chart("anonymous", [(0.0, 0.0), (10.0, 2.0**20)])
    assert drawn.path == "M3.0 61.0L317.0 3.0"
    assert (drawn.low, drawn.high) == ("0 B", "1 MiB")
    assert chart("anonymous", [(0.0, 5.0), (1.0, 5.0)]).path == "M3.0 61.0L317.0 61.0"


def test_times_in_words() -> None:
    assert when(None, 0.0) == "–"
    assert when(70.0, 10.0) == "in 1 min"
    assert when(10.0, 70.0) == "1 min ago"


class Full:
    """A stream onto a full disk."""

    def write(self, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_cannot_be_written_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    monkeypatch.setattr("sys.stderr", Full())
    Journal().error("the disk is full")


def test_a_log_takes_any_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    Journal().info("\udce9 \x1b[31m")
    assert capsys.readouterr().err.endswith("Z \\udce9 \\x1b[31m\n")


def test_the_unit_is_rendered_for_the_environment_and_the_address(tmp_path: Path) -> None:
    template = shipped("systemd/soak.service").read_text()
    loaded = config.load(shipped("configs/service.toml"))
    text = installation.unit(template, Path("/opt/x/bin/soak"), loaded)
    assert "ExecStart=/opt/x/bin/soak serve --config /etc/soak/soak.toml\n" in text
    assert "IPAddressDeny=any" in text
    assert "ProtectHome=yes" in text
    assert "ProtectHome=read-only" in installation.unit(template, Path("/home/me/v/bin/soak"), loaded)
    (tmp_path / "run.toml").write_text('[run]\nduration = "1 min"\n[[trial]]\nworkload = "recurrent"\n')
    path = tmp_path / "soak.toml"
    path.write_text(
        '[service]\nlisten = "0.0.0.0:9109"\n[[schedule]]\nname = "s"\nconfig = "run.toml"\nevery = "1 h"\n'
    )
    assert "IPAddress" not in installation.unit(template, Path("/opt/x/bin/soak"), config.load(path))


def test_an_environment_that_others_cannot_enter_is_refused(tmp_path: Path) -> None:
    python = tmp_path / "closed" / "bin" / "python"
    python.parent.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    assert "only its owner may enter" in installation.unreachable(python)
