"""The soak of the soak: the service under runs back to back, scraped every second: `python -m benchmarks.service`.

Its own memory, descriptors and threads go into a CSV, which `soak analyze` judges; and what it costs is printed. With
`--storm 8` so many more ask without a pause, and the longest distance between two samples of a run is told.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from monitors.sources import procfs

PROC = Path("/proc")
RUN = """
[run]
duration = "{seconds} s"
parallel = 2
[stream]
pace = "real_time"
[[trial]]
workload = "recurrent"
framework = ["torch"]
repeats = 2
"""
SOAK = """
[service]
listen = "127.0.0.1:{port}"
state = "{folder}/state"
[retention]
runs = 20
[[schedule]]
name = "again"
config = "run.toml"
back_to_back = true
pause = "1 s"
"""


def free_port() -> int:
    """Of loopback."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def sample(pid: int) -> tuple[int, int, int, int, float]:
    """Resident and anonymous bytes, descriptors, threads, CPU seconds."""
    status, stat = procfs.read_status(PROC, pid), procfs.read_stat(PROC, pid)
    assert status is not None
    assert stat is not None
    fds = procfs.count_fds(PROC, pid)
    return status.rss or 0, status.anonymous or 0, fds or 0, status.threads, stat.cpu_seconds


def storm(url: str, until: float) -> None:
    """Ask again and again."""
    while time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            answer.read()


def longest(folder: Path) -> float:
    """Seconds between two samples of one trial, over all runs."""
    found = 0.0
    for record in (folder / "state" / "runs").glob("*/record.sqlite"):
        with contextlib.closing(sqlite3.connect(f"file:{record}?mode=ro", uri=True)) as db:
            query = "SELECT max(d) FROM (SELECT t - lag(t) OVER (PARTITION BY trial ORDER BY t) AS d FROM round)"
            found = max(found, db.execute(query).fetchone()[0] or 0.0)
    return found


def main() -> None:
    """Serve, scrape, judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seconds", type=int, default=20, help="of each run")
    parser.add_argument("--storm", type=int, default=0, metavar="N", help="so many more scrape without a pause")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "soak-of-soak.csv")
    options = parser.parse_args()
    folder, port = Path(tempfile.mkdtemp(prefix="soak-service-")), free_port()
    (folder / "run.toml").write_text(RUN.format(seconds=options.seconds))
    (folder / "soak.toml").write_text(SOAK.format(port=port, folder=folder))
    command = [sys.executable, "-P", "-m", "soak", "serve", "--config", str(folder / "soak.toml")]
    service = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    scrapes = failed = 0
    began = time.monotonic()
    with options.out.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("t", "rss_bytes", "anon_bytes", "num_fds", "num_threads"))
        time.sleep(3.0)
        *_, cpu = sample(service.pid)
        first = time.monotonic()
        for _ in range(options.storm):
            until = began + 60 * options.minutes
            threading.Thread(target=storm, args=(f"http://127.0.0.1:{port}/metrics", until), daemon=True).start()
        while (now := time.monotonic()) - began < 60 * options.minutes:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                    answer.read()
                scrapes += 1
            except OSError:
                failed += 1
            *values, used = sample(service.pid)
            rows.writerow((round(now - began, 3), *values))
            time.sleep(max(0.0, 1.0 - (time.monotonic() - now)))
        share = (used - cpu) / (time.monotonic() - first)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        runs = [line for line in answer.read().decode().splitlines() if line.startswith("soak_runs_total")]
    service.send_signal(signal.SIGTERM)
    service.wait()
    print(f"{scrapes} scrapes, {failed} failed; {share:.2%} of a core; {values[0] / 2**20:.1f} MiB resident at the end")
    print(f"{longest(folder):.2f} s between two samples at most, of an interval of 1 s")
    shutil.rmtree(folder)
    print("\n".join(line for line in runs if not line.endswith(" 0.0")))
    subprocess.run([sys.executable, "-P", "-m", "soak", "analyze", str(options.out)], check=False)


if __name__ == "__main__":
    main()
