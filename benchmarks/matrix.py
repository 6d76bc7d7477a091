"""What a run of every execution has shown, as a page: right, fast, how much memory, and whether it grows.

    python -m benchmarks.matrix [--note TEXT] RUN [RUN…] > docs/matrix.md

Made from records alone, with the report that soak makes of them; several runs are one page, as where executions need
environments on several machines. Of a trial that several of them have, the last stands there. What is missing is told
by the executions that there are now.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import notes
from benchmarks.matrix_config import shipped
from monitors.units import format_duration, format_interval, format_value
from reports import document
from soak.record.reader import open_record
from workloads import executions, frameworks
from workloads.needs import installed_versions

SETTLED = 2 / 3
"""Of a trial, after which its memory is steady; the median of the rest is told."""
MEMORY = ("total_bytes", "anonymous_bytes")
HERE = "†"
"""Marks a version that the trial did not tell."""
COLUMNS = {
    "execution": "---", "mode": "---", "end": "---", "verdict": "---", "answer off by (tolerance)": "---",
    "steps/s": "---:", "of eager": "---:", "total": "---:", "anonymous": "---:", "growth a step": "---",
    "growth by dose": "---",
}  # fmt: skip
LEGEND = """\
*answer off by*: how far its first answer was from that of the reference (NumPy, float64), as a part of the largest
value, and the tolerance that it is held to. *of eager*: its steps a second, as a part of those of the framework's
eager execution in the same mode and run; none for executions of several processes, whose block is another. *total*,
*anonymous*: memory of the whole process tree, the median of the last third of the trial. *growth a step*: of the
layer that is named, with its 95 % interval; of a trial that passes that is what could not be told from none. *growth
by dose*: where growth was plain enough to be divided.

`torch.compile` compiles the stem of the recurrent model alone, as PyTorch refuses its GRU: the rest runs eagerly."""


@dataclass(frozen=True, slots=True)
class Row:
    """A trial as a report has it, with its steady memory in bytes by metric, and what its run says of the machine."""

    trial: Mapping[str, Any]
    steady: Mapping[str, float]
    run: Mapping[str, Any]

    @property
    def way(self) -> tuple[str, str, str]:
        """Framework, execution, mode."""
        return self.trial["framework"], self.trial["execution"], self.trial["mode"]


def rows_of(folder: Path) -> list[Row]:
    """Those of a run that is recorded there."""
    record = open_record(folder)
    body = document.build(record)
    return [Row(trial, steady(record.series(trial["index"])), body["run"]) for trial in body["trials"]]


def steady(series: Iterable[Any]) -> dict[str, float]:
    """Of a trial as a whole: of several members that is their sum."""
    whole: dict[str, list[Any]] = {name: [] for name in MEMORY}
    for one in series:
        if one.metric.name in whole and len(one.t) and not one.device:
            whole[one.metric.name].append(one)
    return {name: _median(these) for name, these in whole.items() if these}


def _median(these: Sequence[Any]) -> float:
    sums = [one for one in these if not one.member] or these
    return float(sum(np.median(one.values[one.t >= one.t[0] + SETTLED * (one.t[-1] - one.t[0])]) for one in sums))


def page(every: Sequence[Row], told: Sequence[str] = ()) -> str:
    """The whole page, in Markdown. told: what is to be said of the machine besides."""
    rows = list({(row.way, row.trial["name"]): row for row in every}.values())
    onednn = notes.without_onednn(row.trial["environment"] for row in rows)
    parts = ["# Every execution, soaked", _said(rows), *onednn, *filter(None, told), LEGEND]
    for framework in dict.fromkeys(name for name in frameworks.names() if any(r.way[0] == name for r in rows)):
        these = sorted((row for row in rows if row.way[0] == framework), key=_order)
        title = frameworks.load(framework).TITLE
        parts += [
            f"## Models written in {title}",
            "\n".join([*map(_joined, (COLUMNS, COLUMNS.values())), *(_line(row, every) for row in these)]),
        ]
    parts += ["## Versions", _versions(rows), "## What is missing", _missing(rows), "## Again", _again(every)]
    return "\n\n".join(parts) + "\n"


def _order(row: Row) -> tuple[bool, str, str]:
    return row.way[1] != executions.DEFAULT, row.way[1], row.way[2]


def _said(rows: Sequence[Row]) -> str:
    """What was run, where and when."""
    count, runs = (
        Counter(row.trial["verdict"] or "no verdict" for row in rows),
        {row.run["id"]: row.run for row in rows},
    )
    machine = next(iter(runs.values()))["environment"]
    spans = sorted(row.trial["seconds"] or 0.0 for row in rows)
    threads = sorted({str(row.trial["settings"].get("threads", "?")) for row in rows})
    when = ", ".join(dict.fromkeys(_day(run["started"]) for run in runs.values()))
    return (
        f"{len(rows)} trials of the {_each(row.trial['workload'] for row in rows)} model:"
        f" {len({row.way[:2] for row in rows})} executions. Each ran {format_duration(spans[len(spans) // 2])}"
        f" (median) with {' or '.join(threads)} compute thread{'s' if threads != ['1'] else ''}, on"
        f" {machine.get('cpus', '?')} CPUs of {machine.get('cpu', 'an unknown processor')}, {when}, by soak"
        f" {next(iter(runs.values()))['soak_version']}. Verdicts:"
        f" {', '.join(f'{number} {verdict}' for verdict, number in count.most_common())}. "
        f"{_rightness(rows)}"
    )


def _rightness(rows: Sequence[Row]) -> str:
    known = [row.trial["answer"] for row in rows if row.trial["answer"]]
    right = [each for each in known if each["difference"] is not None and each["difference"] <= each["tolerance"]]
    return f"{len(right)} of {len(rows)} answered as the reference does, within the tolerance of their execution."


def _line(row: Row, rows: Sequence[Row]) -> str:
    trial = row.trial
    cells = (
        trial["execution"], trial["mode"], trial["end_reason"] or trial["state"], _verdict(trial),
        _answer(trial["answer"]), _figure(trial["steps_per_second"]), _of_eager(row, rows),
        *(_mib(row.steady.get(name)) for name in MEMORY), _growth(trial), _by_dose(trial),
    )  # fmt: skip
    return _joined(map(_cell, cells))


def _verdict(trial: Mapping[str, Any]) -> str:
    likely = trial["leak_probability"]
    return (trial["verdict"] or "no verdict") + (
        f" (P(leak) {likely:.2g})" if trial["verdict"] == "leak" and likely else ""
    )


def _answer(answer: Mapping[str, Any] | None) -> str:
    if answer is None:
        return "not told"
    difference = answer["difference"]
    return f"{'no number' if difference is None else f'{difference:.1e}'} ({answer['tolerance']:.0e})"


def _of_eager(row: Row, rows: Sequence[Row]) -> str:
    """Of the same run and settings."""
    own, wanted = row.trial["steps_per_second"], (row.way[0], executions.DEFAULT, row.way[2])
    same = [other for other in rows if other.way == wanted and other.run["id"] == row.run["id"]]
    speeds = [other.trial["steps_per_second"] for other in same if other.trial["block"] == row.trial["block"]]
    if own is None or not speeds or not speeds[0]:
        return "–"
    return f"{own / float(np.mean(speeds)):.2f}×"


def _growth(trial: Mapping[str, Any]) -> str:
    """Of a step, by the finding that stands for the trial."""
    found = _finding(trial)
    if found is None or found["rate_per_step"] is None:
        return "not known"
    unit = "bytes" if found["unit"] == "bytes" else "value"
    between = ""
    if found["rate_per_step_ci95"]:
        between = f" ({' to '.join(format_value(bound, unit) for bound in found['rate_per_step_ci95'])})"
    return f"{format_value(found['rate_per_step'], unit)}{between}, {found['layer']}"


def _finding(trial: Mapping[str, Any]) -> dict[str, Any] | None:
    """That from which the rate of a trial is, with what its series says of itself."""
    of = (trial["rate"] or {}).get("series")
    for one in trial["series"]:
        if one["name"] == of and one["findings"]:
            return {**one["findings"][0], "unit": one["unit"], "layer": one["layer"]}
    return None


def _by_dose(trial: Mapping[str, Any]) -> str:
    """In the words of the report, where growth is told at all; else what would have been seen."""
    rate, least = trial["rate"], trial["minimum_detectable_rate"]
    if trial["verdict"] == "leak" and rate:
        by_dose = rate["by_dose_text"] or "not divided"
        if rate["per_hour_low"] is not None:
            by_dose += f"; {format_interval(rate['per_hour_low'], rate['per_hour_high'], rate['unit'])}"
        return str(by_dose)
    if least:
        return f"none above {format_value(least['per_hour'], least['unit'])}/h"
    return "not known"


def _versions(rows: Sequence[Row]) -> str:
    """Of each execution, once where its trials agree."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        found.setdefault(row.way[:2], {})[_version(row)] = None
    lines = [f"| {' '.join(way)} | {_cell('; '.join(told))} |" for way, told in sorted(found.items())]
    table = "\n".join(["| execution | versions |", "| --- | --- |", *lines])
    said = f"\n\n{HERE} not told by the trial: what is installed where this page was made."
    return table + (said if HERE in table else "")


def _version(row: Row) -> str:
    """What its worker said of itself that is a version; of what it did not tell, as of old, what is installed here."""
    framework, name, _ = row.way
    told = row.trial["environment"]
    required = _requires(framework, name)
    here = {each: f"{version} {HERE}" for each, version in installed_versions(required).items()}
    modules = dict.fromkeys((framework, *frameworks.versions(), *required, "numpy", "python"))
    off = ["oneDNN off"] if told.get("TF_ENABLE_ONEDNN_OPTS") == "0" else []
    known = {**here, **told}
    return ", ".join([*(f"{each} {known[each]}" for each in modules if each in known), *off]) or "not told"


def _requires(framework: str, name: str) -> Mapping[str, str]:
    required: Mapping[str, str] = executions.of(framework)[name].REQUIRES if name in executions.of(framework) else {}
    return required


def _missing(rows: Sequence[Row]) -> str:
    """What did not run to its end, and what there is and was not run."""
    ran = {row.way for row in rows}
    lines = [
        f"- {' '.join(row.way)}: {row.trial['end_reason'] or row.trial['state']}: {row.trial['reason']}"
        for row in sorted(rows, key=lambda row: row.way)
        if row.trial["end_reason"] != "finished"
    ]
    absent = [(framework, name, mode) for framework, name, modes in shipped() for mode in modes]
    lines += [f"- {' '.join(way)}: not run" for way in absent if way not in ran]
    return (
        "\n".join(lines) or "Nothing: every execution that comes with soak ran to its end, in every mode that it has."
    )


def _again(rows: Sequence[Row]) -> str:
    commands = dict.fromkeys(row.run["command"] for row in rows)
    return "\n".join(["```sh", *commands, "python -m benchmarks.matrix RUN… > docs/matrix.md", "```"])


def _each(names: Iterable[str]) -> str:
    return " and ".join(sorted(set(names)))


def _day(started: float | None) -> str:
    return datetime.fromtimestamp(started or 0.0, UTC).strftime("%Y-%m-%d")


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _mib(value: float | None) -> str:
    return "–" if value is None else f"{value / 2**20:,.0f} MiB"


def _joined(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """In a table of Markdown."""
    return " ".join(text.replace("|", "\\|").split())


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", nargs="+", type=Path, help="a run folder")
    notes.add_option(parser)
    given = parser.parse_args()
    sys.stdout.write(page([row for folder in given.run for row in rows_of(folder)], given.notes))


if __name__ == "__main__":
    main()
