"""A real Prometheus evaluates the shipped rules over a real service, and a real Alertmanager hears of the leak alone.

A real browser shows the page meanwhile; and whatever rules and dashboards name exists.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from soak.plan.shipped import shipped
from tests.browsing import chromium
from tests.integration.serving import CLEAN, LEAK, Served, free_port
from tests.patience import PATIENCE, wait_for

pytestmark = [pytest.mark.framework, pytest.mark.browser]
RULES = shipped("configs/prometheus/soak.rules.yml")
DASHBOARDS = sorted(shipped("configs/grafana").glob("*.json"))
NAME = re.compile(r"\b(?:soak|process|schedule\w*:soak|instance:soak)_[a-z0-9_:]*[a-z0-9]\b")


class Webhook:
    """What an Alertmanager sends to."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.alerts += body["alerts"]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/soak"

    def fired(self) -> set[tuple[str, str]]:
        """Name and trial of every alert that came."""
        return {(a["labels"]["alertname"], a["labels"].get("trial", "")) for a in self.alerts}


class Watched:
    """A service, its Prometheus and its Alertmanager."""

    def __init__(self, folder: Path) -> None:
        for program in ("prometheus", "prometheus-alertmanager"):
            if shutil.which(program) is None:
                pytest.skip(f"{program} is not installed: apt-get install prometheus prometheus-alertmanager")
        self.service, self.webhook = Served(folder), Webhook()
        self.prometheus, self.manager = free_port(), free_port()
        self.processes: list[subprocess.Popen[bytes]] = []
        self.folder = folder

    def start(self) -> None:
        """The shipped examples, with this machine's ports and quick intervals."""
        manager = yaml.safe_load(shipped("configs/prometheus/alertmanager.yml").read_text())
        manager["receivers"][0]["webhook_configs"][0]["url"] = self.webhook.url
        manager["route"].update(group_wait="1s", group_interval="1s")
        scraping = yaml.safe_load(shipped("configs/prometheus/prometheus.yml").read_text())
        scraping["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        scraping["rule_files"] = [str(RULES)]
        scraping["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{self.manager}"]
        scraping["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{self.service.port}"]
        (self.folder / "am.yml").write_text(yaml.safe_dump(manager))
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(scraping))
        self._spawn("prometheus-alertmanager", f"--config.file={self.folder}/am.yml", "--cluster.listen-address=",
                    f"--storage.path={self.folder}/am", f"--web.listen-address=127.0.0.1:{self.manager}")  # fmt: skip
        self._spawn("prometheus", f"--config.file={self.folder}/prometheus.yml", "--web.enable-lifecycle",
                    f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address=127.0.0.1:{self.prometheus}",
                    f"--web.external-url=http://127.0.0.1:{self.prometheus}")  # fmt: skip
        self.service.start()

    def _spawn(self, *command: str) -> None:
        with (self.folder / f"{command[0]}.log").open("wb") as log:
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder))

    def ask(self, path: str, **query: str) -> Any:
        """Prometheus."""
        url = f"http://127.0.0.1:{self.prometheus}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return json.load(answer)["data"]

    def close(self) -> None:
        """End all."""
        if self.service.process is not None:
            self.service.stop()
        for process in self.processes:
            process.kill()
            process.wait()
        self.webhook.server.shutdown()
        self.webhook.server.server_close()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A clean run, then a leaking one that is long enough for a look."""
    stage = Watched(tmp_path_factory.mktemp("watched"))
    stage.service.run_config("clean", CLEAN, seconds=25)
    stage.service.run_config("leaky", LEAK, seconds=80)
    text = (stage.folder / "leaky.toml").read_text().replace("alarm = 0.0", "alarm = 0.05")
    control = (
        '[[trial]]\nname = "planted"\nworkload = "fault_fd"\nframework = "none"\nexpect = "leak"\nduration = "25 s"\n'
    )
    (stage.folder / "leaky.toml").write_text(text.replace("stop_grace", "parallel = 2\nstop_grace") + control)
    stage.service.config(
        '[[schedule]]\nname = "clean"\nconfig = "clean.toml"\nat = 2020-01-01T00:00:00Z\n'
        '[[schedule]]\nname = "leaky"\nconfig = "leaky.toml"\nat = 2020-01-01T00:00:00Z\n'
        '[[schedule]]\nname = "next"\nconfig = "clean.toml"\ncron = "0 3 1 1 *"\n'
    )
    try:
        stage.start()
        yield stage
    finally:
        stage.close()


def test_the_page_while_it_runs(watched: Watched) -> None:
    """First: it shows what runs."""
    wait_for(lambda: watched.service.json("/api/v1/curves"))
    base = f"http://127.0.0.1:{watched.service.port}"
    problems: list[str] = []
    asked: list[str] = []
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1180, "height": 900})
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(base)
        page.wait_for_selector("svg path.line", timeout=1000 * PATIENCE)
        before = page.locator("svg path.line").first.get_attribute("d")
        page.wait_for_function(
            "before => document.querySelector('svg path.line')?.getAttribute('d') !== before",
            arg=before,
            timeout=1000 * PATIENCE,
        )
        page.screenshot(path=watched.folder / "status.png")
        page.set_viewport_size({"width": 380, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 380, "nothing sticks out of a narrow window"
    assert problems == []
    assert all(url.startswith((base, "data:")) for url in asked)


def test_the_leak_is_told_and_nothing_else(watched: Watched) -> None:
    wait_for(lambda: ("SoakLeakLikely", "leaky") in watched.webhook.fired())
    wait_for(lambda: len(watched.service.runs()) == 2)
    assert {run["schedule"]: run["verdict"] for run in watched.service.runs()} == {"clean": "pass", "leaky": "leak"}
    assert watched.webhook.fired() == {("SoakLeakLikely", "leaky")}, "not of the clean one, nor of the control"


def test_whatever_rules_and_dashboards_name_exists(watched: Watched) -> None:
    wait_for(lambda: len(watched.service.runs()) == 2)
    there = set(watched.ask("label/__name__/values"))
    named = set(NAME.findall(RULES.read_text()))
    for dashboard in DASHBOARDS:
        named |= set(NAME.findall(dashboard.read_text()))
    recorded = {rule["record"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
                if "record" in rule}  # fmt: skip
    labels = {"soak_trial_last_verdict"}
    assert named - there - recorded - labels == set()


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_shows_something(watched: Watched, path: Path) -> None:
    wait_for(lambda: len(watched.service.runs()) == 2)
    state = json.loads(path.read_text())
    assert state["schemaVersion"] >= 36
    assert {p["datasource"]["uid"] for p in state["panels"]} == {"${datasource}"}, "no data source of anyone's own"
    began = min(run["started"] for run in watched.service.runs())
    for panel in state["panels"]:
        for target in panel["targets"]:
            query = re.sub(r'=~"\$\w+"', '=~".+"', target["expr"]).replace("[5m]", "[30s]")
            found = watched.ask("query_range", query=query, start=str(began), end=str(began + 300), step="5")
            assert found["result"], f"{panel['title']}: {query}"
