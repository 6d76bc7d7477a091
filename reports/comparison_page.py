"""A comparison as one page that requests nothing and runs no script: the answer, forest charts, tables."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from monitors.text import long_text
from monitors.units import format_value
from reports import comparison_words as words
from reports import forest

_FOLDER = Path(__file__).parent
_STYLES = ("report.css", "comparison.css")
_SHOWN = ("version of", "execution", "compute threads", "node", "commit")
"""How the names of facts begin that are told of a side at once."""


def page(body: Mapping[str, Any]) -> str:
    """The page, for any browser."""
    return _environment().get_template("comparison.html.j2").render(
        body=body,
        title=_title(body),
        margin=format_value(body["margin"], "ratio"),
        style=_style(),
        words=words,
        sides=[{**side, "told": _facts(side)} for side in body["sides"]],
        drawn=[{**one, "panels": forest.panels(one, body["margin"]), "tables": _tables(one),
                "told": list(dict.fromkeys(row["measure"] for row in (*one["differences"], *one["one_sided"])))}
               for one in body["comparisons"]],
    )  # fmt: skip


def _title(body: Mapping[str, Any]) -> str:
    first = body["comparisons"][0]
    if len(body["comparisons"]) == 1:
        return f"{first['first']} against {first['second']}"
    return f"{len(body['sides'])} sides by {body['by']}"


def _facts(side: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name.removeprefix("version of "), " and ".join(values))
        for name, values in side["facts"].items()
        if name.startswith(_SHOWN)
    ]


def _tables(comparison: Mapping[str, Any]) -> list[tuple[str, list[Mapping[str, Any]], list[Mapping[str, Any]]]]:
    """All groups together, and each where there are several: its name, its differences, what one side tells."""
    titles = {group["name"]: group["title"] for group in comparison["groups"]}
    of_all = next(iter(titles.values())) if len(titles) == 1 else "All blocks together"
    rows = comparison["differences"], comparison["one_sided"]
    groups = dict.fromkeys(one["group"] for those in rows for one in those)
    return [
        (titles.get(group, of_all), *([one for one in those if one["group"] == group] for those in rows))
        for group in groups
    ]


@functools.cache
def _style() -> Markup:
    styles = ((_FOLDER / "static" / name).read_text(encoding="utf-8") for name in _STYLES)
    return Markup("".join(styles))  # noqa: S704  (ours)


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_fit,
    )  # fmt: skip


def _fit(value: object) -> object:
    return long_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value
