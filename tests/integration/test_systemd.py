"""Under a real systemd: install, ready, crash, hang, reload, an OOM-killed trial, a clean stop, uninstall."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from soak.plan.shipped import shipped
from tests.integration.serving import LEAK, Served
from tests.patience import wait_for

pytestmark = pytest.mark.framework
CGROUPS = Path("/sys/fs/cgroup")


class Box:
    """A systemd as PID 1 of its own namespaces, over a view of this machine that is thrown away."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, f"box-{os.getpid()}"
        with (folder / "boot.log").open("wb") as log:
            self.outside = subprocess.Popen(
                [Path(__file__).with_name("box.sh"), folder, self.name], stdout=log, stderr=log, start_new_session=True
            )
        self.pid = wait_for(self._first)
        wait_for(lambda: self.run("systemctl", "is-system-running", check=False) in ("running", "degraded"))

    def _first(self) -> int | None:
        """Its PID 1, as seen from outside."""
        for tree in CGROUPS.glob(f"*/{self.name}/init.scope/cgroup.procs"):
            for pid in tree.read_text().split():
                status = Path(f"/proc/{pid}/status").read_text()
                if any(line.split()[-1] == "1" for line in status.splitlines() if line.startswith("NSpid")):
                    return int(pid)
        return None

    @property
    def root(self) -> Path:
        """Its file system, from outside."""
        return Path(f"/proc/{self.pid}/root")

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command inside; what it prints."""
        enter = ["nsenter", "-t", str(self.pid), "--mount", "--pid", "--cgroup", "--ipc", "--uts", "--root", "--wd=/"]
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(
            [*enter, "env", "-i", path, "LANG=C.UTF-8", "HOME=/", *command], text=True, capture_output=True, check=False
        )
        assert not check or done.returncode == 0, f"{command}: {done.stderr or done.stdout}"
        return done.stdout.strip()

    def show(self, name: str) -> str:
        """A property of the unit."""
        return self.run("systemctl", "show", "soak", "-p", name, "--value")

    def journal(self) -> str:
        """What the unit has said."""
        return self.run("journalctl", "-u", "soak", "--no-pager")

    def close(self) -> None:
        """Power it off, and remove its cgroups."""
        self.run("systemctl", "poweroff", "--force", "--no-wall", check=False)
        try:
            self.outside.wait(20)
        except subprocess.TimeoutExpired:
            self.outside.kill()
            self.outside.wait()
        for tree in CGROUPS.glob(f"*/{self.name}"):
            for folder in sorted((p for p in tree.rglob("*") if p.is_dir()), reverse=True):
                folder.rmdir()
            tree.rmdir()


@pytest.fixture(scope="module")
def box(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    box = Box(tmp_path_factory.mktemp("box"))
    yield box
    box.close()


@pytest.fixture(scope="module")
def service(environment: Path, box: Box, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Installed by its own command, from a config of short runs."""
    served = Served(tmp_path_factory.mktemp("served"))
    served.run_config("leaky", LEAK, seconds=12, framework="torch")
    served.run_config("greedy", LEAK, seconds=60, framework="torch")
    greedy = served.folder / "greedy.toml"
    greedy.write_text(greedy.read_text() + "options = { mib_per_second = 200 }\n")
    served.config(
        '[[schedule]]\nname = "leaky"\nconfig = "leaky.toml"\nback_to_back = true\npause = "1 s"\n'
        '[[schedule]]\nname = "never"\nconfig = "leaky.toml"\nat = 2099-01-01T00:00:00Z\n'
    )
    text = (served.folder / "soak.toml").read_text().replace(f'state = "{served.state}"\n', "")
    (served.folder / "soak.toml").write_text(text)
    inside = box.root / "tmp/config"
    shutil.copytree(served.folder, inside)
    box.run(str(environment / "bin/soak"), "install", "--config", "/tmp/config/soak.toml")
    wait_for(lambda: served.answers("/-/ready"))
    return served


def test_the_unit_is_sound_and_tight() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", shipped("systemd/soak.service")],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert rated.returncode == 0, rated.stdout[-300:]


def test_it_is_ready_runs_as_its_own_user_and_writes_fields_to_the_journal(box: Box, service: Served) -> None:
    assert box.show("ActiveState") == "active"
    assert box.run("systemctl", "is-enabled", "soak") == "enabled"
    assert box.run("stat", "-c", "%U", f"/proc/{box.show('MainPID')}") == "soak"
    wait_for(lambda: "running leaky" in box.show("StatusText"))
    lines = box.run("journalctl", "-u", "soak", "-o", "json", "--no-pager").splitlines()
    begun = [entry for entry in map(json.loads, lines) if entry.get("SOAK_SCHEDULE") == "leaky"]
    assert begun
    assert begun[0]["SYSLOG_IDENTIFIER"] == "soak"
    assert "soak serve" in box.run("systemctl", "status", "soak", "--no-pager")


def test_each_trial_is_in_a_sandbox_and_the_service_alone_is_limited(
    environment: Path, box: Box, service: Served
) -> None:
    look = (
        "import glob, json, sqlite3\n"
        "for path in glob.glob('/var/lib/soak/runs/*/record.sqlite'):\n"
        "    for (body,) in sqlite3.connect(f'file:{path}?mode=ro', uri=True).execute('SELECT body FROM trial'):\n"
        "        print(json.loads(body).get('environment', {}).get('sandbox', ''))\n"
    )

    def held() -> list[str]:
        return box.run(str(environment / "bin/python"), "-c", look, check=False).splitlines()

    wait_for(lambda: [said for said in held() if said.startswith("landlock ")], 60)
    limits = box.run("cat", f"/proc/{box.show('MainPID')}/limits")
    assert re.search(rf"^Max data size +{512 * 2**20} ", limits, re.MULTILINE), (
        "cgroup v1: systemd delegates to root only"
    )
    run = wait_for(lambda: box.run("pgrep", "-f", "soak run", check=False).split(), 60)[0]
    assert re.search(r"^Max data size +unlimited", box.run("cat", f"/proc/{run}/limits"), re.MULTILINE)


def test_after_sigkill_it_is_back_and_the_run_is_closed(box: Box, service: Served) -> None:
    cut = wait_for(lambda: [r["run"] for r in service.json("/api/v1/status")["running"] if r["running"]])[0]
    box.run("systemctl", "kill", "-s", "KILL", "--kill-whom=main", "soak")
    wait_for(lambda: box.show("NRestarts") == "1" and service.answers("/-/ready"))
    wait_for(lambda: [r for r in service.runs() if r["id"] == cut and r["reports"]])
    assert next(r for r in service.runs() if r["id"] == cut)["verdict"] == "inconclusive"
    wait_for(lambda: service.json("/api/v1/status")["running"])
    assert next(s for s in service.json("/api/v1/schedules") if s["name"] == "never")["next_run"], "not forgotten"


def test_a_reload_is_refused_or_taken(box: Box, service: Served) -> None:
    path = box.root / "etc/soak/soak.toml"
    good = path.read_text()
    path.write_text(good + "nonsense = [\n")
    box.run("systemctl", "reload", "soak")
    wait_for(lambda: "soak_config_last_reload_success 0.0" in service.get("/metrics"))
    path.write_text(good)
    box.run("systemctl", "reload", "soak")
    wait_for(lambda: "soak_config_last_reload_success 1.0" in service.get("/metrics"))
    assert box.show("ActiveState") == "active"


def test_a_trial_that_the_kernel_kills_is_a_result_and_the_service_lives(box: Box, service: Served) -> None:
    drop = box.root / "etc/systemd/system/soak.service.d"
    drop.mkdir(exist_ok=True)
    (drop / "memory.conf").write_text("[Service]\nMemoryMax=900M\nMemorySwapMax=0\n")
    config = box.root / "etc/soak/soak.toml"
    shutil.copy(service.folder / "greedy.toml", box.root / "etc/soak/greedy.toml")
    config.write_text(config.read_text().replace('config = "leaky.toml"\nback', 'config = "greedy.toml"\nback'))
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", "soak")
    main = box.show("MainPID")
    before = {run["id"] for run in service.runs(verdict=False)}
    wait_for(lambda: "greedy-torch oom" in box.journal())
    (killed, *_) = wait_for(lambda: [run for run in service.runs() if run["id"] not in before])
    assert killed["verdict"] in ("leak", "unstable")
    assert box.show("MainPID") == main, "the service was not restarted"
    shutil.rmtree(drop)
    config.write_text(config.read_text().replace("greedy.toml", "leaky.toml"))


def test_a_service_that_hangs_is_restarted_by_the_watchdog(box: Box, service: Served) -> None:
    drop = box.root / "etc/systemd/system/soak.service.d"
    drop.mkdir(exist_ok=True)
    (drop / "watchdog.conf").write_text("[Service]\nWatchdogSec=3\n")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", "soak")
    box.run("systemctl", "kill", "-s", "STOP", "--kill-whom=main", "soak")
    wait_for(lambda: "watchdog" in box.journal())
    wait_for(lambda: box.show("ActiveState") == "active" and service.answers("/-/ready"))


def test_it_stops_cleanly_and_goes_without_a_trace(environment: Path, box: Box, service: Served) -> None:
    wait_for(lambda: [r for r in service.json("/api/v1/status")["running"] if r["running"]])
    box.run("systemctl", "stop", "soak")
    assert box.show("Result") == "success"
    assert "interrupted" in box.run("journalctl", "-u", "soak", "-n", "8", "--no-pager")
    box.run(str(environment / "bin/soak"), "uninstall", "--purge")
    assert not (box.root / "etc/systemd/system/soak.service").exists()
    assert not (box.root / "var/lib/soak").exists()
