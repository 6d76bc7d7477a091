"""What each framework can do with this node, and why it does not see what the driver shows. Pure."""

from __future__ import annotations

from soak.doctor.finding import Diagnosis
from soak.gpu.frameworks import Framework
from soak.gpu.pipe import ReaderHello
from workloads import frameworks


def finding(framework: Framework, hello: ReaderHello) -> Diagnosis:
    """One sentence on a framework. hello: what the driver shows."""
    if framework.problem:
        return _problem(framework)
    if framework.devices == 0 and hello.devices:
        return _blind(framework, hello)
    said = f"{_described(framework)}{_sees(framework, hello)}"
    fewer = framework.devices < len(hello.devices) and not any(device.parent for device in hello.devices)
    return Diagnosis("frameworks", framework.name, "warning" if fewer else "ok", said)


def _described(framework: Framework) -> str:
    if not framework.built:
        return f"{framework.name} {framework.version}, built for the CPU only"
    kind = "ROCm" if "rocm" in framework.version else "CUDA"
    return f"{framework.name} {framework.version}, built for {kind} {framework.built}"


def _sees(framework: Framework, hello: ReaderHello) -> str:
    if not framework.devices:
        return ""
    if any(device.parent for device in hello.devices):
        return f", sees {_gpus(framework.devices)}: a process has one MIG instance at a time"
    return f", sees {framework.devices} of {_gpus(len(hello.devices))}"


def _gpus(count: int) -> str:
    return f"{count} GPU{'' if count == 1 else 's'}"


def _problem(framework: Framework) -> Diagnosis:
    name, problem = framework.name, framework.problem
    if f"No module named '{name}'" in problem:
        said = f"{name} is not installed: its trials cannot run"
        return Diagnosis(
            "frameworks", name, "missing", said, f"`pip install {name}`; `--python PATH` checks another environment"
        )
    advice = f"`python -c 'import {name}'` shows the full error; `--python PATH` checks another interpreter"
    return Diagnosis("frameworks", name, "broken", f"{name} cannot be used: {problem}", advice)


def _blind(framework: Framework, hello: ReaderHello) -> Diagnosis:
    known = frameworks.load(framework.name)
    name, shows = framework.name, f"the driver shows {_gpus(len(hello.devices))} and {framework.name} sees none"
    if not framework.built:
        said = f"{shows}: {framework.version} is a CPU build"
        return Diagnosis("frameworks", name, "warning", said, known.CUDA_BUILD)
    if "rocm" in framework.version:
        return Diagnosis("frameworks", name, "warning", f"{shows}: it is a build for ROCm", known.CUDA_BUILD)
    if newer(framework.built, hello.cuda):
        said = f"{shows}: it was built for CUDA {framework.built}, and the driver runs up to {hello.cuda}"
        advice = f"update the driver, or install a build for CUDA {hello.cuda.partition('.')[0]}: {known.CUDA_BUILD}"
        return Diagnosis("frameworks", name, "warning", said, advice)
    said = f"{shows}, although it was built for CUDA {framework.built}"
    return Diagnosis("frameworks", name, "warning", said, known.BLIND)


def newer(built: str, runs: str) -> bool:
    """Whether a build wants a newer major version of CUDA than the driver runs; minor ones are compatible."""
    major, most = built.partition(".")[0], runs.partition(".")[0]
    return major.isdigit() and most.isdigit() and int(major) > int(most)
