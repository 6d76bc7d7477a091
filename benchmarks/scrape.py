"""How many series one scrape of the service has: `python -m benchmarks.scrape`.

A service with two schedules runs two trials side by side, of one worker each; and then one trial of two commands.
Series are counted once every trial has been sampled for some seconds, before the online alarm has looked at any.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

from benchmarks.service import free_port

RUN = '[run]\nduration = "10 min"\nparallel = 2\n[stream]\npace = "real_time"\n'
WORKERS = '[[trial]]\nworkload = "recurrent"\nframework = ["torch"]\nrepeats = 2\n'
COMMANDS = '[[trial]]\nname = "two"\n' + "".join(
    f'[[trial.member]]\nname = "{name}"\ncommand = ["sleep", "600"]\n' for name in ("one", "other")
)
CASES = (
    ("two trials of one worker", WORKERS, ("soak_step_latency_seconds_count", 2)),
    ("one trial of two commands", COMMANDS, ("soak_cpu_seconds_total", 1)),
)
SOAK = """
[service]
listen = "127.0.0.1:{port}"
state = "{folder}/state"
[[schedule]]
name = "now"
config = "run.toml"
back_to_back = true
[[schedule]]
name = "later"
config = "run.toml"
cron = "0 3 1 1 *"
"""
SETTLED = 10.0
"""Seconds of samples before the series are counted."""
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def main() -> None:
    """Print what was counted, for both runs."""
    print("| running | in all | of each trial | of these, its latencies | of its samplers | of each schedule |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for said, trials, works in CASES:
        with tempfile.TemporaryDirectory() as folder:
            print(f"| {said} | {row(scrape(Path(folder), trials, works))} |", flush=True)


def scrape(folder: Path, trials: str, works: tuple[str, int]) -> list[str]:
    """The series of a service that runs these trials.

    works: a metric, and how many trials have it once all of them work.
    """
    port = free_port()
    (folder / "run.toml").write_text(RUN + trials)
    (folder / "soak.toml").write_text(SOAK.format(port=port, folder=folder))
    command = [sys.executable, "-P", "-m", "soak", "serve", "--config", str(folder / "soak.toml")]
    service = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while len(trials_with(works[0], asked(port))) < works[1]:
            time.sleep(1.0)
        time.sleep(SETTLED)
        series = asked(port)
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait()
    return series


def asked(port: int) -> list[str]:
    """The series of one scrape; none while the service does not answer yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return [line for line in answer.read().decode().splitlines() if line and not line.startswith("#")]
    except OSError:
        return []


def labels(one: str) -> dict[str, str]:
    """Of a series."""
    return dict(_LABEL.findall(one))


def trials_with(metric: str, series: list[str]) -> set[str]:
    """Their names."""
    return {labels(one)["trial"] for one in series if one.startswith(f"{metric}{{")}


def row(series: list[str]) -> str:
    """Cells of the table."""
    trials = Counter(labels(one)["trial"] for one in series if "trial" in labels(one))
    first = next(iter(trials))
    of_one = [one for one in series if labels(one).get("trial") == first]
    latencies = sum(one.startswith("soak_step_latency_seconds") for one in of_one)
    samplers = sum("sampler" in labels(one) for one in of_one)
    others = [labels(one) for one in series if "trial" not in labels(one)]
    schedules = Counter(one["schedule"] for one in others if "schedule" in one)
    each = [sorted(set(found.values())) for found in (trials, schedules)]
    of_trials, of_schedules = (" and ".join(map(str, counts)) for counts in each)
    return f"{len(series)} | {of_trials} | {latencies} | {samplers} | {of_schedules}"


if __name__ == "__main__":
    main()
