"""List workloads, planted faults, clients, servers, frameworks, executions, sources, samplers, detectors, formats.

No framework is imported: it works on a machine that has none.

examples:
  soak list
  soak list workloads
  soak list workloads --json     with modes, devices, sources, requirements and options
  soak list executions
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from rich.table import Table

from reports.console import console, words
from soak.plugins import PLUGINS


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak list`."""
    parser.add_argument("kind", nargs="?", choices=sorted(PLUGINS), metavar="KIND",
                        help=f"one of {', '.join(sorted(PLUGINS))} (default: all)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="as JSON, with all that is known of each")


def run(options: argparse.Namespace) -> int:
    """Print one table a kind."""
    kinds: dict[str, Callable[[], list[dict[str, Any]]]] = {
        name: describe for name, describe in PLUGINS.items() if options.kind in (None, name)
    }
    if options.json:
        json.dump({name: describe() for name, describe in kinds.items()}, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return 0
    shown = console()
    for name, describe in kinds.items():
        shown.print(_table(name, describe()))
        shown.print()
    return 0


_SHOWN = {
    "clients": ("name", "about", "installed"),
    "executions": ("name", "about", "framework", "requires", "installed"),
    "frameworks": ("name", "about", "installed", "install"),
    "servers": ("name", "about", "installed"),
    "sources": ("name", "about", "item", "installed"),
    "workloads": ("name", "about", "frameworks"),
}
"""What a terminal of 80 columns has room for; of other kinds all."""


def _table(name: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=name, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    headings = _SHOWN.get(name) or tuple(dict.fromkeys(key for row in rows for key in row))
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading == "name")
    for row in rows:
        table.add_row(*(words(_cell(row.get(heading, ""))) for heading in headings))
    return table


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else value
