"""A comparison on a terminal: the answer first, then a table of each pair of sides, then what is to be known of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from monitors.units import format_value
from reports import comparison_words as said
from reports.console import words
from reports.tables import Column, print_table

_STYLES = {"better": "green", "worse": "red", "alike": "", "undecided": "yellow",
           "supported": "green", "refuted": "red"}  # fmt: skip


def print_comparison(body: Mapping[str, Any], console: Console) -> None:
    """Print it; plain where the console is no terminal."""
    for claim in body["claims"]:
        console.print(words((said.claimed(claim), f"bold {_STYLES[claim['answer']]}")), soft_wrap=True)
    for comparison in body["comparisons"]:
        console.print(words((comparison["sentence"], "bold")), soft_wrap=True)
    for comparison in body["comparisons"]:
        _print_table(comparison, console)
    console.print()
    margin = format_value(body["margin"], "ratio")
    how = (
        f"95 % intervals, Holm's correction over everything compared; alike: within {margin}, at 90 %; about N more: "
        "trials of each side that would tell it"
    )
    console.print(Text(how, "dim"), soft_wrap=True)
    for name, text, style in _notes(body):
        console.print(words((f"{name}: ", style), text), soft_wrap=True)


def _print_table(comparison: Mapping[str, Any], console: Console) -> None:
    groups = {group["name"]: group["title"] for group in comparison["groups"]}
    shown = dict.fromkeys(one["group"] for one in (*comparison["differences"], *comparison["one_sided"]))
    for group in shown:
        console.print()
        title = groups[group] if group else groups[next(iter(groups))] if len(groups) == 1 else "all blocks together"
        console.print(words((title, "bold")), soft_wrap=True)
        print_table(_columns(comparison), _rows(comparison, group), console)


def _columns(comparison: Mapping[str, Any]) -> tuple[Column, ...]:
    """What is held against stands left of what is told of."""
    sides = (Column(comparison["second"], right=True), Column(comparison["first"], right=True))
    return (Column("measure"), *sides, Column("difference", right=True), Column("95 % interval"), Column("answer"))


def _rows(comparison: Mapping[str, Any], group: str) -> list[tuple[Text | str, ...]]:
    told = [(said.order(one), _row(comparison, one)) for one in comparison["differences"] if one["group"] == group]
    told += [(said.order(one), _alone(comparison, one)) for one in comparison["one_sided"] if one["group"] == group]
    return [row for _, row in sorted(told, key=lambda one: one[0])]


def _alone(comparison: Mapping[str, Any], one: Mapping[str, Any]) -> tuple[Text | str, ...]:
    sides = (said.one_sided(one, which) for which in ("second", "first"))
    return (words(said.measure(one["measure"]).words), *sides, said.UNKNOWN, said.UNKNOWN,
            words(said.one_sided_answer(comparison, one)))  # fmt: skip


def _row(comparison: Mapping[str, Any], one: Mapping[str, Any]) -> tuple[Text | str, ...]:
    name = one["measure"]
    return (
        words(said.title(comparison, name, one["group"])),
        said.side(comparison, one, "second"),
        said.side(comparison, one, "first"),
        said.change(one),
        said.interval(one),
        Text(said.answer(one), _STYLES[one["worth"]]),
    )


def _notes(body: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What is told below the tables: of what, in words, and its style."""
    for comparison in body["comparisons"]:
        told: Sequence[str] = [said.unequal(fact, comparison["first"], comparison["second"])
                               for fact in comparison["unequal"]]  # fmt: skip
        if told:
            yield "they also differ in", "; ".join(told), "yellow"
    for text in body["left_out"]:
        yield "left out", text, "dim"
    for text in body["notes"]:
        yield "note", text, "yellow"
