"""A history as one page that requests nothing and runs no script: what changed, charts, tables, how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports import comparison_words, history_words, pages
from reports.history_chart import chart


def page(body: Mapping[str, Any]) -> str:
    """The page, for any browser."""
    return pages.render(
        "history.html.j2", body=body, title=_title(body), style=pages.style("report.css", "history.css"),
        words=history_words, amount=comparison_words.amount, chart=chart,
    )  # fmt: skip


def _title(body: Mapping[str, Any]) -> str:
    arms = len(body["arms"])
    runs = {run["id"] for arm in body["arms"] for run in arm["runs"]}
    of = body["arms"][0]["name"] if arms == 1 else f"{arms} arms"
    return f"{of}, {history_words.count(len(runs))}"
