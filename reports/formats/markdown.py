"""The report as Markdown, short enough for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from monitors.text import one_line
from monitors.units import format_interval, format_probability, format_rate
from reports import clients, doses, headline
from reports.diagnosis import diagnosed
from reports.record import RunRecord

FILE = "report.md"
_ABSENT = "–"


def render(body: dict[str, Any], record: RunRecord) -> str:
    """Headline, table of trials, reasons, command."""
    run = body["run"]
    trials = {trial["index"]: trial for trial in body["trials"]}
    order = [trials[index] for block in body["blocks"] for index in block["trials"]]
    lines = [
        f"### {_text(run['headline'])}",
        "",
        "| trial | verdict | growth | detectable above | leak probability | layer |",
        "| --- | --- | ---: | ---: | ---: | --- |",
        *map(_row, order),
        "",
        *(f"- **{_text(block['title'])}**: {_text(block['answer'])}" for block in body["blocks"] if block["answer"]),
        *([f"- **Measured sensitivity**: {_text(run['controls_text'])}"] if run["controls_text"] else []),
        *(f"- **Probes make a difference**: {_text(said)}" for said in run["probes_differ"]),
        *(f"- **Damaged record**: {_text(said)}" for said in run["damage"]),
        *(f"- **{_text(t['name'])}**: {_text(_said(t))}" for t in order if _said(t) and not t["confirms"]),
        *(
            f"- **{_text(t['name'])}**, one dose at a time: {_text(t['confirmation'])}"
            for t in order
            if t["confirmation"]
        ),
        *(f"- **{_text(t['name'])}**: {_text(said)}" for t in order for said in clients.said(t)),
        *(f"- **{_text(t['name'])}** by dose: {_text(t['rate']['by_dose_text'])}" for t in order if doses.told(t)),
        "",
        *_diagnosed(body),
        f"`{one_line(run['command']).replace('`', chr(39))}` · soak {_text(run['soak_version'])} · seed {run['seed']}",
    ]
    if any(t["leak_probability"] is not None and not t["calibrated"] for t in order):
        lines += [
            "",
            "Some series are unlike any that the probabilities were calibrated on: use those only to rank trials.",
        ]
    return "\n".join(lines) + "\n"


def _diagnosed(body: Mapping[str, Any]) -> Iterator[str]:
    """What was found of trials that were diagnosed, and the first tables of it."""
    for trial, tables in diagnosed(body):
        yield f"#### Diagnosis of {_text(trial['name'])}"
        yield ""
        yield from (f"- {_text(said)}" for said in trial["found"])
        yield ""
        for shown in tables:
            yield f"**{_text(shown.title)}**"
            yield ""
            yield f"| {' | '.join(heading.strip() for heading in shown.headings)} |"
            yield f"| {' | '.join('---:' if heading.endswith(' ') else '---' for heading in shown.headings)} |"
            yield from (f"| {' | '.join(map(_text, row))} |" for row in shown.rows)
            yield ""


def _said(trial: Mapping[str, Any]) -> str:
    """Why it was judged so, and who holds what grows; nothing of a trial that passes."""
    reason = trial["reason"] if trial["verdict"] not in (None, "pass") else ""
    return "; ".join(each for each in (reason, trial["cause"]) if each)


def _row(trial: Mapping[str, Any]) -> str:
    limit, probability = trial["minimum_detectable_rate"], trial["leak_probability"]
    cells = (
        _text(trial["name"]),
        f"**{trial['verdict']}**" if trial["verdict"] else "not run",
        _growth(trial["rate"]),
        format_rate(limit["per_hour"], limit["unit"]) if limit else _ABSENT,
        _ABSENT if probability is None else format_probability(probability),
        _text(headline.place(trial)) if trial["layer"] else _ABSENT,
    )
    return f"| {' | '.join(cells)} |"


def _growth(rate: Mapping[str, Any] | None) -> str:
    if rate is None:
        return _ABSENT
    said = format_rate(rate["per_hour"], rate["unit"])
    if rate["per_hour_low"] is None:
        return said
    return f"{said} ({format_interval(rate['per_hour_low'], rate['per_hour_high'], rate['unit'])})"


def _text(text: str) -> str:
    """Without anything that Markdown or its tables would take for markup."""
    said = one_line(text, 2000)
    for mark in "\\|<>*_`[]&~#$":
        said = said.replace(mark, f"\\{mark}")
    return said
