"""Install the service: write the systemd unit for this virtual environment, enable it, start it.

Writes the unit, its own user (sysusers), /etc/soak/soak.toml and the configs it names; existing files in /etc/soak are
kept. Needs root. `soak uninstall` removes it.

examples:
  soak install --dry-run                    show what would be written and run
  sudo /opt/soak/bin/soak install
  sudo /opt/soak/bin/soak install --config my.toml --no-start
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from soak.errors import SoakError, UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak install`."""
    parser.add_argument("--config", type=Path, metavar="FILE",
                        help="the new /etc/soak/soak.toml (default: keep the existing one, or an example)")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="only show what would be written and run")
    parser.add_argument("--no-start", action="store_true", help="neither enable nor start the service")


def run(options: argparse.Namespace) -> int:
    """Write the files, run the commands."""
    from soak import service

    service.require()
    from soak.service import installation

    # Not resolved: the link inside the environment is what makes it that environment.
    python = Path(sys.executable)
    if hindrance := installation.unreachable(python):
        if not options.dry_run:
            raise UsageError(hindrance)
        sys.stdout.write(f"would fail: {hindrance}\n")
    plan = installation.plan(python, options.config, start=not options.no_start)
    if not options.dry_run and os.geteuid() != 0:
        raise UsageError("soak install writes below /etc: run it as root; --dry-run shows what it would do")
    for warning in plan.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    for file in plan.files:
        kept = file.keep and file.path.exists()
        sys.stdout.write(f"{'keep ' if kept else 'write'} {file.path}\n")
        if options.dry_run and not kept:
            sys.stdout.write("".join(f"    {line}\n" for line in file.text.splitlines()))
        elif not kept:
            file.path.parent.mkdir(parents=True, exist_ok=True)
            file.path.write_text(file.text, encoding="utf-8")
    for command in plan.commands:
        sys.stdout.write(f"run   {' '.join(command)}\n")
        if not options.dry_run:
            execute(command)
    return 0


def execute(command: tuple[str, ...]) -> None:
    """Run it, or say why it failed.

    Raises:
        SoakError: it failed.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise SoakError(f"{command[0]}: {error.strerror}: is systemd installed?") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise SoakError(f"{' '.join(command)} failed with status {done.returncode}: {said}")
