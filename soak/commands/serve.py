"""Run soaks on a schedule, with a status page, an API and Prometheus metrics.

Runs until it is stopped. SIGHUP reloads the config; an invalid one is rejected, and the previous one stays in use.
SIGTERM stops cleanly: running trials are recorded as interrupted.

examples:
  soak serve --config configs/service.toml
  soak serve --config /etc/soak/soak.toml
  soak check configs/service.toml          check this config
"""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak serve`."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE",
                        help="a TOML file; configs/service.toml shows every key")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Serve."""
    from soak import service

    service.require()
    from soak.service import config
    from soak.service.journal import Journal
    from soak.service.notify import Notify
    from soak.service.server import Service

    loaded = config.load(options.config)
    with contextlib.closing(Journal()) as journal, contextlib.closing(Notify()) as notify:
        Service(loaded, journal, notify).run()
    return 0
