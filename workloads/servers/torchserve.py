"""TorchServe (Java 17) with the recurrent model in a Python worker of PyTorch; no longer developed by its authors.

Inference and management listen on `{port}`. It needs an environment of its own (`soak/environments/torchserve.txt`).
The body of `/predictions/recurrent` is that of the Open Inference Protocol: behind `nginx` with paths = "torchserve",
`kserve_client` with protocol = "http" can ask it. SIGTERM to its launcher alone would leave Java running.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import workloads
from workloads.options import between
from workloads.serving import child
from workloads.serving.options import NAME, ServedModel, arguments
from workloads.serving.start import command as started

REQUIRES = {"ts": "torchserve", "model_archiver": "torch-model-archiver", "torch": "torch"}
PROGRAMS = {"java": "openjdk-17-jre-headless"}
READY = "/ping"
"""The path that answers once it serves."""
_MODULE = "workloads.servers.torchserve"
_PROPERTIES = """
inference_address=http://127.0.0.1:{port}
management_address=http://127.0.0.1:{port}
metrics_address=http://127.0.0.1:{metrics}
grpc_inference_address=127.0.0.1
grpc_management_address=127.0.0.1
grpc_inference_port={grpc}
grpc_management_port={grpc_management}
number_of_netty_threads=1
netty_client_threads=1
default_workers_per_model={workers}
disable_token_authorization=true
enable_model_api=true
disable_system_metrics=true
model_store={folder}
load_models={name}.mar
vmargs=-Xmx{heap_megabytes}m
"""
_HANDLER = """
import runpy
runpy.run_path({boot!r})["provide"]()
from workloads.serving.torchserve_handler import TorchserveHandler

class Handler(TorchserveHandler):
    options = {options!r}
"""


@dataclass(frozen=True, slots=True)
class Options(ServedModel):
    """How it runs."""

    workers: int = 1
    """Processes that run the model."""
    heap_megabytes: int = 256
    """Most heap of Java. It is filled before it is collected: a small one settles sooner."""

    def __post_init__(self) -> None:
        # Without arguments, super() is not to be had in a class with slots.
        ServedModel.__post_init__(self)
        between(self, "workers", 1, 64)
        between(self, "heap_megabytes", 32, 1 << 20)


def command(options: Options) -> list[str]:
    """The arguments that start it: HTTP on `{port}`, three further ports for what is not used."""
    further = (word for name in _FURTHER for word in (f"--{name.replace('_', '-')}", f"{{port:{name}}}"))
    return started(_MODULE, "--port", "{port}", *further, "--options", json.dumps(asdict(options)))


_FURTHER = ("metrics", "grpc", "grpc_management")


def archive(options: Options, folder: Path, environ: dict[str, str]) -> None:
    """Write the archive of the model, which is a handler alone: it makes the model from its options."""
    model = {name: value for name, value in asdict(options).items() if name in ServedModel.__dataclass_fields__}
    boot = Path(workloads.__file__).parent / "worker" / "boot.py"
    (folder / "handler.py").write_text(_HANDLER.format(boot=str(boot), options=model))
    archiver = Path(sys.executable).parent / "torch-model-archiver"
    words = ["--model-name", NAME, "--version", "1.0", "--handler", "handler.py", "--export-path", str(folder)]
    subprocess.run([str(archiver), *words], env=environ, cwd=folder, check=True)


def main() -> None:
    """Serve until it is told to stop."""
    options, ports = arguments(Options, "port", *(name.replace("_", "-") for name in _FURTHER))
    # Java may still write into it when its launcher has ended.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place, bin_folder = Path(folder), Path(sys.executable).parent
        path = f"{bin_folder}:{os.environ.get('PATH', os.defpath)}"
        own = dict.fromkeys(("LOG_LOCATION", "METRICS_LOCATION", "TEMP", "TMPDIR"), folder)
        environ = {**os.environ, **own, "PATH": path}
        archive(options, place, environ)
        text = _PROPERTIES.format(folder=folder, name=NAME, **asdict(options), **ports)
        (place / "config.properties").write_text(text)
        told = ["--foreground", "--ts-config", str(place / "config.properties"), "--ncs", "--disable-token-auth"]
        sys.exit(child.run([str(bin_folder / "torchserve"), *told, "--enable-model-api"], environ))


if __name__ == "__main__":
    main()
