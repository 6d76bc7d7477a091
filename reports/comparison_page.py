"""A comparison as one page that requests nothing and runs no script: the answer, forest charts, tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitors.units import format_value
from reports import comparison_words as words
from reports import forest, pages

_SHOWN = ("version of", "execution", "compute threads", "node", "commit")
"""How the names of facts begin that are told of a side at once."""


def page(body: Mapping[str, Any]) -> str:
    """The page, for any browser."""
    return pages.render(
        "comparison.html.j2",
        body=body,
        title=_title(body),
        margin=format_value(body["margin"], "ratio"),
        style=pages.style("report.css", "comparison.css"),
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
