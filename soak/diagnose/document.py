"""`diagnosis.json` in a run folder: what was found of each trial that was diagnosed. `reports.diagnosis` reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitors.text import json_value
from reports.diagnosis import FILE, SCHEMA, read
from soak import __version__
from soak.record.replace import replace_file


def add(folder: Path, run_id: str, trial: Mapping[str, Any]) -> tuple[dict[str, Any], Path]:
    """Write what was found of a trial, in place of what was found of it before; the whole, and its file.

    Raises:
        SoakError: it cannot be written.
    """
    before = read(folder)
    others = [each for each in (before["trials"] if before else ()) if each["name"] != trial["name"]]
    body: dict[str, Any] = json_value(
        {"schema": SCHEMA, "run": run_id, "soak_version": __version__, "trials": [*others, trial]}
    )
    text = json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return body, replace_file(folder, FILE, text)
