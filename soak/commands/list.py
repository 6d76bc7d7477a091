"""List what there is: workloads, planted faults, samplers and report formats.

Nothing is imported but what is listed, and no framework: it works on a machine that has none.

examples:
  soak list
  soak list workloads
  soak list workloads --json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from rich.table import Table

from reports.console import console, words
from soak.rooms import ROOMS


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak list`."""
    parser.add_argument("room", nargs="?", choices=sorted(ROOMS), metavar="KIND",
                        help=f"one of {', '.join(sorted(ROOMS))} (default: all)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="as JSON, with every option of every workload")


def run(options: argparse.Namespace) -> int:
    """Print one table a room."""
    rooms: dict[str, Callable[[], list[dict[str, Any]]]] = {
        name: room for name, room in ROOMS.items() if options.room in (None, name)
    }
    if options.json:
        json.dump({name: room() for name, room in rooms.items()}, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return 0
    shown = console()
    for name, room in rooms.items():
        shown.print(_table(name, room()))
        shown.print()
    return 0


def _table(name: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=name, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    headings = [key for key in rows[0] if key != "options"] if rows else []
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(words(", ".join(row[h]) if isinstance(row[h], list) else row[h]) for h in headings))
    return table
