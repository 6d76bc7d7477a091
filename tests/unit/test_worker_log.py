"""The output of a worker stays bounded, and its end is what is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from soak.engine.worker import Worker
from soak.engine.worker_log import WorkerLog


@pytest.fixture
def log(tmp_path: Path) -> Iterator[WorkerLog]:
    log = WorkerLog(tmp_path / "worker.log", most=1000, kept=100)
    yield log
    log.close()


def test_a_small_log_is_left_alone(log: WorkerLog, tmp_path: Path) -> None:
    os.write(log.fd, b"hello\n")
    log.trim()
    assert (tmp_path / "worker.log").read_bytes() == b"hello\n"
    assert log.dropped == 0
    assert not (tmp_path / "worker.log.1").exists()


def test_a_large_one_begins_anew_and_its_end_is_kept(log: WorkerLog, tmp_path: Path) -> None:
    for round_ in range(3):
        os.write(log.fd, b"x" * 2000 + f"end {round_}".encode())
        log.trim()
        os.write(log.fd, b"after\n")
    assert (tmp_path / "worker.log").stat().st_size <= 1000
    assert (tmp_path / "worker.log.1").read_bytes().endswith(b"end 2")
    kept = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert kept + log.dropped == 3 * (2000 + len("end 0") + len("after\n"))


def test_a_tail_reads_no_more_than_it_shows(log: WorkerLog, tmp_path: Path) -> None:
    with (tmp_path / "worker.log").open("ab") as file:
        file.truncate(8 << 30)  # sparse: reading it whole would not fit
        file.seek(0, os.SEEK_END)
        file.write("\nthe end: grün\n".encode())
    assert log.tail(14) == "… the end: grün"


def test_a_tail_begins_with_a_whole_word(log: WorkerLog) -> None:
    os.write(log.fd, b"the token is abcdefgh and more")
    assert log.tail(13) == "… and more"
    assert log.tail(8) == "… and more"
    assert log.tail(100) == "the token is abcdefgh and more"
    assert log.tail(3) == ""


def test_a_tail_of_a_file_that_began_anew_is_one_that_was_cut(log: WorkerLog) -> None:
    os.write(log.fd, b"x" * 2000 + b"tok")
    log.trim()
    os.write(log.fd, b"en and more")
    assert log.tail(100) == "… and more"


def test_a_link_in_its_place_leads_nobody_astray(log: WorkerLog, tmp_path: Path) -> None:
    record = tmp_path / "record"
    record.write_text("precious")
    (tmp_path / "worker.log").unlink()
    (tmp_path / "worker.log").symlink_to(record)
    (tmp_path / "worker.log.1").symlink_to(record)
    os.write(log.fd, b"x" * 5000)
    log.trim()
    assert record.read_text() == "precious"
    with pytest.raises(OSError, match="symbolic"):
        WorkerLog(tmp_path / "worker.log")


def test_the_stacks_of_a_worker_are_bounded_as_its_output_is(tmp_path: Path) -> None:
    worker = object.__new__(Worker)
    worker.log, worker._stacks = (WorkerLog(tmp_path / name, most=10, kept=4) for name in ("worker.log", "stacks.txt"))
    os.write(worker.log.fd, b"a" * 11)
    os.write(worker._stacks.fd, b"b" * 11)
    worker.trim_logs()
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes == {"worker.log": 0, "worker.log.1": 4, "stacks.txt": 0, "stacks.txt.1": 4}
    worker.log.close()
    worker._stacks.close()
