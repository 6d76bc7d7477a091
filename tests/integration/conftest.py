"""Real runs: real children, real SQLite, the real command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browsing import chromium
from tests.installed import need, package_folders
from tests.patience import PATIENCE, wait_for

ROOT = Path(__file__).parents[2]
CGROUPS = Path("/sys/fs/cgroup")
Start = Callable[..., "subprocess.Popen[str]"]


class Soak:
    """`soak` as a user runs it, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[str]] = []

    def config(self, text: str) -> Path:
        path = self.folder / "soak.toml"
        path.write_text(text)
        return path

    def start(self, *words: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-P", "-m", "soak", *map(str, words)]
        process = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "COLUMNS": "200"}, start_new_session=True,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def run(self, *words: object, timeout: float = PATIENCE) -> tuple[int, str]:
        process = self.start(*words)
        output, _ = process.communicate(timeout=timeout)
        return process.returncode, output

    def run_folder(self) -> Path:
        (folder,) = sorted((self.folder / "runs").iterdir())
        return folder

    def report(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads((self.run_folder() / "report.json").read_text())
        return body

    wait_for = staticmethod(wait_for)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


@pytest.fixture
def soak(tmp_path: Path) -> Iterator[Soak]:
    tool = Soak(tmp_path)
    yield tool
    tool.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, for all pages of a file: two drivers at once would be one too many for a thread."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def environment() -> Iterator[Path]:
    """A virtual environment that another user can enter, with soak as a user would install it."""
    if os.geteuid() != 0 or not Path("/lib/systemd/systemd").exists() or not list(CGROUPS.glob("*/cgroup.procs")):
        pytest.skip("needs root, systemd, and a machine whose cgroups may be written")
    need("pip", "torch")
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir="/opt"))
    folder.chmod(0o755)
    try:
        subprocess.run([open_interpreter(), "-m", "venv", "--without-pip", folder / "venv"], check=True)
        python = folder / "venv/bin/python"
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
        if version_of(python) == sysconfig.get_python_version():
            # What soak needs is there already, and downloading it again would take minutes.
            copy_packages(next((folder / "venv/lib").glob("python*/site-packages")))
            subprocess.run([*pip, "--no-deps", ROOT], check=True)
        else:
            subprocess.run([*pip, "--constraint", ROOT / "constraints.txt", f"{ROOT}[service,torch]"], check=True)
        yield folder / "venv"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def open_interpreter() -> str:
    """One that another user can start, of this version where there is any."""
    version = sysconfig.get_python_version()
    of_this = [Path(sys.base_prefix), Path("/usr/local"), Path("/usr")]
    found = [prefix / "bin" / f"python{version}" for prefix in of_this]
    for python in (*found, Path("/usr/local/bin/python3"), Path("/usr/bin/python3")):
        if python.exists() and all(place.stat().st_mode & stat.S_IXOTH for place in python.resolve().parents):
            return str(python)
    return sys.executable


def version_of(python: Path) -> str:
    code = "import sysconfig; print(sysconfig.get_python_version())"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def copy_packages(site: Path) -> None:
    """Those of this environment. Not by symbolic links: another user cannot follow one into a home that is closed."""
    ignored = shutil.ignore_patterns("soak-*", "*.pth", "tensorflow*", "__pycache__")
    for packages in package_folders():
        shutil.copytree(packages, site, symlinks=True, copy_function=linked, dirs_exist_ok=True, ignore=ignored)


def linked(source: str, target: str) -> str:
    """The same file under another name, or a copy where that is another file system's."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
