"""What `soak doctor` says of a container, from recorded trees (tests/fixtures/containers)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from soak.doctor import containers
from soak.doctor.finding import Diagnosis

TREES = Path(__file__).parents[1] / "fixtures" / "containers"
POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}


def named(found: list[Diagnosis]) -> Mapping[str, Diagnosis]:
    by_name = {finding.name: finding for finding in found}
    assert len(by_name) == len(found), "each name once"
    return by_name


def seen(tree: str, environ: Mapping[str, str] = {}, gpus: int = 0) -> Mapping[str, Diagnosis]:
    return named(containers.findings(TREES / tree, environ, gpus))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A pod whose files a test may change."""
    shutil.copytree(TREES / "pod", tmp_path / "pod", symlinks=True)
    return tmp_path / "pod"


# -- is it one?


def test_a_machine_is_no_container() -> None:
    found = seen("machine")
    assert {name: finding.status for name, finding in found.items()} == {"container": "ok"}


def test_a_pod_is_told_by_what_kubernetes_leaves_in_it() -> None:
    said = seen("pod", POD)["container"].message
    assert "a pod of Kubernetes" in said
    for evidence in ("KUBERNETES_SERVICE_HOST", "the kubelet", "namespace of their own"):
        assert evidence in said


def test_a_pod_is_told_without_its_variables() -> None:
    assert "a pod of Kubernetes" in seen("pod")["container"].message


def test_a_namespace_alone_is_a_container_and_no_pod() -> None:
    said = seen("writable")["container"].message
    assert said.startswith("soak runs in a container: its processes are in a namespace of their own")


def test_an_image_that_was_booted_as_a_machine_is_not_said_to_hide_anything() -> None:
    found = seen("image")
    assert "/.dockerenv exists (Docker)" in found["container"].message
    assert "namespace is that of the machine" in found["container"].message
    assert found["pids"].status == "ok"


@pytest.mark.parametrize(
    ("environ", "cgroup", "said"),
    [
        ({"container": "podman"}, "0::/\n", "container=podman"),
        ({}, "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-2.scope\n", "its cgroup is one of kubepods"),
        ({}, "5:memory:/docker/0123abcd\n", "its cgroup is one of docker"),
    ],
)
def test_other_evidence(tmp_path: Path, environ: dict[str, str], cgroup: str, said: str) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(cgroup)
    assert said in named(containers.findings(tmp_path, environ, 0))["container"].message


def test_a_cgroup_of_a_unit_that_is_called_like_one_is_none(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/system.slice/soak-of-docker.service\n")
    assert containers.look(tmp_path, {}).evidence == ()


# -- what is hidden


def test_foreign_processes_are_hidden_and_that_matters_where_there_is_a_gpu() -> None:
    assert seen("pod", POD)["pids"].status == "note"
    found = seen("pod", POD, gpus=1)["pids"]
    assert found.status == "warning"
    assert "gpu_idle" in found.message
    assert "hostPID: true" in found.advice
    assert "--pid=host" in seen("writable", gpus=1)["pids"].advice


def test_with_the_pids_of_the_host_nothing_is_hidden(tree: Path) -> None:
    link = tree / "proc/self/ns/pid"
    link.unlink()
    link.symlink_to(containers.FIRST_PIDS)
    assert named(containers.findings(tree, POD, 1))["pids"].status == "ok"
    link.unlink()
    unknown = named(containers.findings(tree, POD, 1))["pids"]
    assert (unknown.status, "unknown" in unknown.message) == ("note", True)


# -- memory


def test_the_limit_of_the_container_and_what_is_not_seen_of_it() -> None:
    found = seen("pod", POD)["container_memory"]
    assert "1 GiB" in found.message
    assert "cannot be seen here" in found.message


def test_a_container_without_a_limit(tree: Path) -> None:
    (tree / "sys/fs/cgroup/memory.max").write_text("max\n")
    found = named(containers.findings(tree, POD, 0))["container_memory"]
    assert "no memory limit" in found.message
    assert "resources.limits.memory" in found.advice


def test_without_version_2_the_limit_is_unknown_and_nothing_else_is_said(tree: Path) -> None:
    shutil.rmtree(tree / "sys/fs/cgroup")
    found = named(containers.findings(tree, POD, 0))
    assert "cannot be told" in found["container_memory"].message
    assert not {"oom_group", "container_cgroup"} & set(found)


def test_where_everything_is_killed_together_a_run_has_no_verdict(tree: Path) -> None:
    found = seen("pod", POD)["oom_group"]
    assert (found.status, "memory_limit" in found.advice) == ("warning", True)
    assert "singleProcessOOMKill" in found.advice
    assert "kubelet" not in seen("writable")["oom_group"].advice
    (tree / "sys/fs/cgroup/memory.oom.group").write_text("0\n")
    assert "oom_group" not in named(containers.findings(tree, POD, 0))


def test_whether_trials_can_have_cgroups_of_their_own(tmp_path: Path) -> None:
    assert "cannot be written" in seen("pod")["container_cgroup"].message
    shutil.copytree(TREES / "writable", tmp_path / "rw", symlinks=True)
    bare = named(containers.findings(tmp_path / "rw", {}, 0))["container_cgroup"]
    assert "no memory controller" in bare.message
    assert "SOAK_CGROUP" in bare.advice
    (tmp_path / "rw/sys/fs/cgroup/cgroup.subtree_control").write_text("memory pids\n")
    assert named(containers.findings(tmp_path / "rw", {}, 0))["container_cgroup"].status == "ok"


# -- which GPUs


@pytest.mark.parametrize(
    ("given", "gpus", "status", "said"),
    [
        ("all", 8, "note", "every GPU of the node, none reserved; 8 can be read here"),
        ("all", 0, "warning", "0 can be read here"),
        ("none", 0, "note", "no GPU"),
        ("void", 0, "note", "neither GPUs nor the driver"),
        ("", 0, "note", "neither GPUs nor the driver"),
        ("GPU-1", 1, "ok", "1 named"),
        ("GPU-1,GPU-2", 1, "warning", "2 named, numbered from cuda:0 here; 1 can be read here"),
    ],
)
def test_the_gpus_that_the_runtime_was_asked_for(given: str, gpus: int, status: str, said: str) -> None:
    found = seen("pod", {**POD, "NVIDIA_VISIBLE_DEVICES": given}, gpus)["NVIDIA_VISIBLE_DEVICES"]
    assert (found.group, found.status) == ("environment", status)
    assert said in found.message


def test_without_the_variable_there_is_no_gpu_unless_it_came_in_another_way(tree: Path) -> None:
    assert "nvidia.com/gpu" in seen("pod", POD)["NVIDIA_VISIBLE_DEVICES"].advice
    assert "NVIDIA_VISIBLE_DEVICES" not in seen("pod", POD, gpus=1)
    (tree / "var/run/nvidia-container-devices/GPU-7").mkdir(parents=True)
    environ = {**POD, "NVIDIA_VISIBLE_DEVICES": "/var/run/nvidia-container-devices"}
    found = named(containers.findings(tree, environ, 1))
    assert "GPU-7" in found["nvidia-container-devices"].message
    assert "NVIDIA_VISIBLE_DEVICES" not in found


def test_outside_of_a_container_the_variable_does_nothing() -> None:
    found = seen("machine", {"NVIDIA_VISIBLE_DEVICES": "all"}, 1)["NVIDIA_VISIBLE_DEVICES"]
    assert "does nothing here" in found.message


@pytest.mark.parametrize(
    ("given", "lacks"),
    [
        ("graphics", ["NVML", "CUDA"]),
        ("compute", ["NVML"]),
        ("utility", ["CUDA"]),
        ("compute,utility", []),
        ("all", []),
    ],
)
def test_what_the_driver_was_mounted_for(given: str, lacks: list[str]) -> None:
    environ = {**POD, "NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": given}
    found = seen("pod", environ, 1).get("NVIDIA_DRIVER_CAPABILITIES")
    assert [word for word in ("NVML", "CUDA") if found and word in found.message] == lacks
