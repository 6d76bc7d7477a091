"""Run the trials of a config, judge them, and write a report.

Runs every trial of CONFIG in a new process tree, records each layer of its memory, judges the record, and writes
report.html and report.json into a new run folder. Ctrl-C once stops cleanly, with a report of the samples so far; twice
stops at once. The exit code is the verdict: 0 pass, 1 leak or unstable, 3 inconclusive, 4 invalid or error.

examples:
  soak run configs/quick.toml
  soak run configs/day.toml --out /var/tmp/soaks
  soak run configs/quick.toml --duration 30s --set run.parallel=1
  soak run configs/selftest.toml --trial fault_fd
  soak run --workload train.py:step --duration 2min
"""

from __future__ import annotations

import argparse
from pathlib import Path

from soak.plan import config
from soak.plan.overrides import Overrides
from soak.runs import foreground


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak run`."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("config", type=Path, nargs="?", metavar="CONFIG", help="a TOML file; see configs/ for examples")
    what.add_argument("--workload", metavar="NAME", help="one workload, without a config: a name of `soak list"
                      " workloads`, or your own code as path/file.py:thing or package.module:thing")  # fmt: skip
    parser.add_argument("--duration", metavar="TIME", help='replaces the limits of every trial, such as "90s" or "2h"')
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the run folder is made (default: run.out)")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE",
                        help="override a key of the config: run.parallel=1, trial.0.options.hidden=64")  # fmt: skip
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write JUnit XML, for CI, to this file")
    parser.add_argument("--live", type=int, metavar="FD",
                        help="also write progress, as lines of JSON, to this file descriptor")  # fmt: skip
    parser.add_argument("--device", metavar="DEVICE",
                        help="what every trial runs on: auto, cpu, cuda:N, a UUID, or several of these separated by "
                             "commas, for trials that get several; see `soak doctor`")  # fmt: skip
    parser.add_argument("--trial", dest="only", action="append", default=[], metavar="NAME",
                        help="run only the trials whose names begin with NAME; may be given several times")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Run, report, and answer with the exit code of the verdict."""

    asked = options.overrides, options.duration, options.device, options.only

    def load() -> config.Config:
        if options.workload:
            return config.of_workload(options.workload, *asked)
        return config.load(options.config, *asked)

    return foreground.execute(load, options.out, options.live, given=Overrides(*asked).given(), junit=options.junit)
