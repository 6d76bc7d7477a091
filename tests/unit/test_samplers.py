"""What each sampler makes of the recorded trees, number by number."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from monitors.model import NoDataError, Roots, Sampler, Target
from monitors.round import Round
from monitors.samplers import tester
from monitors.samplers.cgroup_memory import CgroupMemory
from monitors.samplers.host import Host
from monitors.samplers.process_counts import ProcessCounts
from monitors.samplers.process_cpu import ProcessCpu
from monitors.samplers.process_memory import ProcessMemory
from monitors.samplers.process_pss import ProcessPss
from monitors.samplers.process_total import ProcessTotal
from monitors.samplers.shm_files import ShmFiles
from monitors.samplers.worker_heap import WorkerHeap
from monitors.samplers.worker_progress import WorkerProgress
from monitors.sources import procfs

FIXTURES = Path(__file__).parent.parent / "fixtures"
RECORDED = Roots(proc=FIXTURES / "proc")
TREE = Target(pid=4100, tester_pid=4109)
V1 = FIXTURES / "cgroup_v1/sys/fs/cgroup/memory/soak/trial-1"
V2 = FIXTURES / "cgroup_v2/sys/fs/cgroup/system.slice/soak.service/trial-1"
KIB = 1024


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    return shutil.copytree(RECORDED.proc, tmp_path / "proc")


def values(sampler: Sampler, target: Target) -> dict[str, float]:
    return {sample.metric.name: sample.value for sample in sampler.sample(target)}


def fresh(**changes: object) -> Target:
    return Target(pid=4100, **changes)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def rewrite(path: Path, pattern: str, new: str) -> None:
    text, count = re.subn(pattern, new, path.read_text())
    assert count == 1
    path.write_text(text)


def test_process_memory_sums_the_living_of_the_tree() -> None:
    assert values(ProcessMemory(RECORDED), fresh()) == {
        "rss_bytes": (37736 + 32060) * KIB,
        "anonymous_bytes": (28552 + 512 + 28548) * KIB,
        "file_bytes": (6112 + 3512) * KIB,
        "shared_bytes": (3072 + 0) * KIB,
        "virtual_bytes": (114456 + 114456) * KIB,
    }


def test_process_memory_of_an_old_kernel_has_no_anonymous_memory_rather_than_zero(proc: Path) -> None:
    for path in proc.glob("*/status"):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not line.startswith("Rss")))
    assert values(ProcessMemory(Roots(proc)), fresh()).keys() == {"rss_bytes", "virtual_bytes"}


def test_process_counts() -> None:
    assert values(ProcessCounts(RECORDED), fresh()) == {"threads": 3, "children": 2, "zombies": 1, "fds": 14}


def test_descriptors_that_may_not_be_read_are_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(proc: Path, pid: int) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(procfs, "count_fds", refuse)
    result = Round({"counts": ProcessCounts(RECORDED)}, lambda: 0.0).take(fresh(), 0.0)
    assert [sample.metric.name for sample in result.samples] == ["threads", "children", "zombies"]
    assert "4100 may not be read" in result.events[0].message


def test_process_cpu_counts_the_reaped_too_and_never_falls(proc: Path) -> None:
    sampler = ProcessCpu(Roots(proc))
    before = values(sampler, fresh())["cpu_seconds"]
    assert before == pytest.approx((28 + 190 + 15) / procfs.TICKS_PER_SECOND)
    shutil.rmtree(proc / "4101")
    assert values(sampler, fresh())["cpu_seconds"] == before
    replace(proc / "4100/stat", " 26 2 150 40 ", " 126 2 150 40 ")
    assert values(sampler, fresh())["cpu_seconds"] == pytest.approx((128 + 190) / procfs.TICKS_PER_SECOND)


def test_process_pss(proc: Path) -> None:
    pss = procfs.read_rollup(proc, 4101)
    assert pss is not None
    assert values(ProcessPss(Roots(proc)), fresh()) == {
        "pss_bytes": 19765 * KIB + pss.pss,
        "uss_bytes": (104 + 3884) * KIB + pss.uss,
    }


def test_process_pss_without_a_rollup_is_no_data(proc: Path) -> None:
    for path in proc.glob("*/smaps_rollup"):
        path.unlink()
    with pytest.raises(NoDataError, match="no smaps_rollup"):
        values(ProcessPss(Roots(proc)), fresh())


def test_cgroup_memory_in_both_layouts() -> None:
    assert values(CgroupMemory(Roots()), Target(cgroup=V1)) == {
        "cgroup_anonymous_bytes": 48992256,
        "cgroup_file_bytes": 12152832,
        "cgroup_shared_bytes": 5242880,
        "kernel_charged_bytes": 442368,
        "cgroup_total_bytes": 48992256 + 5242880,
        "oom_kills": 1,
    }
    assert values(CgroupMemory(Roots()), Target(cgroup=V2)) == {
        "cgroup_anonymous_bytes": 209715200 + 1048576,
        "cgroup_file_bytes": 83886080,
        "cgroup_shared_bytes": 20971520,
        "kernel_bytes": 9502720,
        "kernel_charged_bytes": 9502720 + 7340032,
        "cgroup_total_bytes": 209715200 + 1048576 + 20971520 + 9502720,
        "oom_kills": 2,
    }


def test_memory_taken_from_the_machine_counts_each_shared_page_once(proc: Path) -> None:
    """4100 and 4101 map the same 3 MiB: 4100's share of each page is told in full by its rollup, 4101's is none."""
    now = [0.0]

    def clock() -> float:
        now[0] += 0.25
        return now[0]

    status = {pid: procfs.read_status(proc, pid) for pid in (4100, 4101)}
    own = sum((one.anonymous or 0) + (one.swap or 0) for one in status.values() if one)
    shared = {pid: one.shared for pid, one in status.items() if one}
    assert values(ProcessTotal(Roots(proc), clock), fresh()) == {"total_bytes": own + (shared[4100] or 0)}

    path = proc / "4101/status"
    path.write_text(re.sub(r"RssShmem:\s+0 kB", "RssShmem:\t 3072 kB", path.read_text()))
    for pid, share in ((4100, 2048), (4101, 1024)):
        rollup = proc / f"{pid}/smaps_rollup"
        rollup.write_text(re.sub(r"Pss_Shmem:\s+\d+ kB", f"Pss_Shmem: {share} kB", rollup.read_text()))
    sampler = ProcessTotal(Roots(proc), clock)
    assert values(sampler, fresh()) == {"total_bytes": own + 3072 * KIB}
    rewrite(proc / "4100/status", r"RssAnon:\s+\d+ kB", "RssAnon:\t 30000 kB")
    own += 30000 * KIB - (status[4100].anonymous or 0 if status[4100] else 0)
    rewrite(path, r"RssShmem:.*", "RssShmem:\t 3200 kB")
    assert values(sampler, fresh()) == {"total_bytes": own + 3072 * KIB}, "shares hold while nobody maps much more"
    rewrite(path, r"RssShmem:.*", "RssShmem:\t 4096 kB")
    rewrite(proc / "4101/smaps_rollup", r"Pss_Shmem:.*", "Pss_Shmem: 2048 kB")
    assert values(sampler, fresh()) == {}, "reading took a quarter of a second, and 60 s were saved: not for 190 s"
    now[0] += 188.0
    assert values(sampler, fresh()) == {}
    now[0] += 2.0
    assert values(sampler, fresh()) == {"total_bytes": own + 4096 * KIB}


def test_shares_are_read_again_when_they_change_and_seldom_otherwise(proc: Path) -> None:
    """A read takes 4 ms, as of a server of half a gigabyte; rounds come every half second."""
    now, reads = [0.0], [0]

    def clock() -> float:
        now[0] += 0.002
        return now[0]

    def read_rollup(proc: Path, pid: int) -> procfs.Rollup:
        reads[0] += pid == 4100
        now[0] += 0.001
        return procfs.Rollup(0, 0, pid * KIB)

    sampler = ProcessTotal(Roots(proc), clock)
    sampled: list[bool] = []

    def rounds(seconds: float, changing: bool = False) -> int:
        before = reads[0]
        for at in range(int(2 * seconds)):
            rewrite(proc / "4101/status", r"RssShmem:.*", f"RssShmem:\t {1024 + 300 * (at % 7 if changing else 0)} kB")
            sampled.append(bool(values(sampler, fresh())))
            now[0] += 0.5
        return reads[0] - before

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(procfs, "read_rollup", read_rollup)
        assert rounds(300) == 5, "once a minute"
        assert all(sampled)
        assert 13 <= rounds(7, changing=True) <= 14, (
            "what was saved up is spent: a minute of 1 ms a second, 4 ms a read"
        )
        assert all(sampled)
        sampled.clear()
        assert rounds(400, changing=True) <= 0.001 * (400 + 60) / 0.004 + 1
        gaps = np.diff(np.flatnonzero(sampled[-400:])) / 2
        assert gaps.max() <= 4.5, "and then regularly, by the cost of a read"


def test_memory_taken_from_the_machine_without_shares_takes_the_largest(proc: Path) -> None:
    path = proc / "4101/status"
    path.write_text(re.sub(r"RssShmem:\s+0 kB", "RssShmem:\t 1024 kB", path.read_text()))
    for rollup in proc.glob("*/smaps_rollup"):
        rollup.unlink()
    status = [procfs.read_status(proc, pid) for pid in (4100, 4101)]
    own = sum((one.anonymous or 0) + (one.swap or 0) for one in status if one)
    assert values(ProcessTotal(Roots(proc)), fresh()) == {"total_bytes": own + 3072 * KIB}


def ending(proc: Path, pid: int) -> None:
    """As the kernel tells of a process that has let go of its memory, and is not a zombie yet."""
    lines = (proc / f"{pid}/status").read_text().splitlines(keepends=True)
    (proc / f"{pid}/status").write_text("".join(line for line in lines if not line.startswith(("Vm", "Rss"))))
    (proc / f"{pid}/smaps_rollup").unlink()


def test_of_a_process_that_is_ending_nothing_is_counted(proc: Path) -> None:
    root = procfs.read_status(proc, 4100)
    assert root is not None
    ending(proc, 4101)
    held = sum(amount or 0 for amount in (root.anonymous, root.swap, root.shared))
    taken = Round({"total": ProcessTotal(Roots(proc))}, lambda: 0.0).take(fresh(), 0.0)
    assert ([sample.value for sample in taken.samples], taken.events) == ([held], ())


def test_memory_of_a_kernel_that_reports_no_anonymous_memory_is_absent_and_told(proc: Path) -> None:
    for path in proc.glob("*/status"):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not line.startswith("Rss")))
    with pytest.raises(NoDataError, match="the kernel does not report anonymous memory"):
        values(ProcessTotal(Roots(proc)), fresh())


@pytest.mark.parametrize("sampler", [ProcessTotal, ProcessPss])
def test_a_tree_whose_root_is_ending_has_ended(proc: Path, sampler: Callable[[Roots], Sampler]) -> None:
    for pid in (4100, 4101):
        ending(proc, pid)
    with pytest.raises(NoDataError, match="process 4100 has ended"):
        values(sampler(Roots(proc)), fresh())


def test_files_in_dev_shm_that_nobody_maps_are_seen_without_a_cgroup(proc: Path, tmp_path: Path) -> None:
    shm = tmp_path / "shm"
    shm.mkdir()
    (shm / "old").write_bytes(b"x" * 8192)
    (proc / "4109" / "environ").write_bytes(b"HOME=/root\0")
    sampler = ShmFiles(Roots(proc, shm=shm), lambda: 0.0)
    assert values(sampler, fresh()) == {"shm_files_bytes": 0}
    (shm / "orphan_4100_1").write_bytes(b"x" * 65536)
    (shm / "of_4109_another").write_bytes(b"x" * 65536)
    assert values(sampler, fresh()) == {"shm_files_bytes": 65536}, "4109 lives, and is of no tree of ours"
    (shm / "psm_4109beef").write_bytes(b"")  # a random word, which has the digits of that process
    mapped = shm / "mapped"
    mapped.write_bytes(b"x" * 65536)
    inode = mapped.stat().st_ino
    (proc / "4101/maps").write_text(f"7f00-7f01 rw-s 00000000 00:19 {inode}    {mapped}\n7f02-7f03 rw-p 0 00:00 0\n")
    assert values(sampler, fresh()) == {"shm_files_bytes": 65536}, "4109 lives, and is of no tree of ours"
    (shm / "orphan_4100_1").unlink()
    assert values(sampler, fresh()) == {"shm_files_bytes": 0}
    with pytest.raises(NoDataError, match="cgroup is charged"):
        values(sampler, fresh(cgroup=V1))


def test_files_in_dev_shm_are_nobodys_while_trials_run_side_by_side(proc: Path, tmp_path: Path) -> None:
    now = [0.0]
    first, second = (ShmFiles(Roots(proc, shm=tmp_path), lambda: now[0]) for _ in range(2))
    assert values(first, fresh()) == {"shm_files_bytes": 0}
    for sampler in (second, first):
        with pytest.raises(NoDataError, match="run at the same time"):
            values(sampler, fresh())
    now[0] += 60.0
    assert values(second, fresh()) == {"shm_files_bytes": 0}, "the first is over"


def test_files_in_dev_shm_are_nobodys_while_a_trial_of_another_run_runs(proc: Path, tmp_path: Path) -> None:
    sampler = ShmFiles(Roots(proc, shm=tmp_path), lambda: 0.0)
    for pid in ("4100", "4101"):
        (proc / pid / "environ").write_bytes(b"HOME=/root\0SOAK_TRIAL=0-ours\0")
    assert values(sampler, fresh()) == {"shm_files_bytes": 0}
    (proc / "4109" / "environ").write_bytes(b"SOAK_TRIAL=0-theirs\0")
    with pytest.raises(NoDataError, match="another run"):
        values(sampler, fresh())


def test_cgroup_memory_of_a_shared_or_lost_cgroup_is_no_data(tmp_path: Path) -> None:
    for target in (Target(), Target(cgroup=tmp_path / "gone")):
        with pytest.raises(NoDataError):
            values(CgroupMemory(Roots()), target)


def test_host() -> None:
    assert values(Host(RECORDED), Target()) == {
        "host_available_bytes": 24256240 * KIB,
        "host_swap_used_bytes": 1024 * KIB,
        "host_memory_pressure_ratio": pytest.approx(0.125),
        "host_cpu_pressure_ratio": pytest.approx(0.0375),
        "host_load": 1.25,
        "host_cpu_seconds": procfs.read_host_cpu(RECORDED.proc),
        "host_oom_kills": 2,
    }


def test_a_host_without_pressure_still_tells_the_rest(proc: Path) -> None:
    shutil.rmtree(proc / "pressure")
    found = values(Host(Roots(proc)), Target())
    assert "host_available_bytes" in found
    assert not [name for name in found if "pressure" in name]


def test_tester() -> None:
    assert values(tester.Tester(RECORDED), TREE) == {
        "tester_rss_bytes": 32060 * KIB,
        "tester_cpu_seconds": pytest.approx(15 / procfs.TICKS_PER_SECOND),
        "tester_fds": 1,
        "tester_threads": 1,
    }


@pytest.mark.parametrize("make", [WorkerHeap, WorkerProgress])
def test_every_metric_of_a_beat_comes_through(make: Callable[[Roots], Sampler]) -> None:
    sampler = make(Roots())
    names = {spec.name for spec in sampler.specs} - {"beat_age_seconds", "program_value"}
    beat = {name: float(n) for n, name in enumerate(sorted(names))}
    found = values(sampler, Target(beat={**beat, "unheard_of": 99.0}, beat_number=1))
    # What no sampler knows comes through the one that tells of the program.
    assert found == {**beat, **({"program_value": 99.0} if make is WorkerProgress else {})}
    partial = dict(list(beat.items())[:2])
    assert values(sampler, Target(beat=partial, beat_number=2)) == partial
