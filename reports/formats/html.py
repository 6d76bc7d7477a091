"""One HTML file, no network, no script."""

from __future__ import annotations

from typing import Any

from reports.record import RunRecord

SUFFIX = ".html"


def render(body: dict[str, Any], record: RunRecord) -> str:
    """A page."""
    return "<html></html>"
