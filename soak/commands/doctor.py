"""Check this node: is it ready to soak, and what should be fixed?

Checks GPUs and their driver, whether the driver attributes memory to processes, which GPUs each framework sees, kernel
log, cgroups, limits, disk, and environment variables that affect memory measurements. Changes nothing on the node.
Takes a few seconds, because it imports the frameworks and briefly allocates 64 MiB on every GPU; --quick does neither.

marks: ✓ ok   · note   ! warning (affects the results of a soak, or may end it)   – missing   ✗ broken

exit codes:
  0 a soak can run here, at least on the CPU   4 something is present but does not work, such as a lost GPU

examples:
  soak doctor
  soak doctor --quick                       takes a second; a health check by exit code
  soak doctor --python ~/venv/bin/python    the frameworks of another environment
  soak doctor --json | jq '.findings[] | select(.status != "ok")'
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.text import Text

from monitors.text import one_line
from reports.console import console
from soak.doctor.examination import Examination, Say, Wishes, examine
from soak.doctor.finding import GROUPS, ORDER, Diagnosis, Status, exit_code
from soak.engine.clock import SystemClock
from soak.errors import UsageError

MARKS: Mapping[Status, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "note": ("·", "cyan"),
    "warning": ("!", "yellow"),
    "missing": ("–", "yellow"),
    "broken": ("✗", "red"),
}
"""Mark and style. The word stands beside every mark that is not ok: colour alone tells nothing."""
_PLURALS = {"note": "notes", "warning": "warnings"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak doctor`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object, schema soak.doctor/1")
    parser.add_argument("--quick", action="store_true", help="skip the slow checks: frameworks, attribution")
    parser.add_argument("--python", default="", metavar="PATH",
                        help="check the frameworks of another interpreter (default: soak's own)")  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="FOLDER",
                        help="folder of runs, whose disk is checked (default: runs)")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Examine, and say what was found."""
    if options.python and shutil.which(options.python) is None:
        raise UsageError(f"--python {options.python}: expected the path of an interpreter that may be executed")
    with _ended_by_signals(), _progress() as say:
        found = examine(Wishes(options.quick, options.python, options.out), SystemClock(), say)
    if options.json:
        json.dump(found.body(), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        _print(found, console())
    return exit_code(found.findings)


@contextlib.contextmanager
def _progress() -> Iterator[Say]:
    """What is looked at now, for a person at a terminal."""
    shown = console(stderr=True)
    if not shown.is_terminal:
        yield lambda _: None
        return
    with shown.status("checking this node") as status:
        yield lambda what: status.update(Text(what))


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end it as Ctrl-C does, and every child with it."""

    def end(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt(number)

    # What is ignored, as SIGHUP under nohup, stays so.
    handled = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    known = _children()
    before = {number: signal.signal(number, end) for number in handled}
    try:
        yield
    finally:
        # A child that was just being started when the signal came was handed over to nobody who could end it.
        for pid in _children() - known:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for number, handler in before.items():
            signal.signal(number, handler)


def _children() -> set[int]:
    """Pids of the processes that this one started and has not waited for."""
    lists = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    with contextlib.suppress(OSError):
        return {int(pid) for path in lists for pid in path.read_text().split()}
    return set()


def _print(found: Examination, console: Console) -> None:
    for group in GROUPS:
        inside = [finding for finding in found.findings if finding.group == group]
        if inside:
            console.print(Text(group, style="bold"))
            for finding in inside:
                _print_finding(finding, console)
    console.print(_summary(found), soft_wrap=True)


def _print_finding(finding: Diagnosis, console: Console) -> None:
    mark, style = MARKS[finding.status]
    begin = f"{mark} " if finding.status == "ok" else f"{mark} {finding.status}: "
    # In a pipe one statement is one line.
    width = console.width if console.is_terminal else sys.maxsize
    said = Text("\n".join(_wrapped(begin + one_line(finding.message, 2000), "  ", "    ", width)))
    said.stylize(style, 2, 2 + len(begin))
    console.print(said, soft_wrap=True)
    if finding.advice:
        advice = "\n".join(_wrapped(f"→ {one_line(finding.advice, 2000)}", "    ", "      ", width))
        console.print(Text(advice, style="dim"), soft_wrap=True)


def _wrapped(text: str, first: str, then: str, width: int) -> list[str]:
    """Lines of whole words, so that a path or a command can be copied from them."""
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=then, break_long_words=False,
                         break_on_hyphens=False)  # fmt: skip


def _summary(found: Examination) -> Text:
    counts = {status: sum(each.status == status for each in found.findings) for status in ORDER}
    parts = [
        f"{count} {_PLURALS.get(status, status) if count > 1 else status}" for status, count in counts.items() if count
    ]
    verdict = "something does not work: see ✗" if exit_code(found.findings) else _where(found)
    return Text(f"{', '.join(parts)}; {verdict}", style="bold")


def _where(found: Examination) -> str:
    """On what a soak can run: a GPU is of use to whichever framework sees it."""
    names = ", ".join(check.device.name for check in found.checks)
    if found.frameworks and all(each.problem for each in found.frameworks):
        return "no framework is installed here; --python checks another environment"
    if not found.frameworks and names:
        return f"a soak can run here; GPUs: {names} (frameworks were not checked)"
    able = [each.name for each in found.frameworks if each.devices]
    return f"a soak can run here, on {names} with {' and '.join(able)}" if able else "a soak can run here, on the CPU"
