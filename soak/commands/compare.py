"""Compare recorded runs: two frameworks, executions, versions, nodes, commits or servers, with intervals.

Reads the trials of RUN… (run folders, or folders of these) and compares only those that share workload, options,
stream, seed, limits and device (the same block); of servers, the same clients. The groups that are compared are called
sides: with several paths, each path is one; with one path, or with --by, the frameworks, executions, versions, nodes,
commits or servers of its trials are. For each side and for the difference it prints leak probability, growth, steady
and peak memory of host and GPU, throughput, latency p50 and p99, time to exhaustion and restarts, each with a 95 %
interval. Differences are corrected for everything that is compared at once. Where the trials do not settle a
difference, it says about how many more trials a side would.

--claim asks whether the trials support a statement: SIDE [MEASURE] [N%] lower|higher than SIDE; without MEASURE it is
about leak probability. --fail-if-worse is for CI. docs/comparison.md says how all of it is computed, and what is fair.

Exit code: 0 compared; 1 a claim is refuted, or with --fail-if-worse the last side is worse than what it is compared
with; 3 a claim is undecided, or with --fail-if-worse it is not known whether the last side is worse; 2 there is nothing
to compare, or the command line is wrong.

examples:
  soak compare runs/quick-20260101T120000Z --by framework
  soak compare runs/before runs/after --html comparison.html
  soak compare runs/upgrade-20260101T120000Z --by version
  soak compare runs/serving-20260101T120000Z --by server
  soak compare runs --by commit --measure "steady memory" --measure throughput --margin 3 --fail-if-worse
  soak compare runs/quick-… --claim "tensorflow 62% lower than torch" --claim "torch throughput higher than tensorflow"
  soak compare runs/old runs/new --json | jq '.comparisons[].sentence'
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from soak import documents

BY = ("framework", "execution", "version", "node", "commit", "server")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak compare`."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="RUN", help="run folders, or folders of run folders")
    parser.add_argument("--by", choices=BY, help="what the sides differ in (default: with several RUN, each "
                        "is a side; with one, the first of these in which its trials differ)")  # fmt: skip
    parser.add_argument("--measure", action="append", default=[], metavar="NAME",
                        help='compare this only, such as "steady memory"; may be given several times')  # fmt: skip
    parser.add_argument("--claim", action="append", default=[], metavar="TEXT",
                        help='a statement to check: "tensorflow 62%% lower than torch"; '
                        "may be given several times")  # fmt: skip
    parser.add_argument("--margin", type=_percent, metavar="PERCENT", default=0.05,
                        help="smaller differences count as alike (default: 5)")  # fmt: skip
    parser.add_argument("--fail-if-worse", action="store_true",
                        help="exit with 1 if the last side is worse by more than the margin, "
                        "3 if that is not known")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON (soak.comparison/1)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page with a forest chart")


def _percent(text: str) -> float:
    value = documents.share(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of per cent between 0 and 100, such as 5")
    return value


def run(options: argparse.Namespace) -> int:
    """Compare, tell it, and answer with the exit code."""
    from monitors.comparison.measures import named
    from soak.compare.comparing import ComparisonOrder, compared
    from soak.compare.gate import exit_code

    documents.check_file("--html", options.html)
    order = ComparisonOrder(options.paths, options.by, options.margin, options.claim, options.measure)
    body = compared(order)
    code, said = exit_code(body, options.fail_if_worse, [named(name).name for name in options.measure])
    if said:
        body["notes"].append(said)
    _show(body, options.json)
    if options.html is not None:
        from reports.comparison_page import page

        documents.write_page(options.html, page(body), quietly=options.json)
    return code


def _show(body: dict[str, Any], as_json: bool) -> None:
    if as_json:
        documents.print_json(body)
        return
    from reports.comparison_terminal import print_comparison
    from reports.console import console

    print_comparison(body, console())
