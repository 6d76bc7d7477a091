"""A real `soak serve` for tests: its own state folder, a port of its own, short runs with a planted leak or none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.loopback import free_port
from tests.patience import PATIENCE, wait_for

__all__ = ["CLEAN", "LEAK", "RUN", "Served", "free_port", "wait_for"]

RUN = """
[run]
duration = "{seconds} s"
sample_interval = "0.25 s"
stop_grace = "3 s"
[judge]
alarm = 0.0
[stream]
fps = 400
pace = "real_time"
[[trial]]
name = "{name}"
workload = "{workload}"
framework = "{framework}"
"""
LEAK, CLEAN = "fault_native_heap", "lookalike_one_step"


class Served:
    """A service and its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.state = folder / "state"
        self.process: subprocess.Popen[bytes] | None = None

    def run_config(self, name: str, workload: str, seconds: int = 25, framework: str = "none") -> None:
        """Write `NAME.toml`."""
        text = RUN.format(name=name, workload=workload, seconds=seconds, framework=framework)
        (self.folder / f"{name}.toml").write_text(text)

    def config(self, schedules: str, service: str = "", conditions: str = "") -> Path:
        """Write `soak.toml`."""
        path = self.folder / "soak.toml"
        path.write_text(
            f'[service]\nlisten = "127.0.0.1:{self.port}"\nstate = "{self.state}"\n{service}\n'
            f'[conditions]\nfree_disk = "1 MiB"\n{conditions}\n{schedules}'
        )
        return path

    def start(self, wait: bool = True) -> None:
        """Start it, and wait until it is ready."""
        command = [sys.executable, "-P", "-m", "soak", "serve", "--config", str(self.folder / "soak.toml")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "COLUMNS": "200"})
        if wait:
            wait_for(lambda: self.answers("/-/ready"))

    def answers(self, path: str) -> bool:
        """Whether it says yes."""
        try:
            self.get(path)
        except OSError:
            return False
        return True

    def get(self, path: str) -> str:
        """What it answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as answer:
            body: bytes = answer.read()
        return body.decode()

    def json(self, path: str) -> Any:
        """The same, read."""
        return json.loads(self.get(path))

    def runs(self, verdict: bool = True) -> list[dict[str, Any]]:
        """Those of the archive, or only those that have a verdict."""
        return [run for run in self.json("/api/v1/runs") if run["verdict"] or not verdict]

    def log(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text()

    @property
    def pid(self) -> int:
        """Of the service."""
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """As the kernel would."""
        os.kill(self.pid, signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    def stop(self, seconds: float = PATIENCE) -> int:
        """Ask it to end; its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
