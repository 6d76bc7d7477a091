"""What claims came to, as a page in Markdown. Made of the JSON document of `soak claims` alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reports.claims_words import answered, differing, measured

_LEGEND = """\
*measured here*: the value of each side of the claim with its 95 % interval, and the difference over pairs of trials of
one run and one seed; in what else the two of a pair differ stands with each claim. A claim is *supported* where it
holds for the whole 95 % interval of what it is about, *refuted* where it holds for no part of that, and *undecided*
otherwise. "62 % lower" is read as at least 62 % lower.

One rule for all: where a claim is about GPUs or a dose that these trials did not have, or its source does not name the
model, load or device of its figure, it stays *undecided*, and *here* says what these trials alone show."""

_OWN = """\
An experiment is a config under a name of its own; a claim names its experiment and what has to hold. `soak claims
my.toml --run` runs the experiments that have no run yet, and answers.

```toml
[experiment.speed]
run = { duration = "1 min", repeats = 5 }
[[experiment.speed.trial]]
workload = "train.py:step"
framework = "none"
env = { MALLOC_ARENA_MAX = "1" }
name = "one-arena"
[[experiment.speed.trial]]
workload = "train.py:step"
framework = "none"
name = "as-shipped"

[[claim]]
name = "arenas"
says = "One arena saves a tenth of the memory"
experiment = "speed"
holds = ["one-arena steady_memory 10% lower than as-shipped"]
beside = ["one-arena step_speed against as-shipped"]
```

| what may stand in `holds` | |
| --- | --- |
| `SIDE MEASURE N% lower than SIDE`, `… higher than …` | at least N %; without N by any amount |
| `SIDE MEASURE at most NUMBER UNIT`, `… at least …` | of one side: `server latency_p99 at most 120 ms` |
| `SIDE MEASURE at least N% of SIDE`, `… at most …` | a share: `all step_speed at least 92% of one` |

A side is a framework, an execution, or how the names of trials begin; or `sides.NAME` of the claim says which trials it
has, by `workload`, `framework`, `execution`, `mode` and `trial`. Measures are those of `soak compare`; `step_speed` is
steps per second of time spent in steps, once their speed has settled; `program_size` is the size of the file that a
model was converted to. `cards = 2` leaves a claim undecided where a run had fewer GPUs, `hours = 72` where less video
went through a side; `unanswerable` says why no trial can answer it, `takes` and `limits` are sentences for the page.

A run whose config is not that of its experiment answers too, and its row says in what they differ; `--run` runs the
experiment again."""


def page(body: Mapping[str, Any]) -> str:
    """The whole page."""
    parts = ["# Claims, measured", _LEGEND]
    for file in body["files"]:
        parts += [f"## {file['title']}", *_of_file(file)]
    parts += ["## Again", _again(body), "## Your own claims", _OWN]
    return "\n\n".join(filter(None, parts)) + "\n"


def _of_file(file: Mapping[str, Any]) -> Iterable[str]:
    yield file["about"]
    yield file["disturbed"]
    if not any(claim["statements"] for claim in file["claims"]):
        yield "None of this was run."
    yield "\n".join([_row(("claim", "measured here", "answer")), _row(("---",) * 3), *map(_line, file["claims"])])
    for claim in file["claims"]:
        yield f"### {claim['says']}"
        yield "\n".join(_said(claim))


def _line(claim: Mapping[str, Any]) -> str:
    told = "; ".join(measured(one) for one in claim["statements"]) or "nothing"
    return _row((claim["says"], told, f"**{claim['answer']}**{answered(claim)}"))


def _said(claim: Mapping[str, Any]) -> Iterable[str]:
    yield f"- source: {claim['source'] or 'not told'}"
    here = "here " * bool(claim["here"])
    for one in claim["statements"]:
        yield f"- `{one['text']}`: {here}{one['answer']}. {one['reason']}"
    for one in claim["beside"]:
        yield f"- beside it, `{one['text']}`: {measured(one)}"
    if told := differing(claim):
        yield f"- they also differ in: {'; '.join(told)}"
    if claim["another_config"]:
        yield f"- measured with another config: {'; '.join(claim['another_config'])}"
    if claim["dose"]:
        yield f"- measured with: {claim['dose']}"
    for machine in claim["machines"]:
        yield f"- on: {machine}"
    for label in ("takes", "limits"):
        if claim[label]:
            yield f"- {'what it would take' if label == 'takes' else 'limits'}: {claim[label]}"
    if claim["left_out"]:
        yield f"- left out: {'; '.join(claim['left_out'])}"


def _again(body: Mapping[str, Any]) -> str:
    return "\n".join(["```sh", *body["commands"], "```"])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(' '.join(cell.replace('|', chr(92) + '|').split()) for cell in cells)} |"
