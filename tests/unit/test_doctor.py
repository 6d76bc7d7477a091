"""What `soak doctor` says of a node, from recorded trees and plain values."""

from __future__ import annotations

import errno
import io
import os
import resource
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from monitors.gpu import Device, Holder, Reading
from reports.console import console
from soak.commands import doctor
from soak.doctor import devices, driver, environment, frameworks, system
from soak.doctor.devices import DeviceCheck
from soak.doctor.finding import Diagnosis, exit_code, worst
from soak.gpu.attribution import Attribution
from soak.gpu.frameworks import Framework
from soak.gpu.pipe import ReaderHello
from workloads.worker.sandbox import SandboxError

GIB = 2**30
CARD = Device("cuda:0", "GPU-a", "A card", "0000:3b:00", 80.0 * GIB)
PART = Device("cuda:0", "MIG-a", "A card 1g.10gb", "0000:3b:00", 10.0 * GIB, "GPU-a")
HELLO = ReaderHello("580.1", "13.0", (CARD,), 1)


def only(found: list[Diagnosis], name: str) -> Diagnosis:
    (one,) = [finding for finding in found if finding.name == name]
    return one


def statuses(found: list[Diagnosis]) -> dict[str, str]:
    return {finding.name: finding.status for finding in found}


def card_on_bus(root: Path, vendor: str = "0x10de", kind: str = "0x030200") -> None:
    slot = root / "sys/bus/pci/devices/0000:3b:00.0"
    slot.mkdir(parents=True)
    (slot / "vendor").write_text(f"{vendor}\n")
    (slot / "class").write_text(f"{kind}\n")


def device_files(root: Path, *names: str) -> None:
    (root / "dev").mkdir(exist_ok=True)
    for name in names:
        (root / "dev" / name).touch()


def check(values: dict[str, float], holders: tuple[Holder, ...] | None = (), **keys: object) -> list[Diagnosis]:
    attribution = keys.pop("attribution", None)
    assert attribution is None or isinstance(attribution, Attribution)
    one = DeviceCheck(CARD, Reading("GPU-a", 1.0, values, holders), str(keys.pop("untold", "")), attribution)
    assert not keys
    return devices.findings([one], lambda pid: {7: "python"}.get(pid, ""))


# -- what many findings come to --


def test_only_what_is_broken_makes_an_exit_code() -> None:
    each = {status: Diagnosis("gpu", "x", status, "said") for status in ("ok", "note", "warning", "missing", "broken")}
    assert worst([]) == "ok"
    assert worst([each["warning"], each["note"], each["ok"]]) == "warning"
    assert exit_code([each["missing"], each["warning"]]) == 0
    assert exit_code([each["missing"], each["broken"]]) == 4


# -- the driver --


def test_a_node_without_any_gpu_is_fine(tmp_path: Path) -> None:
    card_on_bus(tmp_path, vendor="0x8086")
    (found,) = driver.findings(ReaderHello(problem="NVML Shared Library Not Found", code=12), {}, tmp_path)
    assert (found.status, exit_code([found])) == ("note", 0)
    assert "no NVIDIA card on the PCI bus" in found.message


def test_a_bus_that_cannot_be_read_is_unknown_and_not_empty(tmp_path: Path) -> None:
    (found,) = driver.findings(ReaderHello(problem="NVML Shared Library Not Found", code=12), {}, tmp_path)
    assert "unknown" in found.message


def test_a_sound_device_of_nvidia_is_no_card(tmp_path: Path) -> None:
    card_on_bus(tmp_path, kind="0x040300")
    assert driver.nvidia_cards(tmp_path) == []


def test_a_card_without_a_driver_is_missing_one(tmp_path: Path) -> None:
    card_on_bus(tmp_path)
    (found,) = driver.findings(ReaderHello(problem="NVML Shared Library Not Found", code=12), {}, tmp_path)
    assert (found.status, exit_code([found])) == ("missing", 0)
    assert "0000:3b:00.0" in found.message
    assert "--gpus all" in found.advice


def test_a_loaded_driver_whose_library_is_not_here_is_broken(tmp_path: Path) -> None:
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia/version").touch()
    (found,) = driver.findings(ReaderHello(problem="NVML Shared Library Not Found", code=12), {}, tmp_path)
    assert (found.status, exit_code([found])) == ("broken", 4)
    assert "NVIDIA_DRIVER_CAPABILITIES=utility,compute" in found.advice


@pytest.mark.parametrize(
    ("code", "advice"),
    [(9, "modprobe nvidia"), (18, "reboot"), (4, "DeviceAllow"), (15, "--gpu-reset"), (16, "--gpu-reset"),
     (28, "--gpu-reset"), (999, "container"), (7, "nvidia-smi")],
)  # fmt: skip
def test_every_error_of_nvml_is_broken_and_says_what_to_do(tmp_path: Path, code: int, advice: str) -> None:
    (found,) = driver.findings(ReaderHello(problem="No.", code=code), {}, tmp_path)
    assert (found.status, exit_code([found])) == ("broken", 4)
    assert f"No (NVML error {code})" in found.message
    assert advice in found.advice


def test_a_driver_that_hangs_is_broken_and_a_package_that_is_not_there_is_missing(tmp_path: Path) -> None:
    (hangs,) = driver.findings(ReaderHello(problem="NVML did not respond within 20 s: the driver hangs"), {}, tmp_path)
    (package,) = driver.findings(ReaderHello(problem="nvidia-ml-py is not installed: No module"), {}, tmp_path)
    assert (hangs.status, package.status) == ("broken", "missing")


def test_a_card_that_cannot_be_opened_is_broken_unless_it_was_hidden(tmp_path: Path) -> None:
    two = ReaderHello("580.1", "13.0", (CARD,), 2)
    assert only(driver.findings(two, {}, tmp_path), "devices").status == "broken"
    hidden = only(driver.findings(two, {"CUDA_VISIBLE_DEVICES": "0"}, tmp_path), "devices")
    assert hidden.status == "note"
    assert "CUDA_VISIBLE_DEVICES=0" in hidden.message
    assert "devices" not in statuses(driver.findings(HELLO, {}, tmp_path))


def test_instances_of_one_card_are_one_card(tmp_path: Path) -> None:
    split = ReaderHello("580.1", "13.0", (PART, replace(PART, uuid="MIG-b")), 1)
    assert "devices" not in statuses(driver.findings(split, {}, tmp_path))
    found = only(driver.findings(ReaderHello("580.1", "13.0", split.devices, 2), {}, tmp_path), "devices")
    assert "counts 2 cards, and 1 can be opened" in found.message


def test_device_files_that_open_are_fine(tmp_path: Path) -> None:
    device_files(tmp_path, "nvidiactl", "nvidia-uvm", "nvidia0")
    found = only(driver.findings(HELLO, {}, tmp_path), "device_files")
    assert found.status == "ok"
    assert "/dev/nvidia-uvm" in found.message


def test_without_the_file_of_unified_memory_cuda_cannot_start(tmp_path: Path) -> None:
    device_files(tmp_path, "nvidiactl", "nvidia0")
    found = only(driver.findings(HELLO, {}, tmp_path), "device_files")
    assert (found.status, "nvidia-modprobe -u" in found.advice) == ("broken", True)


@pytest.mark.parametrize(
    ("name", "code", "status", "advice"),
    [("nvidiactl", errno.EACCES, "broken", "ls -l /dev/nvidiactl"), ("nvidiactl", errno.EPERM, "broken", "DeviceAllow"),
     ("nvidia0", errno.EPERM, "warning", "DeviceAllow=/dev/nvidia0 rw")],
)  # fmt: skip
def test_device_files_that_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int, status: str, advice: str
) -> None:
    device_files(tmp_path, "nvidiactl", "nvidia-uvm", "nvidia0")
    real = os.open

    def refuse(path: Path, flags: int) -> int:
        if path.name == name:
            raise OSError(code, os.strerror(code))
        return real(path, flags)

    monkeypatch.setattr(os, "open", refuse)
    found = only(driver.findings(HELLO, {}, tmp_path), "device_files")
    assert (found.status, advice in found.advice) == (status, True)


# -- devices --


def test_a_calm_card_is_described_and_nothing_else_is_said() -> None:
    (found,) = check({"gpu_device_bytes": 0.0})
    assert found.status == "ok"
    assert found.message == "cuda:0: A card, 80 GiB, GPU-a, bus 0000:3b:00"


def test_who_holds_memory_is_named() -> None:
    held = only(check({"gpu_device_bytes": 3.0 * GIB}, (Holder(7, 2.0 * GIB), Holder(8))), "holders")
    assert held.status == "warning"
    assert "3 GiB" in held.message
    assert "7 (python), 8 (not in our /proc)" in held.message


def test_memory_without_a_holder_is_told_and_the_drivers_own_is_not() -> None:
    assert only(check({"gpu_device_bytes": 1.0 * GIB}), "holders").status == "warning"
    assert "holders" not in statuses(check({"gpu_device_bytes": 1.0 * 2**20}))
    assert "unknown" in only(check({}, None), "holders").message


def test_the_health_of_a_card() -> None:
    sick = {"gpu_throttled{hw_thermal}": 1.0, "gpu_rows_remapped{pending}": 1.0, "gpu_ecc_uncorrected": 2.0}
    found = check(sick)
    assert {"throttled": "warning", "rows": "warning", "ecc": "warning"}.items() <= statuses(found).items()
    assert "hw_thermal" in only(found, "throttled").message
    assert statuses(check({"gpu_rows_remapped{failed}": 1.0}))["rows"] == "broken"
    assert statuses(check({"gpu_throttled{sw_power_cap}": 1.0}))["throttled"] == "note"
    well = {"gpu_throttled{hw_thermal}": 0.0, "gpu_rows_remapped{failed}": 0.0, "gpu_ecc_uncorrected": 0.0}
    assert statuses(check(well)) == {"devices": "ok"}


def test_what_a_card_does_not_tell_is_said() -> None:
    found = only(check({}, untold="the card does not report: ECC"), "unsupported")
    assert (found.status, "ECC; these series will be absent" in found.message) == ("note", True)


@pytest.mark.parametrize(("code", "advice"), [(15, "--gpu-reset"), (18, "reboot"), (1, "nvidia-smi -q")])
def test_a_card_that_cannot_be_read_is_broken(code: int, advice: str) -> None:
    (found,) = devices.findings([DeviceCheck(CARD, Reading("GPU-a", 1.0, code=code, error="Gone"))], lambda _: "")
    assert (found.status, advice in found.advice, found.device) == ("broken", True, "GPU-a")


def test_a_card_that_gives_no_answer_is_broken() -> None:
    (found,) = devices.findings([DeviceCheck(CARD, None)], lambda _: "")
    assert (found.status, "hangs" in found.message) == ("broken", True)


@pytest.mark.parametrize(
    ("scope", "reason", "status", "advice"),
    [
        ("process", "a block showed", "ok", ""),
        ("device", "ours is not among them", "warning", "--pid=host"),
        ("device", "could not allocate memory: cuMemAlloc_v2 failed: CUDA_ERROR_OUT_OF_MEMORY", "warning", ""),
        ("device", "could not allocate memory: cuInit failed: CUDA_ERROR_UNKNOWN", "broken", "nvidia-modprobe"),
        ("device", "could not allocate memory: cuInit failed: CUDA_ERROR_SYSTEM_NOT_READY", "broken", "fabricmanager"),
    ],
)
def test_attribution(scope: str, reason: str, status: str, advice: str) -> None:
    found = only(check({}, attribution=Attribution(scope, reason)), "attribution")  # type: ignore[arg-type]
    assert (found.status, advice in found.advice) == (status, True)


def test_a_split_card_is_told_once() -> None:
    reading = Reading("MIG-a", 1.0, holders=())
    found = devices.findings([DeviceCheck(PART, reading), DeviceCheck(PART, reading)], lambda _: "")
    assert only(found, "mig").status == "note"
    assert "an instance of GPU-a" in found[0].message


def test_a_server_that_shares_gpus_is_told() -> None:
    (found,) = devices.mps([(1, "init"), (9, "nvidia-cuda-mps")])
    assert "pid 9" in found.message
    assert devices.mps([(1, "init")]) == []


# -- frameworks --


@pytest.mark.parametrize(
    ("framework", "status", "said", "advice"),
    [
        (Framework("torch", "2.9", "13.0", 1), "ok", "sees 1 of 1 GPU", ""),
        (Framework("torch", "2.9+cpu"), "warning", "shows 1 GPU and torch sees none: 2.9+cpu is a CPU build", "CUDA"),
        (Framework("tensorflow", "2.21"), "warning", "CPU build", "tensorflow[and-cuda]"),
        (Framework("torch", "2.9", "14.1"), "warning", "built for CUDA 14.1, and the driver runs up to 13.0", "update"),
        (Framework("torch", "2.9", "13.2"), "warning", "although it was built for CUDA 13.2", "nvidia-uvm"),
        (Framework("torch", "2.9+rocm6", "6.2"), "warning", "ROCm", "CUDA"),
        (Framework("torch", problem="ModuleNotFoundError: No module named 'torch'"), "missing", "not installed", "pip"),
        (Framework("torch", problem="ImportError: libcudnn.so.9"), "broken", "libcudnn.so.9", "--python"),
    ],
)
def test_a_framework_beside_one_gpu(framework: Framework, status: str, said: str, advice: str) -> None:
    found = frameworks.finding(framework, HELLO)
    assert found.status == status
    assert said in found.message
    assert advice in found.advice


def test_a_framework_where_there_is_no_gpu() -> None:
    none = ReaderHello(problem="no driver", code=12)
    assert frameworks.finding(Framework("torch", "2.9+cpu"), none).status == "ok"
    found = frameworks.finding(Framework("torch", "2.9", "13.0"), none)
    assert (found.status, "built for CUDA 13.0" in found.message) == ("ok", True)


def test_a_framework_that_sees_too_few() -> None:
    two = ReaderHello("580.1", "13.0", (CARD, CARD), 2)
    assert frameworks.finding(Framework("torch", "2.9", "13.0", 1), two).status == "warning"
    parts = ReaderHello("580.1", "13.0", (PART, PART), 1)
    assert frameworks.finding(Framework("torch", "2.9", "13.0", 1), parts).status == "ok"


def test_only_a_newer_major_version_of_cuda_is_too_new() -> None:
    assert frameworks.newer("13.0", "12.4")
    assert not frameworks.newer("12.8", "12.4")
    assert not frameworks.newer("12.8", "")
    assert not frameworks.newer("9.2", "12.4")


# -- environment --


def test_an_environment_that_changes_nothing() -> None:
    assert [finding.status for finding in environment.findings({"PATH": "/bin"})] == ["ok"]


@pytest.mark.parametrize(
    ("name", "value", "status", "said"),
    [
        ("CUDA_VISIBLE_DEVICES", "", "warning", "hides every GPU"),
        ("CUDA_VISIBLE_DEVICES", "-1", "warning", "hides every GPU"),
        ("CUDA_VISIBLE_DEVICES", "2,3", "note", "only these"),
        ("LD_PRELOAD", "/usr/lib/libjemalloc.so.2", "warning", "jemalloc replaces malloc"),
        ("LD_PRELOAD", "/usr/lib/libother.so", "note", "loaded into every trial"),
        ("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True", "note", "expandable_segments:True"),
        ("TF_FORCE_GPU_ALLOW_GROWTH", "false", "note", "whole device"),
    ],
)
def test_a_variable_that_changes_what_memory_means(name: str, value: str, status: str, said: str) -> None:
    (found,) = environment.findings({name: value})
    assert (found.name, found.status) == (name, status)
    assert said in found.message


# -- the node --


def test_the_kernel_log(tmp_path: Path) -> None:
    assert "no /dev/kmsg" in system.kernel_log(tmp_path).message
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kmsg").touch()
    assert system.kernel_log(tmp_path).status == "ok"


def test_a_kernel_log_that_is_kept_from_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "open", refuse)
    found = system.kernel_log(tmp_path)
    assert (found.status, "CAP_SYSLOG" in found.advice) == ("warning", True)


def cgroup_v2(root: Path, limit: str) -> Path:
    own, proc = root / "sys/fs/cgroup/unit", root / "proc"
    own.mkdir(parents=True)
    (own / "memory.max").write_text(f"{limit}\n")
    for process in ("self", str(os.getpid())):
        (proc / process).mkdir(parents=True)
        (proc / process / "cgroup").write_text("0::/unit\n")
    (proc / "self/mountinfo").write_text("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    return own


@pytest.mark.parametrize(("limit", "status", "said"), [("max", "ok", "no memory limit"), (str(GIB), "note", "1 GiB")])
def test_the_memory_limit_that_holds(tmp_path: Path, limit: str, status: str, said: str) -> None:
    cgroup_v2(tmp_path, limit)
    found = only(system.memory_limits(tmp_path), "memory_limit")
    assert (found.status, said in found.message) == (status, True)


def test_a_memory_limit_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    assert "unknown" in only(system.memory_limits(tmp_path), "memory_limit").message
    cgroup_v2(tmp_path, "many")
    assert "unknown" in only(system.memory_limits(tmp_path), "memory_limit").message


def test_whether_a_trial_can_have_a_cgroup_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOAK_CGROUP", raising=False)
    own = cgroup_v2(tmp_path, "max")
    found = only(system.memory_limits(tmp_path), "cgroup")
    assert (found.status, "SOAK_CGROUP" in found.advice) == ("note", True)
    assert [path.name for path in own.iterdir()] == ["memory.max"]
    group = own / f"soak-doctor-{os.getpid()}"
    group.mkdir()
    (group / "memory.current").touch()  # as the kernel does
    found = only(system.memory_limits(tmp_path), "cgroup")
    assert (found.status, "(v2)" in found.message) == ("ok", True)


def test_shared_memory(tmp_path: Path) -> None:
    assert system.shared_memory(tmp_path).status == "warning"
    small = system.shared_memory_of(64 * 2**20)
    assert (small.status, "64 MiB" in small.message, "--shm-size" in small.advice) == ("warning", True, True)
    assert system.shared_memory_of(8 * GIB).status == "ok"


def kernel(root: Path, pages: str, swaps: str, overcommit: str) -> None:
    for path, text in (
        ("sys/kernel/mm/transparent_hugepage/enabled", pages),
        ("proc/swaps", f"Filename Type Size Used Priority\n{swaps}"),
        ("proc/sys/vm/overcommit_memory", overcommit),
    ):
        (root / path).parent.mkdir(parents=True)
        (root / path).write_text(f"{text}\n")


def test_settings_of_the_kernel_that_are_fine(tmp_path: Path) -> None:
    kernel(tmp_path, "always [madvise] never", "", "0")
    assert statuses(system.settings(tmp_path)) == {"transparent_hugepage": "ok", "swap": "ok"}


def test_settings_of_the_kernel_that_change_what_memory_means(tmp_path: Path) -> None:
    kernel(tmp_path, "[always] madvise never", "/dev/sda2 partition 8388604 0 -2", "2")
    found = system.settings(tmp_path)
    assert statuses(found) == {"transparent_hugepage": "note", "swap": "note", "overcommit": "warning"}
    assert "/dev/sda2" in only(found, "swap").message


def test_settings_that_cannot_be_read_are_unknown(tmp_path: Path) -> None:
    assert ["unknown" in finding.message for finding in system.settings(tmp_path)] == [True, True]


def test_limits_of_the_process() -> None:
    free = resource.RLIM_INFINITY
    assert statuses(system.limits({"open_files": (65536, 65536), "address_space": (free, free)})) == {
        "open_files": "ok"
    }
    assert statuses(system.limits({"open_files": (free, free), "address_space": (free, free)})) == {"open_files": "ok"}
    few = system.limits({"open_files": (1024, 20000), "address_space": (GIB, free)})
    assert statuses(few) == {"open_files": "note", "address_space": "warning"}
    assert "ulimit -n 20000" in only(few, "open_files").advice


def test_the_disk_of_runs_need_not_have_the_folder_yet(tmp_path: Path) -> None:
    assert "are free for runs" in system.disk(tmp_path / "not" / "yet").message
    assert list(tmp_path.iterdir()) == []
    assert system.disk_of(2**20, tmp_path).status == "warning"
    assert system.disk_of(64.0 * GIB, tmp_path).status == "ok"


@pytest.mark.parametrize("terminal", [True, False])
def test_in_a_pipe_a_statement_is_one_line(terminal: bool) -> None:
    found, out = Diagnosis("system", "disk", "warning", "a word " * 30, "another " * 30), io.StringIO()
    doctor._print_finding(found, Console(file=out, width=80, force_terminal=terminal, color_system=None))
    lines = out.getvalue().splitlines()
    assert (max(map(len, lines)) <= 80) == terminal
    assert (len(lines) == 2) != terminal


def test_a_folder_of_runs_may_have_any_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "are free for runs" in system.disk(tmp_path / ("x" * 10_000)).message
    named = system.disk(tmp_path / "\x1b[2J[/b]\n\udcff")
    doctor._print_finding(named, console())
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "[/b]" in said


def test_the_clock() -> None:
    assert system.clock(0x2001).status == "ok"
    assert "not synchronised" in system.clock(0x40).message
    assert "unknown" in system.clock(None).message


@pytest.mark.parametrize(("version", "status"), [(1, "note"), (5, "note"), (6, "ok"), (7, "ok")])
def test_the_sandbox_of_trials(version: int, status: str) -> None:
    found = system.sandbox(lambda: version)
    assert (found.status, f"Landlock {version}" in found.message) == (status, True)


def test_a_kernel_without_a_sandbox_is_told() -> None:
    def none() -> int:
        raise SandboxError("this kernel offers no Landlock: Function not implemented")

    found = system.sandbox(none)
    assert found.status == "warning"
    assert "can write wherever soak can" in found.message
    assert "5.13" in found.advice
