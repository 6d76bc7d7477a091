"""NVIDIA Triton Inference Server with the recurrent model in PyTorch in its Python backend; gRPC and HTTP.

gRPC listens on `{port}`, HTTP on `{port:http}`, metrics on `{port:metrics}`. The server is the one that the wheel of
PyTriton brings, for the processor; it needs an environment of its own (`soak/environments/triton.txt`). A client may
unload and load the model: each load starts a process that runs it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import sysconfig
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import workloads
from workloads.serving import child, libpython
from workloads.serving.options import CLIP, NAME, PREDICTION, STATE, ServedModel, arguments
from workloads.serving.start import command as started

REQUIRES = {"pytriton": "nvidia-pytriton", "torch": "torch"}
READY = "port"
"""It serves once its port is open; that the model is loaded, its client asks."""
_MODULE = "workloads.servers.triton"
_CONFIG = """
name: "{name}"
backend: "python"
max_batch_size: 0
input [ {{ name: "{clip}" data_type: TYPE_UINT8 dims: [ -1, -1, -1, {channels} ] }},
        {{ name: "{state}" data_type: TYPE_FP32 dims: [ 1, {hidden} ] }} ]
instance_group [ {{ kind: KIND_CPU count: {instances} }} ]
output [ {{ name: "{prediction}" data_type: TYPE_FP32 dims: [ -1, {channels} ] }},
         {{ name: "{state}" data_type: TYPE_FP32 dims: [ 1, {hidden} ] }} ]
parameters {{ key: "options" value: {{ string_value: {options} }} }}
"""
_MODEL = """
import runpy
runpy.run_path({boot!r})["provide"]()
from workloads.serving.triton_model import TritonPythonModel
"""


@dataclass(frozen=True, slots=True)
class Options(ServedModel):
    """How it runs."""

    instances: int = 1
    """Processes that run the model."""

    def __post_init__(self) -> None:
        # Without arguments, super() is not to be had in a class with slots.
        ServedModel.__post_init__(self)
        if not 1 <= self.instances <= 64:
            raise ValueError(f"instances = {self.instances}: expected 1 to 64")


def command(options: Options) -> list[str]:
    """The arguments that start it: gRPC on `{port}`, HTTP on `{port:http}`, metrics on `{port:metrics}`."""
    ports = ("--port", "{port}", "--http", "{port:http}", "--metrics", "{port:metrics}")
    return started(_MODULE, *ports, "--options", json.dumps(asdict(options)))


def repository(options: Options, folder: Path) -> Path:
    """Write the model as Triton wants it."""
    place = folder / "models" / NAME
    (place / "1").mkdir(parents=True)
    model = {name: value for name, value in asdict(options).items() if name != "instances"}
    text = _CONFIG.format(
        name=NAME, clip=CLIP, state=STATE, prediction=PREDICTION, channels=options.channels, hidden=options.hidden,
        instances=options.instances, options=json.dumps(json.dumps(model)),
    )  # fmt: skip
    (place / "config.pbtxt").write_text(text)
    boot = Path(workloads.__file__).parent / "worker" / "boot.py"
    (place / "1" / "model.py").write_text(_MODEL.format(boot=str(boot)))
    return place.parent


def backends(distribution: Path, folder: Path) -> Path:
    """The Python backend with the stub of this version of Python."""
    place = folder / "backends" / "python"
    shutil.copytree(distribution / "backends" / "python", place)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    shutil.copy(distribution / "python_backend_stubs" / version / "triton_python_backend_stub", place)
    return place.parent


def main() -> None:
    """Serve until it is told to stop."""
    options, ports = arguments(Options, "port", "http", "metrics")
    found = importlib.util.find_spec("pytriton")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("pytriton is not installed", name="pytriton")
    distribution = Path(found.origin).parent / "tritonserver"
    # Libraries of the wheel, which its programs link.
    environ = libpython.environment(os.environ, f"{sysconfig.get_path('purelib')}/nvidia_pytriton.libs")
    # The interpreter in the backend is that of the first `python3` on the path: with NumPy 2 its tensors are empty.
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ.get('PATH', os.defpath)}"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        local = [f"--{each}-address=127.0.0.1" for each in ("http", "grpc", "metrics")]
        told = [
            str(distribution / "bin" / "tritonserver"), f"--model-repository={repository(options, place)}",
            f"--backend-directory={backends(distribution, place)}", "--model-control-mode=explicit",
            f"--load-model={NAME}", *local, f"--grpc-port={ports['port']}", f"--http-port={ports['http']}",
            f"--metrics-port={ports['metrics']}", "--exit-timeout-secs=5",
        ]  # fmt: skip
        sys.exit(child.run(told, environ))


if __name__ == "__main__":
    main()
