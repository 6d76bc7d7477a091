"""The report as JSON, `soak.report/1`: the source of truth, for machines. Its schema is shipped."""

from __future__ import annotations

import json
from typing import Any

from reports.record import RunRecord

FILE = "report.json"


def render(body: dict[str, Any], record: RunRecord) -> str:
    """Indented, keys in the order of the schema."""
    return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
