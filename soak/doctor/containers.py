"""A container or pod that soak runs in: what it hides, what holds there, and which GPUs the runtime gave it.

Pure but for the root that the machine is read from. Reference: cgroup-v2.rst and namespaces(7) of the kernel, the
environment of the NVIDIA container toolkit, `kubectl explain pod.spec`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from monitors.sources.files import ParseError, read
from monitors.units import format_value
from soak.doctor.finding import Diagnosis, Group, Status

FIRST_PIDS = "pid:[4026531836]"
"""The process namespace that a machine boots with: PROC_PID_INIT_INO of the kernel, the same on every machine."""
_FILES: Mapping[str, str] = {
    ".dockerenv": "Docker",
    "run/.containerenv": "Podman",
    "var/run/secrets/kubernetes.io/serviceaccount": "Kubernetes",
}
"""What runtimes leave, by whom."""
_GROUPS = re.compile(r"/(kubepods|docker|containerd|libpod|crio|lxc)[^/\s]*[/\s]")
_VISIBLE, _CAPABILITIES = "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"
_NEEDED = ("utility", "compute")
_MOUNTED = "var/run/nvidia-container-devices"
"""Where the device plugin lists GPUs as mounts, in place of the variable."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where soak runs."""

    evidence: tuple[str, ...]
    """Why it is a container, strongest first; empty where nothing says so."""
    pod: bool
    """Whether Kubernetes started it."""
    own_pids: bool | None
    """Whether it sees its own processes only; None where that cannot be told."""


def findings(root: Path, environ: Mapping[str, str], gpus: int) -> list[Diagnosis]:
    """All that a container changes; outside of one little is said.

    Args:
        root: where the machine is read from.
        environ: the environment of soak.
        gpus: how many can be read here.
    """
    place = look(root, environ)
    if not place.evidence:
        return [_found("container", "ok", "no sign of a container"), *_visible(place, root, environ, gpus)]
    return [
        _found("container", "note", _where(place)),
        _pids(place, gpus),
        *_cgroup(place, root),
        *_visible(place, root, environ, gpus),
    ]


def _where(place: Place) -> str:
    said = f"soak runs in {'a pod of Kubernetes' if place.pod else 'a container'}: {'; '.join(place.evidence)}"
    if place.own_pids is False:
        return f"{said}; its process namespace is that of the machine (`hostPID`, `--pid=host`, or a booted image)"
    return said


def _found(name: str, status: Status, said: str, advice: str = "", group: Group = "system") -> Diagnosis:
    return Diagnosis(group, name, status, said, advice)


def look(root: Path, environ: Mapping[str, str]) -> Place:
    """Read what tells a container from a machine."""
    evidence = [*_told(root, environ)]
    own = _own_pids(root)
    if own:
        evidence.append("its processes are in a namespace of their own")
    pod = "KUBERNETES_SERVICE_HOST" in environ or any("Kubernetes" in each or "kube" in each for each in evidence)
    return Place(tuple(evidence), pod, own)


def _told(root: Path, environ: Mapping[str, str]) -> Iterable[str]:
    if "KUBERNETES_SERVICE_HOST" in environ:
        yield "KUBERNETES_SERVICE_HOST is set"
    for name, who in _FILES.items():
        if os.path.exists(root / name):  # noqa: PTH110  (a path that may not be looked at is not there)
            yield f"/{name} exists ({who})"
    if environ.get("container"):
        yield f"container={environ['container']} is set"
    if "/kubelet/pods/" in _text(root / "proc/self/mountinfo"):
        yield "files of the kubelet are mounted"
    found = _GROUPS.search(_text(root / "proc/self/cgroup"))
    if found:
        yield f"its cgroup is one of {found[1]}"


def _own_pids(root: Path) -> bool | None:
    try:
        return os.readlink(root / "proc/self/ns/pid") != FIRST_PIDS  # noqa: PTH115  (a link that leads nowhere)
    except OSError:
        return None


# -- what is hidden


def _pids(place: Place, gpus: int) -> Diagnosis:
    """Whose processes can be seen. Of a GPU this decides whether others on it can be named, or noticed at all."""
    if place.own_pids is None:
        return _found("pids", "note", "whether processes of other containers can be seen is unknown")
    if not place.own_pids:
        return _found("pids", "ok", "the processes of the whole machine can be seen, and named where they use a GPU")
    said = (
        "processes of other containers cannot be seen: of those on a GPU the driver lists none, or pids without a name,"
        " so `gpu_idle` and `yield_to_others` do not notice them, and only the memory in use shows them"
    )
    advice = (
        "`hostPID: true` in the pod, or a GPU that is requested (`nvidia.com/gpu`), which no other pod gets"
        if place.pod
        else "start the container with `--pid=host`, or keep other programs off the GPU"
    )
    return _found("pids", "warning" if gpus else "note", said, advice)


# -- memory: version 2 as a container sees it


def _cgroup(place: Place, root: Path) -> Iterable[Diagnosis]:
    """What holds in a cgroup namespace, where the container's own cgroup looks like the root of all."""
    mount = root / "sys/fs/cgroup"
    try:
        limit = read(f"{mount}/memory.max")
    except (OSError, ParseError):
        limit = None
    if limit is None:
        # The root of the machine has no limit: so this is not a namespace, or the memory is counted by version 1.
        yield _found("container_memory", "note", _UNTOLD)
        return
    yield _memory(place, limit.decode(errors="replace").strip())
    yield from _killed_together(place, mount)
    yield _children(place, mount, _text(root / "proc/self/mountinfo"))


_UNTOLD = (
    "the limit of the container itself cannot be told by its cgroup: /sys/fs/cgroup/memory.max is not there"
    " (cgroup v1, or the cgroups of the whole machine)"
)


def _memory(place: Place, limit: str) -> Diagnosis:
    above = "the pod and the node above it may hold less, which cannot be seen here"
    if not limit.isdigit():
        said = f"the container has no memory limit of its own (cgroup v2); {above}"
        advice = "`resources.limits.memory`, so that a leak ends soak's pod and not others of the node"
        return _found("container_memory", "note", said, advice if place.pod else "`--memory 16g`")
    said = f"the container may take {format_value(float(limit), 'bytes')} (cgroup v2), soak, its trials and what they"
    return _found("container_memory", "note", f"{said} keep in /dev/shm and in memory volumes included; {above}")


def _killed_together(place: Place, mount: Path) -> Iterable[Diagnosis]:
    if _text(mount / "memory.oom.group") != "1":
        return
    said = "when memory runs out, the kernel kills every process of the container, soak too: such a run has no verdict"
    advice = "`memory_limit` of each trial, well below the limit of the container"
    more = "; or `singleProcessOOMKill: true` in the configuration of the kubelet (1.32 or newer)" if place.pod else ""
    yield _found("oom_group", "warning", said, advice + more)


def _children(place: Place, mount: Path, mounts: str) -> Diagnosis:
    """Why trials have cgroups of their own here, or do not."""
    effect = (
        "`memory_limit` holds for each process of a trial, and a kill for memory is counted for the whole container"
    )
    if _read_only(mounts) or not os.access(mount, os.W_OK):
        said = f"trials get no cgroups of their own: those of a container cannot be written; {effect}"
        return _found("container_cgroup", "note", said, "nothing to do, unless trials need an exact limit each")
    if "memory" in _text(mount / "cgroup.subtree_control").split():
        return _found("container_cgroup", "ok", "the container's cgroup gives its memory controller to its children")
    said = f"the container's cgroup can be written, but gives its children no memory controller; {effect}"
    advice = (
        "before soak starts: `cd /sys/fs/cgroup && mkdir init && xargs -n1 < cgroup.procs > init/cgroup.procs;"
        " echo +memory > cgroup.subtree_control`, and SOAK_CGROUP=/sys/fs/cgroup"
    )
    return _found("container_cgroup", "note", said, advice)


def _read_only(mounts: str) -> bool:
    """Whether cgroup v2 is mounted so. mounts: text of mountinfo(5), whose last of several holds."""
    options = [line.split()[5] for line in mounts.splitlines() if " - cgroup2 " in line and len(line.split()) > 5]
    return bool(options) and "ro" in options[-1].split(",")


# -- which GPUs


def _visible(place: Place, root: Path, environ: Mapping[str, str], gpus: int) -> Iterable[Diagnosis]:
    given = environ.get(_VISIBLE)
    if not place.evidence:
        if given is not None:
            said = f"{_VISIBLE}={given} is read when a container starts, and does nothing here"
            yield _said(_VISIBLE, "note", said, "CUDA_VISIBLE_DEVICES is what programs read")
        return
    yield from _mounted(root) if given is None or given.startswith("/") else _listed(place, given.strip(), gpus)
    if given is None and not gpus and not _devices(root):
        said = f"{_VISIBLE} is not set: a container runtime gives no GPU, unless it is told in another way"
        advice = "`nvidia.com/gpu: 1` in the limits of the container" if place.pod else "`--gpus all`"
        yield _said(_VISIBLE, "note", said, f"for a GPU: {advice}")
    yield from _capabilities(environ.get(_CAPABILITIES), given)


def _said(name: str, status: Status, said: str, advice: str = "") -> Diagnosis:
    return _found(name, status, said, advice, "environment")


def _devices(root: Path) -> list[str]:
    try:
        return sorted(os.listdir(root / _MOUNTED))  # noqa: PTH208  (names that are no text must not raise)
    except OSError:
        return []


def _mounted(root: Path) -> Iterable[Diagnosis]:
    """The list that a device plugin passes where the variable could be set by anyone."""
    names = _devices(root)
    if names:
        yield _said("nvidia-container-devices", "ok", f"GPUs were given by mounts of the runtime: {', '.join(names)}")


def _listed(place: Place, given: str, gpus: int) -> Iterable[Diagnosis]:
    count = f"{gpus} can be read here"
    if given == "all":
        advice = "a GPU for soak alone is one that is requested: `nvidia.com/gpu`" if place.pod else ""
        status: Status = "note" if gpus else "warning"
        yield _said(_VISIBLE, status, f"{_VISIBLE}=all: every GPU of the node, none reserved; {count}", advice)
    elif given == "none":
        yield _said(_VISIBLE, "note", f"{_VISIBLE}=none: the driver's libraries, but no GPU; {count}")
    elif given in ("", "void"):
        yield _said(_VISIBLE, "note", f'{_VISIBLE}="{given}": the runtime adds neither GPUs nor the driver; {count}')
    else:
        named = len([each for each in given.split(",") if each.strip()])
        said = f"{_VISIBLE}={given}: {named} named, numbered from cuda:0 here; {count}"
        lacks = "fewer than named: was the container started by the NVIDIA runtime? (`runtimeClassName: nvidia`)"
        yield _said(_VISIBLE, "ok" if gpus >= named else "warning", said, "" if gpus >= named else lacks)


def _capabilities(given: str | None, visible: str | None) -> Iterable[Diagnosis]:
    if not given or not visible or visible in ("void", "none"):
        return
    lacks = [each for each in _NEEDED if not {each, "all"} & {part.strip() for part in given.split(",")}]
    if lacks:
        meant = {"utility": "NVML, so soak reads no GPU", "compute": "CUDA, so frameworks see no GPU"}
        said = f"{_CAPABILITIES}={given} leaves out {' and '.join(meant[each] for each in lacks)}"
        yield _said(_CAPABILITIES, "warning", said, f"{_CAPABILITIES}=utility,compute")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
