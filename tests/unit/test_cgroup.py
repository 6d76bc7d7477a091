"""Version 1 was recorded from a real cgroup with a limit and one OOM kill; version 2 is laid out as Linux 6.x does."""

import shutil
from pathlib import Path

import pytest

from monitors.model import Roots
from monitors.samplers import cgroup_memory
from monitors.sources import cgroup
from monitors.sources.cgroup import Cgroup, CgroupUsage
from monitors.sources.files import ParseError

FIXTURES = Path(__file__).parent.parent / "fixtures"
V1 = Roots(FIXTURES / "cgroup_v1/proc", FIXTURES / "cgroup_v1/sys")
V2 = Roots(FIXTURES / "cgroup_v2/proc", FIXTURES / "cgroup_v2/sys")
TRIAL_V1 = Cgroup(V1.sys / "fs/cgroup/memory/soak/trial-1", 1)
TRIAL_V2 = Cgroup(V2.sys / "fs/cgroup/system.slice/soak.service/trial-1", 2)


@pytest.fixture
def host(tmp_path: Path) -> Roots:
    """A writable copy of the version 2 host."""
    shutil.copytree(V2.proc, tmp_path / "proc")
    return Roots(tmp_path / "proc", shutil.copytree(V2.sys, tmp_path / "sys"))


def test_the_cgroup_of_a_process_is_found_in_both_layouts() -> None:
    assert cgroup.find(V1, 4100) == TRIAL_V1
    assert cgroup.find(V2, 4100) == TRIAL_V2


def test_a_process_or_a_mount_that_is_not_there_has_none(host: Roots) -> None:
    assert cgroup.find(V2, 4999) is None
    (host.proc / "self/mountinfo").unlink()
    assert cgroup.find(host, 4100) is None


def test_a_mount_of_a_part_of_the_hierarchy_is_followed(host: Roots) -> None:
    """As in a container: the mount shows /docker/abc as its top."""
    (host.proc / "self/mountinfo").write_text("26 25 0:24 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    (host.proc / "4100/cgroup").write_text("0::/docker/abc/trial\n")
    assert cgroup.find(host, 4100) == Cgroup(host.sys / "fs/cgroup/trial", 2)
    (host.proc / "4100/cgroup").write_text("0::/docker/abc\n")
    assert cgroup.find(host, 4100) == Cgroup(host.sys / "fs/cgroup", 2)


@pytest.mark.parametrize("path", ["/docker/abcdef/trial", "/elsewhere", "/docker/abc/../other"])
def test_a_cgroup_outside_of_the_mount_is_none(host: Roots, path: str) -> None:
    (host.proc / "self/mountinfo").write_text("26 25 0:24 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    (host.proc / "4100/cgroup").write_text(f"0::{path}\n")
    assert cgroup.find(host, 4100) is None


def test_a_mount_point_may_hold_a_space(host: Roots) -> None:
    (host.proc / "self/mountinfo").write_text("26 25 0:24 / /sys/fs/my\\040cgroup rw - cgroup2 cgroup2 rw\n")
    (host.proc / "4100/cgroup").write_text("0::/trial\n")
    assert cgroup.find(host, 4100) == Cgroup(host.sys / "fs/my cgroup/trial", 2)


def test_memory_version_1_cannot_tell_which_slab_can_be_reclaimed() -> None:
    assert cgroup.read_memory(TRIAL_V1.path) == CgroupUsage(
        anonymous=48992256, swap=0, file=17395712 - 5242880, shared=5242880, kernel=None, kernel_charged=434176 + 8192
    )


def test_slab_that_can_be_reclaimed_is_judged_in_neither_version(tmp_path: Path) -> None:
    """What a worker writes fills the page cache, and the slab that keeps its books."""
    (tmp_path / "v1").mkdir()
    (tmp_path / "v2").mkdir()
    seen: list[tuple[int | None, int | None]] = []
    for written in (0, 583 * 2**20):
        (tmp_path / "v1/memory.stat").write_text("total_rss 4096\ntotal_cache 4096\n")
        (tmp_path / "v1/memory.kmem.usage_in_bytes").write_text(f"{8192 + written}\n")
        (tmp_path / "v2/memory.stat").write_text(
            f"anon 4096\nfile 4096\nkernel {8192 + written}\nslab_reclaimable {written}\n"
        )
        one, two = (cgroup.read_memory(tmp_path / version) for version in ("v1", "v2"))
        assert one is not None
        assert two is not None
        seen.append((one.kernel, two.kernel))
    assert seen == [(None, 8192), (None, 8192)]
    judged = {spec.name for spec in cgroup_memory.SAMPLER.specs if spec.judged}
    assert judged == {"kernel_bytes", "cgroup_shared_bytes", "cgroup_total_bytes"}, (
        "the sum has this kernel memory in it"
    )


def test_memory_version_2_leaves_out_the_slab_that_can_be_reclaimed() -> None:
    assert cgroup.read_memory(TRIAL_V2.path) == CgroupUsage(
        anonymous=209715200,
        swap=1048576,
        file=104857600 - 20971520,
        shared=20971520,
        kernel=16777216 + 65536 - 7340032,
        kernel_charged=16777216 + 65536,
    )


def test_before_linux_5_18_kernel_memory_is_the_sum_of_its_parts() -> None:
    memory = cgroup.read_memory(V2.sys / "fs/cgroup/before_5.18")
    assert memory is not None
    assert memory.kernel == 12582912 + 1048576 + 2097152 + 524288 + 65536 - 7340032
    assert memory.swap is None


def test_oom_kills() -> None:
    assert cgroup.read_oom_kills(TRIAL_V1.path) == 1
    assert cgroup.read_oom_kills(TRIAL_V2.path) == 2


def test_the_tightest_limit_of_the_ancestors_holds(host: Roots) -> None:
    assert cgroup.read_limit(TRIAL_V2) == 8589934592
    trial = cgroup.find(host, 4100)
    assert trial is not None
    (trial.path / "memory.max").write_text("1048576\n")
    assert cgroup.read_limit(trial) == 1048576


def test_limit_version_1(tmp_path: Path) -> None:
    assert cgroup.read_limit(TRIAL_V1) == 268435456
    trial = Cgroup(shutil.copytree(TRIAL_V1.path, tmp_path / "trial"), 1)
    (trial.path / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert cgroup.read_limit(trial) == 268435456, "an ancestor's, told by memory.stat"
    (trial.path / "memory.stat").write_text("hierarchical_memory_limit 9223372036854771712\n")
    assert cgroup.read_limit(trial) is None


def test_unlimited_is_none(host: Roots) -> None:
    trial = cgroup.find(host, 4100)
    assert trial is not None
    (trial.path.parent / "memory.max").write_text("max\n")
    assert cgroup.read_limit(trial) is None


def test_a_cgroup_that_is_gone_is_none(tmp_path: Path) -> None:
    assert cgroup.read_memory(tmp_path) is None
    assert cgroup.read_oom_kills(tmp_path) is None
    assert cgroup.read_limit(Cgroup(tmp_path, 2)) is None


@pytest.mark.parametrize("content", ["anon many\nfile 1\n", "anon 1\nfi", "garbage", "anon 1\nfile 12"])
def test_garbage_is_an_error_that_names_the_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "memory.stat").write_text(content)
    with pytest.raises(ParseError, match=r"memory\.stat"):
        cgroup.read_memory(tmp_path)


def test_a_membership_that_cannot_be_read_is_an_error(host: Roots) -> None:
    (host.proc / "4100/cgroup").write_text("nonsense\n")
    with pytest.raises(ParseError, match="4100/cgroup"):
        cgroup.find(host, 4100)


def test_the_real_machine_gives_sane_amounts() -> None:
    found = cgroup.find(Roots(), 1)
    if found is None:
        pytest.skip("no cgroup of ours can be seen here")
    memory = cgroup.read_memory(found.path)
    if memory is None:
        pytest.skip("the cgroup accounts no memory here")
    assert 0 <= memory.anonymous < 1 << 44
    assert 0 <= memory.file < 1 << 44
