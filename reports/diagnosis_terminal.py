"""What was found of a trial that was diagnosed, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from reports.console import words
from reports.diagnosis import DiagnosisTable, tables

_WIDE = 120
"""Characters from which a table has room for all columns."""
_LESS = ("interval ", "blocks an hour ")


def print_trial(trial: Mapping[str, Any], console: Console, written: Path) -> None:
    """Tables first, then what they mean; plain where the console is no terminal."""
    for shown in tables(trial):
        console.print()
        console.print(words((shown.title, "bold")), soft_wrap=True)
        if shown.note:
            console.print(words((shown.note, "dim")), soft_wrap=True)
        console.print(_table(shown, console.width))
    console.print()
    for said in trial["found"]:
        console.print(words((said, "bold")), soft_wrap=True)
    console.print(words(written), soft_wrap=True)


def _table(shown: DiagnosisTable, width: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    kept = [place for place, heading in enumerate(shown.headings) if width >= _WIDE or heading not in _LESS]
    for place in kept:
        heading = shown.headings[place]
        right = heading.endswith(" ")
        table.add_column(heading.strip(), justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in shown.rows:
        table.add_row(*(words(row[place]) for place in kept))
    return table
