"""The recorded tree: 4100 forked 4101 in its second thread, 4101 left 4102 a zombie, 4109 is a bystander."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from monitors.model import NoDataError, Roots, Target
from monitors.sources import procfs
from monitors.sources.files import ParseError
from monitors.sources.process_tree import TreeReader

PROC = Path(__file__).parent.parent / "fixtures/proc"
KIB = 1024


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    return shutil.copytree(PROC, tmp_path / "proc")


def still() -> float:
    return 0.0


def follow(proc: Path) -> TreeReader:
    """By a clock that makes every search free."""
    return TreeReader(Roots(proc=proc), still)


def read_pids(reader: TreeReader, **known: Any) -> set[int]:
    return set(reader.read(Target(pid=4100, **known)).members)


def reparent(proc: Path, pid: int, old: int, new: int) -> None:
    path = proc / str(pid) / "stat"
    path.write_text(path.read_text().replace(f" {old} 5608 ", f" {new} 5608 "))


def test_status_gives_bytes() -> None:
    status = procfs.read_status(PROC, 4100)
    assert status == procfs.ProcessStatus(
        rss=37736 * KIB,
        anonymous=28552 * KIB,
        file=6112 * KIB,
        shared=3072 * KIB,
        swap=512 * KIB,
        virtual=114456 * KIB,
        threads=2,
    )


def test_a_zombie_holds_no_memory_and_is_not_said_to_hold_zero() -> None:
    status = procfs.read_status(PROC, 4102)
    assert status is not None
    assert (status.rss, status.anonymous, status.threads) == (None, None, 1)


def test_stat_reads_a_command_with_spaces_parentheses_and_a_newline() -> None:
    stat = procfs.read_stat(PROC, 4101)
    assert stat is not None
    assert (stat.command, stat.state, stat.parent, stat.started) == ("a) R (b\nc d", "S", 4100, 964542)
    assert stat.cpu_seconds == pytest.approx(15 / procfs.TICKS_PER_SECOND)


def test_stat_tells_own_time_from_that_of_reaped_children() -> None:
    stat = procfs.read_stat(PROC, 4100)
    assert stat is not None
    assert stat.cpu_seconds == pytest.approx(28 / procfs.TICKS_PER_SECOND)
    assert stat.reaped_cpu_seconds == pytest.approx(190 / procfs.TICKS_PER_SECOND)


def test_only_a_zombie_is_not_alive() -> None:
    states = {pid: procfs.read_stat(PROC, pid) for pid in (4100, 4101, 4102)}
    assert [stat and stat.alive for stat in states.values()] == [True, True, False]


def test_rollup() -> None:
    assert procfs.read_rollup(PROC, 4100) == procfs.Rollup(
        pss=19765 * KIB, uss=(104 + 3884) * KIB, pss_shared=3072 * KIB
    )


def test_fds_are_counted() -> None:
    assert procfs.count_fds(PROC, 4100) == 7


def test_children_of_all_threads_are_found() -> None:
    assert procfs.children(PROC, 4100) == {4101}
    assert procfs.children(PROC, 4102) == set()


def test_the_host() -> None:
    memory = procfs.read_host_memory(PROC)
    assert memory == procfs.HostMemory(24684092 * KIB, 24256240 * KIB, 1024 * KIB)
    assert procfs.read_oom_kills(PROC) == 2
    assert procfs.read_pressure(PROC, "memory") == pytest.approx(0.125)
    assert procfs.read_pressure(PROC, "cpu") == pytest.approx(0.0375)
    assert procfs.read_load(PROC) == pytest.approx(1.25)
    busy = 2027500 + 421400 + 135600 + 3800 + 4200
    assert procfs.read_host_cpu(PROC) == pytest.approx(busy / procfs.TICKS_PER_SECOND), "neither idle nor waiting"


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    readers = (procfs.read_status, procfs.read_stat, procfs.read_rollup, procfs.count_fds)
    assert [read(tmp_path, 1) for read in readers] == [None] * 4
    assert procfs.children(tmp_path, 1) == set()
    host = (procfs.read_host_memory, procfs.read_oom_kills, procfs.read_load, procfs.read_host_cpu)
    assert [read(tmp_path) for read in host] == [None] * 4
    assert procfs.read_pressure(tmp_path, "io") is None


def test_a_kernel_that_counts_no_oom_kills_says_none(proc: Path) -> None:
    (proc / "vmstat").write_text("nr_free_pages 1\n")
    assert procfs.read_oom_kills(proc) is None


@pytest.mark.parametrize("cut", ["VmRSS:\t   37", "RssAnon:\t   28552 kB\n", "VmSwap:"])
def test_a_status_that_breaks_off_is_an_error_that_names_the_file(proc: Path, cut: str) -> None:
    path = proc / "4100/status"
    text = path.read_text()
    path.write_text(text[: text.index(cut) + len(cut)])
    with pytest.raises(ParseError, match="4100/status"):
        procfs.read_status(proc, 4100)


@pytest.mark.parametrize(
    ("file", "content", "reader"),
    [
        ("4100/status", "VmRSS:\tmany kB\nThreads:\t2\n", lambda proc: procfs.read_status(proc, 4100)),
        ("4100/status", "VmRSS:\t12 MB\nThreads:\t2\n", lambda proc: procfs.read_status(proc, 4100)),
        ("4100/stat", "4100 python S 1 2 3\n", lambda proc: procfs.read_stat(proc, 4100)),
        ("4100/stat", "4100 (python) S 1 2 3\n", lambda proc: procfs.read_stat(proc, 4100)),
        ("4100/smaps_rollup", "Rss: 12 kB\n", lambda proc: procfs.read_rollup(proc, 4100)),
        ("4100/task/4107/children", "4101 x ", lambda proc: procfs.children(proc, 4100)),
        ("meminfo", "\0\0\0\0", lambda proc: procfs.read_host_memory(proc)),
        ("vmstat", "oom_kill -1\n", lambda proc: procfs.read_oom_kills(proc)),
        ("pressure/cpu", "some avg10=nan \n", lambda proc: procfs.read_pressure(proc, "cpu")),
        ("loadavg", "inf 0 0\n", lambda proc: procfs.read_load(proc)),
        ("loadavg", " \n", lambda proc: procfs.read_load(proc)),
        ("stat", "cpu  1 2 3\n", lambda proc: procfs.read_host_cpu(proc)),
        ("stat", "cpu0 1 2 3 4 5 6 7 8 9 0\n", lambda proc: procfs.read_host_cpu(proc)),
    ],
)
def test_garbage_is_an_error_that_names_the_file(proc: Path, file: str, content: str, reader) -> None:
    (proc / file).write_text(content)
    with pytest.raises(ParseError) as caught:
        reader(proc)
    assert str(proc / file) in str(caught.value)


def test_the_tree_holds_grandchildren_and_no_bystander() -> None:
    tree = TreeReader(Roots(proc=PROC)).read(Target(pid=4100))
    assert set(tree.members) == {4100, 4101, 4102}
    assert sorted(tree.living) == [4100, 4101]


def test_the_tree_is_the_same_in_a_kernel_without_lists_of_children(proc: Path) -> None:
    for path in proc.glob("*/task/*/children"):
        path.unlink()
        (path.parent / "stat").touch()
    assert read_pids(follow(proc)) == {4100, 4101, 4102}


def test_a_member_skipped_by_the_list_of_children_stays_while_it_lives(proc: Path) -> None:
    reader = follow(proc)
    read_pids(reader)
    (proc / "4100/task/4107/children").write_text("")
    assert read_pids(reader) == {4100, 4101, 4102}


def test_an_orphan_stays_a_member_with_the_children_it_has_later(proc: Path) -> None:
    reader = follow(proc)
    read_pids(reader)
    (proc / "4100/task/4107/children").write_text("")
    reparent(proc, 4101, 4100, 1)
    reparent(proc, 4109, 1, 4101)
    (proc / "4101/task/4101/children").write_text("4102 4109 ")
    assert read_pids(reader) == {4100, 4101, 4102, 4109}


def test_a_member_that_died_is_gone_and_one_with_its_pid_is_another(proc: Path) -> None:
    reader = follow(proc)
    read_pids(reader)
    (proc / "4100/task/4107/children").write_text("")
    path = proc / "4101/stat"
    path.write_text(path.read_text().replace(" 964542 ", " 999999 "))
    shutil.rmtree(proc / "4102")
    assert read_pids(reader) == {4100}


def test_a_child_that_is_not_its_parents_any_more_is_not_taken(proc: Path) -> None:
    (proc / "4100/task/4107/children").write_text("4101 4109 ")
    assert read_pids(follow(proc)) == {4100, 4101, 4102}


def test_the_cgroup_adds_orphans_that_no_walk_can_find(proc: Path, tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").write_text("0\n4100\n4109\n")
    assert read_pids(follow(proc), cgroup=tmp_path) == {4100, 4101, 4102, 4109}


def test_what_left_the_tree_is_followed_as_long_as_it_lives(proc: Path) -> None:
    reader = follow(proc)
    assert read_pids(reader, strays=frozenset({4109, 4999})) == {4100, 4101, 4102, 4109}
    shutil.rmtree(proc / "4109")
    assert read_pids(reader, strays=frozenset({4109})) == {4100, 4101, 4102}


@pytest.mark.parametrize(
    ("old", "new"),
    [(" 964538 ", " 964999 "), (") S 4000", ") Z 4000"), (") S 4000", ") X 4000")],
    ids=["recycled", "zombie", "dead"],
)
def test_a_root_that_ended_is_no_data(proc: Path, old: str, new: str) -> None:
    reader = follow(proc)
    read_pids(reader)
    path = proc / "4100/stat"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(NoDataError, match="4100 has ended"):
        read_pids(reader)


def test_no_pid_is_no_data() -> None:
    with pytest.raises(NoDataError):
        TreeReader(Roots(proc=PROC)).read(Target())


def test_a_member_that_vanishes_midway_is_left_out(proc: Path) -> None:
    tree = follow(proc).read(Target(pid=4100))
    (proc / "4101/status").unlink()
    assert [status.threads for status in tree.statuses()] == [2]


def test_a_root_that_vanishes_midway_is_no_data(proc: Path) -> None:
    tree = follow(proc).read(Target(pid=4100))
    (proc / "4100/status").unlink()
    with pytest.raises(NoDataError):
        tree.statuses()


def test_one_round_walks_the_tree_once(proc: Path) -> None:
    target = Target(pid=4100)
    first = follow(proc).read(target)
    assert follow(proc).read(target) is first
    assert follow(proc).read(Target(pid=4100)) is not first


def test_not_every_thread_is_asked_for_its_children_in_every_round(proc: Path) -> None:
    times = iter([0.0, 0.01, 1.0, 19.9, 20.0, 20.01])
    reader = TreeReader(Roots(proc=proc), lambda: next(times))
    read_pids(reader)
    reparent(proc, 4109, 1, 4100)
    (proc / "4100/task/4107/children").write_text("4101 4109 ")
    assert read_pids(reader) == {4100, 4101, 4102}, "10 ms allow one search in 20 s"
    shutil.rmtree(proc / "4102")
    assert read_pids(reader) == {4100, 4101}, "who died is seen at once"
    assert read_pids(reader) == {4100, 4101, 4109}


def test_a_count_that_may_have_missed_a_child_is_no_count(proc: Path) -> None:
    times = iter([0.0, 0.01, 1.0])
    (proc / "loadavg").write_text("1.25 0.80 0.40 1/93 many\n")
    reader = TreeReader(Roots(proc=proc), lambda: next(times))
    assert reader.read(Target(pid=4100)).complete, "every thread was asked"
    assert not reader.read(Target(pid=4100)).complete, "the second thread of 4100 was not asked again"


def test_a_child_of_any_thread_is_found_at_once_by_its_number(proc: Path) -> None:
    times = iter([0.0, 0.01, 1.0, 2.0, 3.0])
    (proc / "loadavg").write_text("1.25 0.80 0.40 1/93 4105\n")
    reader = TreeReader(Roots(proc=proc), lambda: next(times))
    read_pids(reader)
    (proc / "loadavg").write_text("1.25 0.80 0.40 1/93 4110\n")
    shutil.copytree(proc / "4109", proc / "4108")
    reparent(proc, 4109, 1, 4100)
    reparent(proc, 4108, 1, 4100)
    status = proc / "4108/status"
    status.write_text(re.sub(r"Tgid:.*", "Tgid:\t4100", status.read_text()))
    tree = reader.read(Target(pid=4100))
    assert set(tree.members) == {4100, 4101, 4102, 4109}, "and 4108 is a thread"
    assert tree.complete
    (proc / "loadavg").write_text("1.25 0.80 0.40 1/93 9110\n")
    assert not reader.read(Target(pid=4100)).complete, "too many were started to look at each"


def test_a_child_of_a_main_thread_is_found_at_once(proc: Path) -> None:
    times = iter([0.0, 0.01, 1.0])
    reader = TreeReader(Roots(proc=proc), lambda: next(times))
    read_pids(reader)
    reparent(proc, 4109, 1, 4100)
    (proc / "4100/task/4100/children").write_text("4109 ")
    assert read_pids(reader) == {4100, 4101, 4102, 4109}


def test_the_real_machine_agrees_with_what_python_says_of_itself() -> None:
    proc, pid = Path("/proc"), os.getpid()
    stat, status = procfs.read_stat(proc, pid), procfs.read_status(proc, pid)
    assert stat is not None
    assert status is not None
    assert stat.parent == os.getppid()
    assert stat.cpu_seconds == pytest.approx(sum(os.times()[:2]), abs=0.2)
    assert status.rss is not None
    assert status.rss > 5_000_000
    before = procfs.count_fds(proc, pid)
    with (proc / "self/status").open():
        assert procfs.count_fds(proc, pid) == (before or 0) + 1
