"""`soak analyze` as its users meet it: files, run folders, exit codes, and a real Prometheus server."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import soak
from soak.cli import main
from tests.patience import PATIENCE, wait_for

TRACES = Path(__file__).parents[2] / "benchmarks" / "traces"
T = np.arange(0.0, 1800, 2.0)


def trace(folder: Path, name: str, growth: float) -> Path:
    """Half an hour of memory that grows by so many bytes a second."""
    values = 3e8 + growth * T + np.random.default_rng(1).normal(0, 2e5, len(T))
    path = folder / name
    path.write_text("t,rss_bytes\n" + "".join(f"{t:g},{v:.0f}\n" for t, v in zip(T, values, strict=True)))
    return path


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_many_files_one_object_a_line_worst_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leak, flat = trace(tmp_path, "leak.csv", 2000), trace(tmp_path, "flat.csv", 0)
    empty = tmp_path / "empty.csv"
    empty.touch()
    assert main(["analyze", str(flat), "--json"]) == 0
    capsys.readouterr()
    assert main(["analyze", str(flat), str(empty), "--json"]) == 3
    capsys.readouterr()
    assert main(["analyze", str(flat), str(leak), str(empty), "--json", "--limit", "1 GiB"]) == 1
    told = lines(capsys.readouterr().out)
    assert [one["verdict"] for one in told] == ["pass", "leak", "inconclusive"]
    body = told[1]
    assert body["schema"] == "soak.analysis/1"
    assert (body["source"], body["layer"]) == (str(leak), "anonymous")
    assert body["leak_probability"] > 0.95
    assert body["calibrated"]
    (series,) = body["series"]
    low, high = series["rate_per_hour_ci95"]
    assert low < 7.2e6 < high
    assert series["minimum_detectable_rate_per_hour"] < 7.2e6
    assert series["hours_to_exhaustion"] == pytest.approx((2**30 - 3.036e8) / 7.2e6, rel=0.05)
    assert told[0]["series"][0]["hours_to_exhaustion"] is None
    assert told[2]["reason"] == "the file is empty"


def test_a_file_that_cannot_be_read_stops_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flat = trace(tmp_path, "flat.csv", 0)
    assert main(["analyze", str(tmp_path / "none.csv"), str(flat), "--json"]) == 2
    said = capsys.readouterr()
    assert "none.csv: no such file" in said.err
    assert [one["verdict"] for one in lines(said.out)] == ["pass"]


def test_a_table_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["analyze", str(trace(tmp_path, "leak.csv", 2000))]) == 1
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "leak.csv: leak, anonymous: sustained growth of" in out
    assert "detectable above" in out
    assert max(map(len, out.splitlines()[1:])) <= 80


def test_what_is_too_slow_or_not_asked_for_is_no_leak(tmp_path: Path) -> None:
    leak = str(trace(tmp_path, "leak.csv", 2000))
    assert main(["analyze", leak, "--min-rate", "20 MiB/h"]) == 0
    assert main(["analyze", leak, "--column", "num_*"]) == 3
    assert main(["analyze", leak, "--skip", "0"]) == main(["analyze", leak, "--skip", "5 min"]) == 1
    with pytest.raises(SystemExit):
        main(["analyze", leak, "--min-rate", "fast"])
    assert main(["analyze"]) == 2
    assert main(["analyze", "--prometheus", "http://localhost:1"]) == 2


def test_it_starts_light() -> None:
    code = (
        "import sys; from soak.cli import main\n"
        "try: main(['analyze', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'tensorflow', 'numpy', 'pyarrow', 'scipy'} & set(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr.strip() == "[]"


def test_standard_input_entities_and_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        f"{t:g},{pid},{300_000 + (2 * t if pid == 7 else 0) + (i * 7919 + pid) % 300:.0f}"
        for i, t in enumerate(T)
        for pid in (7, 8)
    ]
    content = "t,pid,rss_kb,uptime_s\n" + "".join(f"{row},{i}\n" for i, row in enumerate(rows))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    page = tmp_path / "page.html"
    assert main(["analyze", "-", "--json", "--html", str(page)]) == 1
    told = lines(capsys.readouterr().out)
    assert [(one["source"], one["verdict"]) for one in told] == [
        ("standard input: pid=7", "leak"), ("standard input: pid=8", "pass")
    ]  # fmt: skip
    assert [one["name"] for one in told[0]["ignored"]] == ["uptime_s"]
    text = page.read_text()
    assert text.count('<div class="chart') == 2, "one series of each process"
    assert "1 of 2 traces leak" in text
    assert not re.search(r'(?:src|href)="(?!data:|#)', text), "it asks the network for nothing"
    assert "default-src &#39;none&#39;" in text


def test_of_several_entities_python_asks_for_one(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "t,pid,rss\n" + "".join(f"{i},{pid},{500 + (i * pid) % 5} MiB\n" for i in range(200) for pid in (1, 2))
    )
    with pytest.raises(soak.UsageError, match="expected one of 2 entities"):
        soak.analyze(path)
    found = soak.analyze(path, entity="pid=2")
    assert (found.source, found.verdict) == (f"{path}: pid=2", "pass")
    assert soak.analyze(path, group_by=[], skip="10 s").verdict == "inconclusive"


def truths() -> list[tuple[str, str]]:
    with (TRACES / "truth.csv").open(newline="") as file:
        return [(row["file"], row["truth"]) for row in csv.DictReader(file)]


def test_no_real_trace_is_judged_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    known = truths()
    assert len(known) > 40
    main(["analyze", *(str(TRACES / name) for name, _ in known), "--json"])
    told = [one["verdict"] for one in lines(capsys.readouterr().out)]
    wrong = [(name, truth, verdict) for (name, truth), verdict in zip(known, told, strict=True) if verdict != truth]
    assert wrong == []


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[str]:
    """A real server that has recorded an hour of a leaking and of a flat process."""
    server, tool = shutil.which("prometheus"), shutil.which("promtool")
    if server is None or tool is None:
        pytest.skip("Prometheus is not installed (Debian: apt install prometheus)")
    end = int(time.time()) - 7200
    rows = ["# TYPE process_resident_memory_bytes gauge"]
    generator = np.random.default_rng(3)
    for job, growth in (("leaking", 3000.0), ("calm", 0.0)):
        for t in range(0, 3601, 15):
            value = 3e8 + growth * t + generator.normal(0, 1e5)
            rows.append(f'process_resident_memory_bytes{{job="{job}"}} {value:.0f} {end - 3600 + t}')
    (tmp_path / "history").write_text("\n".join([*rows, "# EOF", ""]))
    data = tmp_path / "data"
    subprocess.run(
        [tool, "tsdb", "create-blocks-from", "openmetrics", tmp_path / "history", data], check=True, capture_output=True
    )
    (tmp_path / "prometheus.yml").write_text("scrape_configs: []\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [server, f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={data}",
         f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=1y"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/-/ready")
        yield url
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait_for(url: str) -> None:
    def answers() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE):
                return True
        except OSError:
            return False

    wait_for(answers)


def test_what_prometheus_recorded_is_judged(prometheus: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["analyze", "--prometheus", prometheus, "--range", "4h", "--step", "15 s", "--json", "--query"]
    assert main([*asked, 'process_resident_memory_bytes{job="leaking"}']) == 1
    assert main([*asked, 'process_resident_memory_bytes{job="calm"}']) == 0
    assert main([*asked, "process_resident_memory_bytes"]) == 1
    leaking, calm, both = lines(capsys.readouterr().out)
    assert leaking["series"][0]["name"] == "process_resident_memory_bytes{job=leaking}"
    assert leaking["series"][0]["rate_per_hour"] == pytest.approx(1.08e7, rel=0.05)
    assert calm["verdict"] == "pass"
    assert {one["name"]: one["verdict"] for one in both["series"]} == {
        "process_resident_memory_bytes{job=leaking}": "leak",
        "process_resident_memory_bytes{job=calm}": "pass",
    }
    assert main([*asked, "no_such_series"]) == 2
    assert "returns no series" in capsys.readouterr().err
    assert main([*asked, "sum("]) == 2
    assert "parse error" in capsys.readouterr().err
