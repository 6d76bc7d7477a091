"""Follow recorded runs over time: when did growth, memory or throughput change, and what changed with it.

Reads the trials of PATH… (run folders, or folders of these; default: runs). Runs of the same workload, options, stream,
limits, device, framework and execution are one history, in the order of time, whatever the versions were. For leak
probability, growth, steady and peak memory, throughput and latency p99 it prints the level of the newest runs and each
change: by how much, with a 95 % interval, the first run after it, and what else changed with that run: versions,
kernel, driver, commit. It takes six runs or more to see a change, which has to last for three runs or more. Changes are
corrected for everything that is looked at: where nothing changed, about one time in twenty some change is shown. A
single run that lies far off is listed as such, and is no change. docs/history.md says how this is done.

Exit code: 0 done; 1 with --fail-on-change, if the newest runs are worse than those before by more than the margin; 2
there is no run, or the command line is wrong.

examples:
  soak history
  soak history runs --html history.html
  soak history /var/lib/soak/runs --since 2026-01-01 --measure "steady memory" --measure throughput
  soak history runs --last 30 --fail-on-change
  soak history runs --json | jq '.arms[].courses[] | select(.changes != [])'
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from soak import documents

_MOST = 500
"""Runs of an arm: what is simulated for so many takes seconds."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak history`."""
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", default=[Path("runs")],
                        help="run folders, or folders of run folders (default: runs)")  # fmt: skip
    parser.add_argument("--measure", action="append", default=[], metavar="NAME",
                        help='follow this only, such as "steady memory"; may be given several times')  # fmt: skip
    parser.add_argument("--since", type=_date, metavar="DATE",
                        help="leave out runs that began before this date, or date and time (UTC)")  # fmt: skip
    parser.add_argument("--last", type=_runs, metavar="N", default=100,
                        help="use the newest N runs of each history (default: 100)")  # fmt: skip
    parser.add_argument("--fail-on-change", action="store_true",
                        help="exit with 1 if the newest runs are worse than those before")  # fmt: skip
    parser.add_argument("--margin", type=_percent, metavar="PERCENT", default=0.01,
                        help="with --fail-on-change: how much worse is accepted (default: 1)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the history as JSON (soak.history/1)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page with charts")


def _date(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a date such as 2026-01-31") from None


def _runs(text: str) -> int:
    count = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= count <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of runs from 1 to {_MOST:,}")
    return count


def _percent(text: str) -> float:
    value = documents.share(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of per cent from 0 to below 100, such as 1")
    return value


def run(options: argparse.Namespace) -> int:
    """Read, tell, and answer with the exit code."""
    from soak.history.history_of import HistoryOrder, history_of

    documents.check_file("--html", options.html)
    order = HistoryOrder(options.paths, options.measure, options.since, options.last, options.margin)
    body = history_of(order)
    _show(body, options.json)
    if options.html is not None:
        from reports.history_page import page

        documents.write_page(options.html, page(body), quietly=options.json)
    return int(options.fail_on_change and bool(body["worse"]))


def _show(body: dict[str, Any], as_json: bool) -> None:
    if as_json:
        documents.print_json(body)
        return
    from reports.console import console
    from reports.history_terminal import print_history

    print_history(body, console())
