"""What was found of a trial that was diagnosed, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from reports.console import words
from reports.diagnosis import tables
from reports.tables import Column, print_table

_SENTENCES = ("why", "verdict")


def print_trial(trial: Mapping[str, Any], console: Console, written: Path) -> None:
    """Tables first, then what they mean; plain where the console is no terminal."""
    for shown in tables(trial):
        console.print()
        console.print(words((shown.title, "bold")), soft_wrap=True)
        if shown.note:
            console.print(words((shown.note, "dim")), soft_wrap=True)
        columns = [Column(each.strip(), right=each.endswith(" "), prose=each in _SENTENCES) for each in shown.headings]
        print_table(columns, shown.rows, console)
    console.print()
    for said in trial["found"]:
        console.print(words((said, "bold")), soft_wrap=True)
    console.print(words(written), soft_wrap=True)
