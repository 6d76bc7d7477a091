"""Build environments for trials whose packages do not fit beside soak's own; without a NAME, list them.

Each is a virtual environment, or a folder of Node.js packages, with pinned versions that come with soak. A config uses
one by name: `python = "env:triton"`. They are built in ~/.local/share/soak/environments, or in the folder that
SOAK_ENVIRONMENTS names. One that is ready is not built again, unless its pinned versions changed.

examples:
  soak env                       which there are, which are ready, how large they are
  soak env triton kserve         build two
  soak env matrix --pip-args=--extra-index-url=https://download.pytorch.org/whl/cpu
  soak env triton --path         print the path of its interpreter
  soak env triton --remove
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from monitors.units import format_value
from reports.console import console
from reports.tables import Column, print_table
from soak import environments
from soak.environments import Environment, EnvironmentNameError
from soak.environments.build import build
from soak.errors import UsageError
from soak.plan import interpreter


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak env`."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="environments to build (default: list all)")
    parser.add_argument("--python", default=sys.executable, metavar="PATH",
                        help="interpreter to build them with (default: soak's own)")  # fmt: skip
    parser.add_argument("--pip-args", default="", metavar="WORDS",
                        help="more arguments for pip, such as --extra-index-url=…")  # fmt: skip
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--path", action="store_true", help="print the path of each interpreter; build nothing")
    one.add_argument("--remove", action="store_true", help="delete the environments")
    one.add_argument("--rebuild", action="store_true", help="build them again, even if they are ready")
    one.add_argument("--json", action="store_true", help="print JSON: name, state, folder, bytes")


def run(options: argparse.Namespace) -> int:
    """List, build, remove, or print paths."""
    try:
        wanted = [environments.find(name) for name in options.names]
    except EnvironmentNameError as error:
        raise UsageError(error) from error
    if not wanted and (options.path or options.remove or options.rebuild):
        raise UsageError("expected the NAME of an environment; `soak env` lists them")
    if options.path:
        return _print_paths(wanted)
    if options.remove:
        return _remove(wanted)
    if options.json or not wanted:
        return _list(wanted or [environments.find(name) for name in environments.names()], options.json)
    return _build(wanted, options)


def _print_paths(wanted: list[Environment]) -> int:
    for each in wanted:
        if each.state not in ("ready", "outdated"):
            raise UsageError(f"environment {each.name!r} is {each.state}: run `soak env {each.name}`")
        sys.stdout.write(f"{each.python if each.requirements else each.folder}\n")
    return 0


def _remove(wanted: list[Environment]) -> int:
    for each in wanted:
        if each.folder.exists():
            shutil.rmtree(each.folder)
            sys.stdout.write(f"removed {each.folder}\n")
    return 0


def _build(wanted: list[Environment], options: argparse.Namespace) -> int:
    if wrong := interpreter.problem(options.python):
        raise UsageError(f"--python {options.python}: expected {wrong}")
    for each in wanted:
        if each.state == "ready" and not options.rebuild:
            sys.stdout.write(f"{each.name} is ready: {each.folder}\n")
            continue
        build(each, options.python, shlex.split(options.pip_args), _say)
        sys.stdout.write(f"{each.name} is ready: {each.folder} ({format_value(_size(each.folder), 'bytes')})\n")
    return 0


def _say(what: str) -> None:
    sys.stdout.write(f"→ {what}\n")
    sys.stdout.flush()


def _list(wanted: list[Environment], as_json: bool) -> int:
    if as_json:
        json.dump([_told(each) for each in wanted], sys.stdout, indent=2)
        sys.stdout.write("\n")
        return 0
    columns = [Column("name"), Column("state"), Column("size", right=True), Column("about", prose=True)]
    rows = [[each.name, each.state, _shown_size(each), each.about] for each in wanted]
    print_table(columns, rows, console())
    sys.stdout.write(f"\nfolder: {environments.root()}; build one: soak env NAME\n")
    return 0


def _told(each: Environment) -> dict[str, Any]:
    python = {"python": str(each.python)} if each.requirements else {}
    told = {"name": each.name, "about": each.about, "state": each.state, "folder": str(each.folder), **python}
    return {**told, "bytes": _size(each.folder)} if each.folder.is_dir() else told


def _shown_size(each: Environment) -> str:
    return format_value(_size(each.folder), "bytes") if each.folder.is_dir() else ""


def _size(folder: Path) -> int:
    """Of all files below it, in bytes."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
