"""What claims came to, on a terminal: one row a claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from reports.claims_words import answered, differing, measured
from reports.console import words
from reports.tables import Column, print_table

_STYLES = {"supported": "green", "refuted": "red", "undecided": "yellow"}
_COLUMNS = (Column("claim", prose=True), Column("measured here", prose=True), Column("answer", prose=True))


def print_claims(body: Mapping[str, Any], console: Console) -> None:
    """Print the answers of every file, and below them what else is to be said of each."""
    for file in body["files"]:
        console.print(words((file["title"], "bold")), soft_wrap=True)
        print_table(_COLUMNS, [_row(claim) for claim in file["claims"]], console)
        if file["disturbed"]:
            console.print(words(file["disturbed"]), soft_wrap=True)
        for claim in file["claims"]:
            if told := differing(claim):
                console.print(words(f"{claim['name']}, they also differ in: {'; '.join(told)}"), soft_wrap=True)
            for label in ("takes", "limits"):
                if claim[label]:
                    said = "it would take" if label == "takes" else "limits"
                    console.print(words(f"{claim['name']}, {said}: {claim[label]}"), soft_wrap=True)


def _row(claim: Mapping[str, Any]) -> tuple[Any, ...]:
    told = "; ".join(measured(one) for one in claim["statements"]) or "nothing"
    answer = words((claim["answer"], _STYLES[claim["answer"]]), answered(claim))
    return claim["says"], told, answer
