"""What claims came to, as a page in Markdown. Made of the JSON document of `soak claims` alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reports.claims_words import measured

_LEGEND = """\
*measured here*: each side with its 95 % interval, and the difference over pairs of trials that share stream, seed and
options. A claim is *supported* where the whole 95 % interval keeps it, *refuted* where all of it is beyond, and
*undecided* otherwise. "62 % lower" is read as at least 62 % lower."""


def page(body: Mapping[str, Any]) -> str:
    """The whole page."""
    parts = ["# Claims, measured", _LEGEND]
    for file in body["files"]:
        parts += [f"## {file['title']}", *_of_file(file)]
    parts += ["## Again", _again(body)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _of_file(file: Mapping[str, Any]) -> Iterable[str]:
    yield file["about"]
    yield "\n".join([_row(("claim", "measured here", "answer")), _row(("---",) * 3), *map(_line, file["claims"])])
    for claim in file["claims"]:
        yield f"### {claim['says']}"
        yield "\n".join(_said(claim))


def _line(claim: Mapping[str, Any]) -> str:
    told = "; ".join(measured(one) for one in claim["statements"]) or "nothing"
    return _row((claim["says"], told, f"**{claim['answer']}**: {claim['reason']}"))


def _said(claim: Mapping[str, Any]) -> Iterable[str]:
    yield f"- source: {claim['source'] or 'not told'}"
    for one in claim["statements"]:
        yield f"- `{one['text']}`: {one['answer']}. {measured(one)}"
    for one in claim["beside"]:
        yield f"- beside it, `{one['text']}`: {measured(one)}"
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
