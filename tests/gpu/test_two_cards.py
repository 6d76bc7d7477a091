"""Two real cards and a CUDA build of PyTorch: what is told of each device; ranks that sum by NCCL; one that is killed.

`make test` leaves it out, as all that is slow: `python -m pytest -m slow tests/gpu/test_two_cards.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import tomli_w

from monitors.labels import parse_series_name
from soak.engine.guardian import MEMBER, variable_of
from tests.integration.serving import Served
from tests.patience import PATIENCE, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.framework]
CONFIG = Path(__file__).parents[2] / "configs" / "gpu-two.toml"
CARDS = ("cuda:0", "cuda:1")
MIB_PER_HOUR = 8.0 * 2**20 * 3600
"""Planted in `gpu-two.toml`."""
SEEN = "import torch; print(torch.cuda.device_count())"


@pytest.fixture(scope="module", autouse=True)
def _two_cards() -> None:
    asked = subprocess.run([sys.executable, "-c", SEEN], capture_output=True, text=True, check=False)
    if asked.returncode or int(asked.stdout or 0) < 2:
        pytest.skip("PyTorch sees no two GPUs here")


def config(folder: Path, *names: str, **run: Any) -> Path:
    """`gpu-two.toml` with these trials alone. run: keys of its table."""
    whole = tomllib.loads(CONFIG.read_text())
    whole["run"] |= run
    whole["trial"] = [trial for trial in whole["trial"] if trial["name"] in names]
    path = folder / "two.toml"
    path.write_text(tomli_w.dumps(whole))
    return path


def started(folder: Path, *names: str, **run: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "soak", "run", str(config(folder, *names, **run)), "--out", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def report_of(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("*/report.json")
    body: dict[str, Any] = json.loads(path.read_text())
    return body


def asked(folder: Path, question: str) -> list[Any]:
    """Of the record that is being written; nothing while there is none."""
    for path in folder.glob("*/record.sqlite"):
        with (
            contextlib.suppress(sqlite3.OperationalError),
            contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db,
        ):
            return list(db.execute(question))
    return []


def holders() -> set[int]:
    """Processes that hold memory of a card, as the driver tells."""
    command = ["nvidia-smi", "--query-compute-apps=pid", "--format=csv,noheader"]
    return set(map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()))


def series_of(trial: dict[str, Any]) -> Counter[tuple[str, str, str, str]]:
    named = [parse_series_name(series["name"]) for series in trial["series"]]
    return Counter((key.metric, key.member, key.device, key.label) for key in named)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    service = Served(tmp_path)
    yield service
    if service.process is not None:
        service.stop()


def test_both_devices_of_one_process_are_told_apart_everywhere(served: Served, tmp_path: Path) -> None:
    path = config(tmp_path, "two-devices")
    due = f'[[schedule]]\nname = "two"\nconfig = "{path}"\nat = 2020-01-01T00:00:00Z\n'
    served.config(f'{due}device = "{",".join(CARDS)}"\n')
    served.start()
    page = wait_for(lambda: text if told(text := served.get("/metrics")) >= set(CARDS) else "")
    (tmp_path / "metrics.txt").write_text(page)
    assert told(page) == set(CARDS), "of each device, and then not of both together"
    names = [line.rpartition(" ")[0] for line in page.splitlines() if line and not line.startswith("#")]
    assert not [name for name, times in Counter(names).items() if times > 1]

    (run,) = wait_for(served.runs)
    wait_for(lambda: served.runs()[0]["reports"])
    report = served.json(f"/api/v1/runs/{run['id']}/report")
    (trial,) = report["trials"]
    assert (trial["verdict"], trial["layer"], trial["device"]) == ("leak", "gpu_allocated", ",".join(CARDS))
    assert trial["reason"].startswith("gpu_allocated on cuda:1: "), trial["reason"]
    assert abs(trial["rate"]["per_hour"] / MIB_PER_HOUR - 1) < 0.1
    found = series_of(trial)
    assert max(found.values()) == 1
    for metric in ("gpu_allocated_bytes", "gpu_reserved_bytes", "gpu_process_bytes", "gpu_residual_bytes"):
        assert {device for name, _, device, _ in found if name == metric and device} == set(CARDS), metric
    page = (tmp_path / "state" / "runs" / run["id"] / "report.html").read_text()
    assert all(f"gpu_allocated · {card}" in page for card in CARDS)


def told(page: str) -> set[str]:
    """Devices of which a scraped page tells what the framework allocated."""
    lines = [line for line in page.splitlines() if line.startswith("soak_memory_bytes{")]
    return {
        found[1] for line in lines if 'layer="gpu_allocated"' in line and (found := re.search(r'device="(.*?)"', line))
    }


def test_a_leak_on_the_card_of_one_rank_is_found_and_named_and_its_clean_twin_passes(tmp_path: Path) -> None:
    out, _ = started(tmp_path, "ranks", "ranks-clean").communicate(timeout=4 * PATIENCE)
    report = report_of(tmp_path)
    leaks, clean = report["trials"]
    assert (leaks["verdict"], leaks["layer"]) == ("leak", "gpu_allocated"), out
    assert leaks["reason"].startswith("rank 1 of 2: gpu_allocated on cuda:1: "), leaks["reason"]
    assert abs(leaks["rate"]["per_hour"] / MIB_PER_HOUR - 1) < 0.1
    assert clean["verdict"] == "pass", out
    assert report["run"]["verdict"] == "pass"
    found = series_of(leaks)
    assert max(found.values()) == 1
    for metric in ("gpu_allocated_bytes", "gpu_process_bytes", "gpu_residual_bytes"):
        held = {(member, device) for name, member, device, _ in found if name == metric and member}
        assert held == {("rank 0 of 2", "cuda:0"), ("rank 1 of 2", "cuda:1")}, metric


def test_a_rank_that_is_killed_in_a_sum_ends_the_trial_and_leaves_nothing_on_the_cards(tmp_path: Path) -> None:
    before = holders()
    process = started(tmp_path, "ranks-clean", duration="10 min")
    steps = "SELECT id FROM series WHERE metric = 'steps' AND member = 'rank 1 of 2'"
    wait_for(lambda: asked(tmp_path, steps))
    ranks = {
        variable_of(child.pid, MEMBER): child.pid for child in psutil.Process(process.pid).children(recursive=True)
    }
    wait_for(lambda: {ranks[b"0"], ranks[b"1"]} <= holders())
    os.kill(ranks[b"0"], signal.SIGSTOP)
    time.sleep(1.0)  # many steps long: rank 1 is in a sum now, and waits
    os.kill(ranks[b"1"], signal.SIGKILL)
    os.kill(ranks[b"0"], signal.SIGCONT)
    out, _ = process.communicate(timeout=PATIENCE)
    (trial,) = report_of(tmp_path)["trials"]
    assert (trial["end_reason"], trial["end_message"]) == ("crashed", "rank 1 of 2 died of SIGKILL"), out
    assert (trial["verdict"], process.returncode) == ("unstable", 4), out
    assert holders() <= before
