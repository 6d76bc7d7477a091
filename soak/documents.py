"""What commands share that answer with one document: as a line of JSON, and as a page in a file."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from soak.errors import UsageError


def check_file(option: str, path: Path | None) -> None:
    """Before anything is read or run: can a file be written there?

    Raises:
        UsageError: it is a folder, or in none that exists.
    """
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise UsageError(f"{option} {path}: expected a file in a folder that exists")


def print_json(body: Mapping[str, Any]) -> None:
    """The whole document on one line, in ASCII: any terminal and pipe takes it."""
    sys.stdout.write(json.dumps(body, ensure_ascii=True, allow_nan=False) + "\n")


def write_page(path: Path, text: str, quietly: bool) -> None:
    """Write a page, whole or not at all, and say where. quietly: standard output is the document's alone.

    Raises:
        SoakError: it cannot be written.
    """
    from soak.record.replace import replace_file

    written = replace_file(path.parent, path.name, text)
    if not quietly:
        sys.stdout.write(f"{written}\n")


def share(per_cent: str) -> float:
    """A share of one from `5` or `5%`; NaN of what is no number."""
    try:
        return float(per_cent.strip().removesuffix("%")) / 100
    except ValueError:
        return math.nan
