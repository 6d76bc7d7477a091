"""Uninstall the service: stop it, disable it, remove its unit.

Configs and runs stay, unless --purge removes them too. Needs root.

examples:
  soak uninstall --dry-run
  sudo /opt/soak/bin/soak uninstall
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys

from soak.commands.install import execute
from soak.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak uninstall`."""
    parser.add_argument("--dry-run", action="store_true", help="only show what would be run and removed")
    parser.add_argument("--purge", action="store_true", help="remove /etc/soak and all runs in /var/lib/soak too")


def run(options: argparse.Namespace) -> int:
    """Run the commands, remove the files."""
    from soak.service import installation

    if not options.dry_run and os.geteuid() != 0:
        raise UsageError("soak uninstall changes /etc: run it as root; --dry-run shows what it would do")
    commands, paths = installation.removal(options.purge)
    there = [path for path in paths if path.exists()]
    for command in commands if installation.UNIT in there else ():
        sys.stdout.write(f"run    {' '.join(command)}\n")
        if not options.dry_run:
            execute(command)
    for path in there:
        sys.stdout.write(f"remove {path}\n")
        if not options.dry_run:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if installation.UNIT in there and not options.dry_run:
        execute(("systemctl", "daemon-reload"))
    if not there:
        sys.stdout.write("nothing is installed\n")
    return 0
