"""What claims came to, on a terminal: one row a claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from reports.claims_words import measured
from reports.console import words
from reports.tables import Column, print_table

_STYLES = {"supported": "green", "refuted": "red", "undecided": "yellow"}
_COLUMNS = (Column("claim", prose=True), Column("measured here", prose=True), Column("answer", prose=True))


def print_claims(body: Mapping[str, Any], console: Console) -> None:
    """Print the answers of every file, and below them what else is to be said of each."""
    for file in body["files"]:
        console.print(words((file["title"], "bold")), soft_wrap=True)
        print_table(_COLUMNS, [_row(claim) for claim in file["claims"]], console)
        for claim in file["claims"]:
            for label in ("takes", "limits"):
                if claim[label]:
                    said = "it would take" if label == "takes" else "limits"
                    console.print(words(f"{claim['name']}, {said}: {claim[label]}"), soft_wrap=True)


def _row(claim: Mapping[str, Any]) -> tuple[Any, ...]:
    told = "; ".join(measured(one) for one in claim["statements"]) or "nothing"
    brief = f": {claim['brief']}" if claim["brief"] else ""
    answer = words((claim["answer"], _STYLES[claim["answer"]]), brief)
    return claim["says"], told, answer
