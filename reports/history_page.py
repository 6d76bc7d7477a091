"""A history as one page that requests nothing and runs no script: what changed, charts, tables, how it is told."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from monitors.text import long_text
from reports import comparison_words, history_words
from reports.history_chart import chart

_FOLDER = Path(__file__).parent
_STYLES = ("report.css", "history.css")


def page(body: Mapping[str, Any]) -> str:
    """The page, for any browser."""
    return _environment().get_template("history.html.j2").render(
        body=body, title=_title(body), style=_style(), words=history_words, amount=comparison_words.amount, chart=chart,
    )  # fmt: skip


def _title(body: Mapping[str, Any]) -> str:
    arms = len(body["arms"])
    runs = {run["id"] for arm in body["arms"] for run in arm["runs"]}
    of = body["arms"][0]["name"] if arms == 1 else f"{arms} arms"
    return f"{of}, {history_words.count(len(runs))}"


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
