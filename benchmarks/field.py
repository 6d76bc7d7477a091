"""Holds soak to the truth of real workloads, leaking and bounded, in both frameworks.

    python -m benchmarks.field truth [--case NAME …] [--out FOLDER]
    python -m benchmarks.field soak [--case NAME …] [--out FOLDER] [--seconds 180] [--parallel 1]
    python -m benchmarks.field table [--out FOLDER]

`truth` measures what each loses in a step, without soak; `soak` soaks each, paced, in a run of its own; `table` prints
what was true, what was said, and the totals; `list` names the cases. Results are lines of JSON in the folder
(`truth.jsonl`, `soak.jsonl`), and what is there already is not done again. A name of a case may be a pattern, as of a
shell. See `benchmarks/field_cases.py` for what there is, and `field_truth.py` for how the truth is measured.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import tomli_w

from benchmarks.field_cases import STREAM, Case, cases
from benchmarks.field_table import table

TOLD = (
    "verdict", "reason", "leak_probability", "layer", "cause", "rate", "minimum_detectable_rate", "steps_per_second",
    "end_reason", "seconds", "doses",
)  # fmt: skip
"""What is kept of a trial's report."""
FOUND = ("verdict", "leak_probability", "rate_per_hour", "minimum_detectable_rate_per_hour", "shape")
"""What is kept of each finding."""
PATIENCE = 600.0
"""Seconds that a measurement or a run may take beyond its own."""


def main() -> None:
    """Measure, soak, or print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("truth", "soak", "table", "list"))
    parser.add_argument("--case", nargs="+", default=["*"], help="names or patterns")
    parser.add_argument("--out", type=Path, default=Path("field"), help="folder of the results")
    parser.add_argument("--seconds", type=float, help="length of a soak (180), or most of a measurement (25)")
    parser.add_argument("--parallel", type=int, default=1, help="soaks at a time")
    parser.add_argument("--truth", choices=("leak", "bounded", "either"), help="only those")
    options = parser.parse_args()
    chosen = [one for one in named(options.case) if options.truth in (None, one.truth)]
    options.out.mkdir(parents=True, exist_ok=True)
    if options.what == "list":
        print("\n".join(f"{one.truth:8} {one.name}" for one in chosen))
    elif options.what == "table":
        print(table(chosen, load(options.out / "truth.jsonl"), load(options.out / "soak.jsonl")))
    elif options.what == "truth":
        seconds = options.seconds or 25.0
        work(chosen, options.out / "truth.jsonl", lambda one: measured(one, seconds), options.parallel)
    else:
        seconds = options.seconds or 180.0
        work(chosen, options.out / "soak.jsonl", lambda one: soaked(one, seconds, options.out), options.parallel)


def named(patterns: Iterable[str]) -> list[Case]:
    """In the order of the patterns, each once."""
    each = (one for pattern in patterns for one in cases() if fnmatch.fnmatch(one.name, pattern))
    return list({one.name: one for one in each}.values())


def load(path: Path) -> dict[str, dict[str, Any]]:
    """By name of the case; the latest counts, and a line that was cut short does not."""
    found: dict[str, dict[str, Any]] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            one = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[one["case"]] = one
    return found


def work(chosen: Iterable[Case], path: Path, do: Callable[[Case], Mapping[str, Any]], parallel: int) -> None:
    """Do what is not done, and write each result as it comes."""
    done = {name for name, one in load(path).items() if "error" not in one}

    def one(case: Case) -> None:
        try:
            result = {"case": case.name, **do(case)}
        except subprocess.TimeoutExpired as late:
            result = {"case": case.name, "error": str(late)}
        with path.open("a") as file:
            file.write(json.dumps(result) + "\n")
        print(f"{case.name}: {brief(result)}", flush=True)

    with ThreadPoolExecutor(parallel) as pool:
        for _ in pool.map(one, [case for case in chosen if case.name not in done]):
            pass


def brief(result: Mapping[str, Any]) -> str:
    """For who waits."""
    if "error" in result:
        return str(result["error"])[-300:]
    if "per_step" in result:
        told = {name: round(value, 2) for name, value in result["per_step"].items() if abs(value) > 1e-3}
        return f"{result['steps']} steps in {result['seconds']} s: {told}"
    return f"{result['verdict']} P={result['leak_probability']} {result['layer']} ({result['reason'][:120]})"


def measured(case: Case, seconds: float) -> dict[str, Any]:
    """The truth, in a fresh process."""
    order = {
        "workload": case.workload, "framework": case.framework, "mode": case.mode, "options": dict(case.options),
        "stream": STREAM, "steps": case.steps, "seconds": seconds,
    }  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.field_truth", json.dumps(order)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + PATIENCE)
    if ran.returncode:
        return {"error": ran.stderr[-600:]}
    return dict(json.loads(ran.stdout.splitlines()[-1]))


def soaked(case: Case, seconds: float, out: Path) -> dict[str, Any]:
    """What soak says of it, from the report of a run of its own."""
    folder = out / "runs" / case.name
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.toml"
    config.write_text(tomli_w.dumps(config_of(case, seconds)))
    command = [sys.executable, "-m", "soak", "run", str(config), "--out", str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + PATIENCE)
    reports = sorted(folder.glob("*/report.json"), key=os.path.getmtime)
    if not reports:
        return {"error": (ran.stderr or ran.stdout)[-600:]}
    (trial,) = json.loads(reports[-1].read_text())["trials"]
    return {name: trial.get(name) for name in TOLD} | {
        "run": str(reports[-1].parent),
        "series": [
            {
                "metric": one["metric"],
                "layer": one["layer"],
                "samples": one["samples"],
                **{name: finding[name] for name in FOUND},
            }
            for one in trial["series"]
            for finding in one["findings"]
        ],
    }


def config_of(case: Case, seconds: float) -> dict[str, Any]:
    """A run of one trial."""
    return {
        "run": {"name": case.name, "duration": f"{seconds:g} s", "heartbeat_deadline": "60 s", "device": "cpu"},
        "stream": {**STREAM, "pace": "real_time", "fps": case.fps},
        "trial": [
            {
                "name": "case", "workload": case.workload, "framework": case.framework, "mode": case.mode,
                "execution": "eager", "options": dict(case.options),
            }
        ],
    }  # fmt: skip


if __name__ == "__main__":
    main()
