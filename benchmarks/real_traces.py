"""Real traces with known truth: `python -m benchmarks.real_traces` judges them, with `--run RUN…` exports them anew.

Recorded by soak itself: `configs/zoo.toml` (growth that real frameworks show, clean twins, bounded caches) and the
planted leaks and lookalikes of `configs/selftest.toml`. What every trial must be judged is in its config, so a trace
carries its truth. `benchmarks/traces/` holds one CSV for each trial, compressed, and `truth.csv`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from pathlib import Path

import numpy as np

from monitors.detection.judge import judge
from monitors.detection.series import Series
from soak.record.reader import open_record
from soak.traces import tables
from soak.traces.judging import settings_of

TRACES = Path(__file__).with_name("traces")
COLUMNS = {
    "anonymous_bytes": "rss_bytes",
    "host_heap_bytes": "heap_inuse_bytes",
    "heap_held_bytes": "heap_free_bytes",
    "mmap_bytes": "mmap_bytes",
    "fds": "num_fds",
    "threads": "num_threads",
    "python_objects": "py_objects",
}
"""Metrics of a record → columns of a trace."""


def export(run: Path, out: Path) -> list[tuple[str, ...]]:
    """Write the trials of a run that have a truth; their rows of `truth.csv`."""
    rows = []
    record = open_record(run)
    for trial in record.trials():
        if trial.expect not in ("leak", "pass") or trial.end_reason != "finished":
            continue
        series = {one.metric.name: one for one in record.series(trial.index)}
        name = f"{record.run().name}-{trial.name}.csv.gz"
        _write(out / name, series)
        rows.append((name, trial.expect, trial.framework, trial.workload))
    return rows


def _write(path: Path, series: dict[str, Series]) -> None:
    """Every column on the times of resident memory since the first step; empty where nothing was known then."""
    clock = series["anonymous_bytes"]
    begun = slice(int(np.argmax(clock.steps > 0)) if clock.steps is not None else 0, None)
    t = clock.t[begun]
    columns = {"step": None if clock.steps is None else clock.steps[begun]}
    for metric, column in COLUMNS.items():
        one = series.get(metric)
        if one is not None and len(one.t):
            at = np.searchsorted(one.t, t)
            known = (at < len(one.t)) & (one.t[np.minimum(at, len(one.t) - 1)] == t)
            columns[column] = np.where(known, one.values[np.minimum(at, len(one.t) - 1)], np.nan)
    told = {name: values for name, values in columns.items() if values is not None}
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        file.write((",".join(("t", *told)) + "\n").encode())
        for row in zip(t - t[0], *told.values(), strict=True):
            file.write((",".join("" if np.isnan(v) else f"{v:.10g}" for v in row) + "\n").encode())


def main() -> None:
    """Export runs, or judge what there is."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", type=Path, nargs="+", default=[], help="run folders to export")
    options = parser.parse_args()
    truth = TRACES / "truth.csv"
    if options.run:
        TRACES.mkdir(exist_ok=True)
        rows = [row for run in options.run for row in export(run, TRACES)]
        with truth.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("file", "truth", "framework", "workload"), *sorted(rows)])
    print("| trace | truth | verdict | P(leak) | layer |\n| --- | --- | --- | ---: | --- |")
    wrong = unclear = 0
    with truth.open(newline="") as file:
        for row in csv.DictReader(file):
            told = judge(tables.read(TRACES / row["file"]).series, settings_of())
            mark = "" if told.verdict == row["truth"] else " ✗" if told.verdict != "inconclusive" else " ?"
            wrong, unclear = wrong + (mark == " ✗"), unclear + (mark == " ?")
            print(f"| {row['file'].removesuffix('.csv.gz')} | {row['truth']} | {told.verdict}{mark} | "
                  f"{told.leak_probability:.3f} | {told.layer or ''} |")  # fmt: skip
    print(f"\n{wrong} wrong, {unclear} inconclusive.")


if __name__ == "__main__":
    main()
