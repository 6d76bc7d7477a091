"""Whatever stands in a file of /proc or of a cgroup, a reader understands it, finds nothing, or names the file."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monitors.model import Roots
from monitors.sources import cgroup, procfs
from monitors.sources.files import ParseError

FIXTURES = Path(__file__).parent.parent / "fixtures"
PID = 4100
READERS: dict[str, tuple[Path, Callable[[Path], object]]] = {
    "4100/status": (FIXTURES / "proc/4100/status", lambda root: procfs.read_status(root, PID)),
    "4100/stat": (FIXTURES / "proc/4100/stat", lambda root: procfs.read_stat(root, PID)),
    "4100/smaps_rollup": (FIXTURES / "proc/4100/smaps_rollup", lambda root: procfs.read_rollup(root, PID)),
    "4100/task/4107/children": (
        FIXTURES / "proc/4100/task/4107/children",
        lambda root: procfs.children(root, PID),
    ),
    "meminfo": (FIXTURES / "proc/meminfo", procfs.read_host_memory),
    "vmstat": (FIXTURES / "proc/vmstat", procfs.read_oom_kills),
    "pressure/memory": (FIXTURES / "proc/pressure/memory", lambda root: procfs.read_pressure(root, "memory")),
    "loadavg": (FIXTURES / "proc/loadavg", procfs.read_load),
    "stat": (FIXTURES / "proc/stat", procfs.read_host_cpu),
    "memory.stat": (
        FIXTURES / "cgroup_v2/sys/fs/cgroup/system.slice/soak.service/trial-1/memory.stat",
        cgroup.read_memory,
    ),
    "memory.events": (
        FIXTURES / "cgroup_v2/sys/fs/cgroup/system.slice/soak.service/trial-1/memory.events",
        cgroup.read_oom_kills,
    ),
    "4100/cgroup": (FIXTURES / "cgroup_v1/proc/4100/cgroup", lambda root: cgroup.find(Roots(root), PID)),
    "self/mountinfo": (FIXTURES / "cgroup_v1/proc/self/mountinfo", lambda root: _find(root)),
}
FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _find(root: Path) -> object:
    (root / "4100").mkdir(exist_ok=True)
    (root / "4100/cgroup").write_text("4:memory:/soak/trial-1\n0::/\n")
    return cgroup.find(Roots(root), PID)


def holds_or_names_the_file(root: Path, name: str, content: bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    refusal = None
    try:
        READERS[name][1](root)
    except ParseError as error:
        refusal = error
    assert refusal is None or (refusal.path == str(path) and str(path) in str(refusal))


@pytest.mark.parametrize("name", READERS)
@FAST
@given(content=st.binary(max_size=400))
@example(content=b"\0" * 64)
@example(content=b"\n" * 3)
@example(content=b")(")
@example(content=b"9" * 5000)
@example(content=b"1 (x) S 1" + b" 9" * 9 + b" " + b"9" * 400 + b" 1" * 9)
@example(content="oom_kill ²\nThreads: ²\n".encode())
def test_any_bytes_are_understood_or_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    holds_or_names_the_file(tmp_path, name, content)


@pytest.mark.parametrize("name", READERS)
@FAST
@given(data=st.data())
def test_a_real_file_cut_and_damaged_is_understood_or_refused_by_name(tmp_path: Path, name: str, data) -> None:
    real = READERS[name][0].read_bytes()
    begin = data.draw(st.integers(0, len(real)))
    end = data.draw(st.integers(begin, len(real)))
    holds_or_names_the_file(tmp_path, name, real[:begin] + data.draw(st.binary(max_size=8)) + real[end:])


@FAST
@given(cut=st.integers(0, 1500))
def test_a_status_cut_short_never_gives_an_amount_that_is_not_true(tmp_path: Path, cut: int) -> None:
    real = READERS["4100/status"][0].read_bytes()
    whole = procfs.read_status(FIXTURES / "proc", PID)
    (tmp_path / "4100").mkdir(exist_ok=True)
    (tmp_path / "4100/status").write_bytes(real[:cut])
    try:
        found = procfs.read_status(tmp_path, PID)
    except ParseError:
        found = None
    assert found in (None, whole)


@FAST
@given(
    command=st.binary(max_size=15).filter(lambda name: b"\0" not in name),
    ticks=st.integers(0, 10**12),
    parent=st.integers(0, 1 << 22),
)
@example(command=b") R 1 1 (", ticks=5, parent=7)
@example(command=b"a\n) (\n", ticks=0, parent=0)
def test_no_command_can_forge_the_fields_behind_it(tmp_path: Path, command: bytes, ticks: int, parent: int) -> None:
    tail = f" S {parent} 1 1 0 -1 0 0 0 0 0 {ticks} 0 0 0 20 0 1 0 77 0 0\n".encode()
    (tmp_path / "4100").mkdir(exist_ok=True)
    (tmp_path / "4100/stat").write_bytes(b"4100 (" + command + b")" + tail)
    stat = procfs.read_stat(tmp_path, PID)
    assert stat is not None
    assert (stat.state, stat.parent, stat.started) == ("S", parent, 77)
    assert stat.cpu_seconds == ticks / procfs.TICKS_PER_SECOND
    assert stat.command == command.decode(errors="replace")


@FAST
@given(amounts=st.dictionaries(st.sampled_from(["VmRSS", "RssAnon", "VmSwap", "VmSize"]), st.integers(0, 1 << 40)))
def test_status_amounts_come_back_as_bytes(tmp_path: Path, amounts: dict[str, int]) -> None:
    lines = [f"{key}:\t{value:>8} kB\n" for key, value in amounts.items()]
    (tmp_path / "4100").mkdir(exist_ok=True)
    (tmp_path / "4100/status").write_text("".join([*lines, "Threads:\t3\n"]))
    status = procfs.read_status(tmp_path, PID)
    assert status is not None
    expected = [amounts.get(key) for key in ("VmRSS", "RssAnon", "VmSwap", "VmSize")]
    found = (status.rss, status.anonymous, status.swap, status.virtual)
    assert [None if value is None else value * 1024 for value in expected] == list(found)
