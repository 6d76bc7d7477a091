"""What was found of a trial that was diagnosed, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from reports.console import words
from reports.diagnosis import Shown, tables


def print_trial(trial: Mapping[str, Any], console: Console, written: Path) -> None:
    """Tables first, then what they mean; plain where the console is no terminal."""
    for shown in tables(trial):
        console.print()
        console.print(words((shown.title, "bold")), soft_wrap=True)
        if shown.note:
            console.print(words((shown.note, "dim")), soft_wrap=True)
        console.print(_table(shown))
    console.print()
    for said in trial["found"]:
        console.print(words((said, "bold")), soft_wrap=True)
    console.print(words(written), soft_wrap=True)


def _table(shown: Shown) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in shown.headings:
        number = heading.endswith(" ")
        table.add_column(heading.strip(), justify="right" if number else "left", no_wrap=number, overflow="fold")
    for row in shown.rows:
        table.add_row(*(words(cell) for cell in row))
    return table
