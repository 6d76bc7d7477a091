"""List workloads, planted faults, clients, servers, frameworks, executions, sources, keys of a config, and more.

No framework is imported, so this also works on a machine without one.

examples:
  soak list
  soak list workloads
  soak list workloads --json     with modes, devices, sources and requirements
  soak list keys                 every key of a config, what it takes, and its default
  soak list executions
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from reports.console import console, words
from reports.tables import Column, print_table
from soak import keys
from soak.plugins import PLUGINS

KINDS: dict[str, Callable[[], list[dict[str, Any]]]] = {**PLUGINS, "keys": keys.describe}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak list`."""
    parser.add_argument("kind", nargs="?", choices=sorted(KINDS), metavar="KIND",
                        help=f"one of {', '.join(sorted(KINDS))} (default: all but keys)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON, with all details")


def run(options: argparse.Namespace) -> int:
    """Print one table a kind."""
    kinds = PLUGINS if options.kind is None else {options.kind: KINDS[options.kind]}
    if options.json:
        json.dump({name: describe() for name, describe in kinds.items()}, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return 0
    shown = console()
    for name, describe in kinds.items():
        rows = describe()
        shown.print(words((name, "bold")))
        headings = _SHOWN.get(name) or tuple(dict.fromkeys(key for row in rows for key in row))
        columns = [Column(heading, prose=heading in _SENTENCES) for heading in headings]
        print_table(columns, [[_cell(row.get(heading, "")) for heading in headings] for row in rows], shown)
        shown.print()
    return 0


_SHOWN = {
    "clients": ("name", "about", "options", "installed"),
    "executions": ("name", "about", "framework", "requires", "installed"),
    "frameworks": ("name", "about", "installed", "install"),
    "keys": ("key", "takes", "default", "about"),
    "servers": ("name", "about", "options", "installed"),
    "sources": ("name", "about", "item", "options", "installed"),
    "workloads": ("name", "about", "options", "frameworks"),
}
"""What people look for first; the rest is in the JSON. Of other kinds all."""
_SENTENCES = ("about", "options", "metrics", "install", "requires", "takes")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} = {json.dumps(default)}" for name, default in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
