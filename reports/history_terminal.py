"""A history on a terminal: the answer first, then a table of each arm, then what is to be known of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from reports import history_words as said
from reports.console import words
from reports.tables import Column, print_table

_STYLES = {"worse": "red", "better": "green"}
_COLUMNS = (
    Column("measure"), Column("runs", right=True), Column("level of the newest runs", right=True), Column("change"),
    Column("first run after it"), Column("changed with it", prose=True),
)  # fmt: skip


def print_history(body: Mapping[str, Any], console: Console) -> None:
    """Print it; plain where the console is no terminal."""
    console.print(words((body["sentence"], "bold")), soft_wrap=True)
    for arm in body["arms"]:
        console.print()
        runs = arm["runs"]
        span = f"{said.count(len(runs))}, {said.clock(runs[0]['started'])} to {said.clock(runs[-1]['started'])}"
        console.print(words((arm["name"], "bold"), f": {span}"), soft_wrap=True)
        print_table(_COLUMNS, [row for course in arm["courses"] for row in _rows(course)], console)
    console.print()
    how = "95 % intervals; a change lasts three runs or more, Holm's correction over everything shown"
    console.print(Text(how, "dim"), soft_wrap=True)
    for name, text, style in _notes(body):
        console.print(words((f"{name}: ", style), text), soft_wrap=True)


def _rows(course: Mapping[str, Any]) -> Iterator[tuple[Text | str, ...]]:
    """The newest change first, each in a row."""
    runs = str(sum(value is not None for value in course["values"]))
    first, level = course["words"], said.level(course)
    if not course["changes"]:
        yield first, runs, level, Text(said.state(course), "dim"), "", ""
    for change in reversed(course["changes"]):
        moved = words((f"{said.moved(course, change)}: {change['worth']}", _STYLES[change["worth"]]))
        yield first, runs, level, moved, said.dated(change), said.told_versions(change) or "nothing that is recorded"
        first, runs, level = f"{course['words']}, before", "", ""


def _notes(body: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for arm in body["arms"]:
        for course in arm["courses"]:
            for text in said.outlying(course, arm["runs"]):
                yield "one run alone, no change", text, "dim"
    for text in body["left_out"]:
        yield "left out", text, "dim"
    for text in body["notes"]:
        yield "note", text, "yellow"
