"""The end of a run on a terminal: verdict, a table of trials, the smallest leak it could have seen, where to look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from monitors.units import format_interval, format_probability, format_rate
from reports import advice, clients, doses, headline
from reports.console import words
from reports.tables import Column, print_table

STYLES = {"pass": "green", "leak": "red", "unstable": "red", "inconclusive": "yellow", "invalid": "magenta",
          "error": "magenta"}  # fmt: skip

_ABSENT = "–"
_COLUMNS = (
    Column("trial"), Column("verdict"), Column("P(leak)", right=True), Column("growth", right=True),
    Column("interval"), Column("detectable above", right=True),
)  # fmt: skip


def print_summary(
    body: Mapping[str, Any], console: Console, written: Sequence[Path], run_folder: Path | None = None
) -> None:
    """Print it; plain where the console is no terminal. run_folder: for commands to run next."""
    run = body["run"]
    console.print()
    print_table(_COLUMNS, _rows(body), console)
    if any(trial["minimum_detectable_rate"] for trial in body["trials"]):
        console.print(Text("detectable above: a slower leak may be missed by this trial", "dim"), soft_wrap=True)
    console.print()
    console.print(words((run["headline"], f"bold {STYLES.get(run['verdict'], 'yellow')}")), soft_wrap=True)
    for block in body["blocks"]:
        if block["answer"]:
            console.print(words(f"{block['title']}: ", (block["answer"], "bold")), soft_wrap=True)
    if any(t["leak_probability"] is not None and not t["calibrated"] for t in body["trials"]):
        said = "Some series are unlike any that the probabilities were calibrated on: use those only to rank trials."
        console.print(Text(said, "dim"), soft_wrap=True)
    for name, said, style in _notes(body):
        console.print(words((f"{name}: ", style), said), soft_wrap=True)
    for command in advice.commands(body, run_folder):
        console.print(words(("next: ", "dim"), command), soft_wrap=True)
    for path in written:
        console.print(words(path), soft_wrap=True)


def _notes(body: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What is told below the verdict: of what, in words, and its style."""
    run, trials = body["run"], body["trials"]
    for trial in trials:
        if trial["cause"]:
            yield trial["name"], trial["cause"], "dim"
    if run["controls_text"]:
        yield "measured sensitivity", run["controls_text"], "dim"
    yield from ((trial["name"], said, "dim") for trial in trials for said in clients.said(trial))
    for trial in filter(doses.told, trials):
        yield f"{trial['name']} by dose", trial["rate"]["by_dose_text"], "dim"
    for trial in trials:
        if trial["confirmation"]:
            yield f"{trial['name']}, one dose at a time", trial["confirmation"], "dim"
    for said in run["probes_differ"]:
        yield "probes make a difference", said, "dim"
    for said in run["damage"]:
        yield "damaged record", said, "yellow"


def _rows(body: Mapping[str, Any]) -> list[tuple[Text | str, ...]]:
    """Of each trial, those of a block together."""
    trials = {trial["index"]: trial for trial in body["trials"]}
    return [_row(trials[index]) for block in body["blocks"] for index in block["trials"]]


def _row(trial: Mapping[str, Any]) -> tuple[Text | str, ...]:
    rate, limit, probability = trial["rate"], trial["minimum_detectable_rate"], trial["leak_probability"]
    interval = _ABSENT
    if rate and rate["per_hour_low"] is not None:
        interval = format_interval(rate["per_hour_low"], rate["per_hour_high"], rate["unit"])
    return (
        words(trial["name"]),
        _verdict(trial),
        format_probability(probability) if probability is not None else _ABSENT,
        format_rate(rate["per_hour"], rate["unit"]) if rate else _ABSENT,
        interval,
        format_rate(limit["per_hour"], limit["unit"]) if limit else _ABSENT,
    )


def _verdict(trial: Mapping[str, Any]) -> Text:
    verdict, control = trial["verdict"], trial["control"]
    text = Text(verdict or "not run", style=STYLES.get(verdict or "", "dim"))
    if trial["layer"]:
        text.append_text(words(f" in {headline.place(trial)}"))
    if trial["confirms"]:
        text.append_text(words((" (explains another)", "dim")))
    if verdict == "unstable":
        text.append_text(words(f" ({trial['end_reason']})"))
    if control and control["passed"] is not None:
        text.append(" ✓" if control["passed"] else f" ✗ expected {control['expect']}", style="dim")
    return text
