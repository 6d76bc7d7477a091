"""In an emulated machine with a real kernel and cgroup v2: each trial has a cgroup of its own below the unit's."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.framework, pytest.mark.timeout(1200)]
NEEDED = ("qemu-system-x86_64", "busybox", "cpio", "depmod")
SOAK = """
[conditions]
free_disk = "1 MiB"
[[schedule]]
name = "greedy"
config = "greedy.toml"
at = 2020-01-01T00:00:00Z
"""
RUN = """
[run]
duration = "120 s"
start_deadline = "20 min"
heartbeat_deadline = "5 min"
[stream]
fps = 100
pace = "real_time"
[[trial]]
name = "greedy"
workload = "fault_native_heap"
framework = "torch"
memory_limit = "400 MiB"
options = { mib_per_second = 20 }
"""
TEST = """
mkdir -p /etc/sysusers.d /etc/tmpfiles.d
{soak} install --config /mnt/soak.toml
unit=/sys/fs/cgroup/system.slice/soak.service
for _ in $(seq 200); do
  sleep 2
  echo "service $(cat $unit/service/memory.max), runs $(cat $unit/runs/memory.max) $(wc -l <$unit/runs/cgroup.procs)"
  for trial in $unit/soak-*; do [ -z "$(cat $trial/cgroup.procs)" ] || echo "limit $(cat $trial/memory.max)"; done
  journalctl -u soak --no-pager | grep -q "a run of greedy ended" && break
done
echo "controllers $(cat $unit/cgroup.subtree_control)"
echo "left $(ls -d $unit/soak-* 2>/dev/null | wc -l)"
journalctl -u soak --no-pager
journalctl -k --no-pager | grep oom-kill
systemctl show soak -p NRestarts -p ActiveState
systemctl stop soak
systemctl show soak -p Result
"""


def test_an_oom_kill_stays_within_the_cgroup_of_its_trial(environment: Path, tmp_path: Path) -> None:
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: apt-get install qemu-system-x86 busybox-static kmod cpio")
    share = tmp_path / "share"
    share.mkdir()
    (share / "soak.toml").write_text(SOAK)
    (share / "greedy.toml").write_text(RUN)
    (share / "test.sh").write_text(TEST.format(soak=environment / "bin" / "soak"))
    subprocess.run([Path(__file__).with_name("vm.sh"), tmp_path / "work", share], check=True, timeout=1000)
    said = (share / "out.log").read_text()
    assert (share / "rc").read_text().strip() == "0", said
    assert f"limit {400 * 2**20}" in said
    assert "controllers memory" in said
    assert re.search(rf"^service {512 * 2**20}, runs max [1-9]", said, re.MULTILINE), (
        "the service is limited, runs are not"
    )
    assert "greedy-torch oom: killed by the kernel" in said
    assert "oom_memcg=/system.slice/soak.service/soak-greedy-" in said, "not of the whole unit"
    assert "NRestarts=0\nActiveState=active" in said, "the service lives"
    assert "left 0" in said
    assert said.rstrip().endswith("Result=success")
