"""Find what holds the memory of a leaking trial: replay it for a short time with tools that are too slow for a soak.

Takes the trial of RUN (a run folder) with the highest leak probability (or --trial), and runs it again from its seed,
for a short time: as recorded; with tracemalloc, which finds the lines of Python that grow; with memray, which finds the
stacks of native memory (`pip install 'soak[diagnose]'`); on a GPU with PyTorch's history of device memory; and with one
thing off at a time (new shapes, training, loader workers, compilation, glibc's malloc), to see what stops the growth.

The results are printed, saved as diagnosis.json in RUN, and shown by `soak report RUN`. Ctrl-C stops it and keeps the
results so far. Run it in the folder that the run was started in, because paths are relative to it. Exit code: 0 if
something was found, 3 if nothing was found or it was interrupted, 2 if it cannot be replayed here, 4 for an error. See
docs/diagnose.md.

examples:
  soak diagnose runs/quick-20260101T120000Z
  soak diagnose runs/quick-20260101T120000Z --trial recurrent-torch --duration 2min
  soak diagnose runs/train-20260101T120000Z --env TOKEN --json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from soak import documents
from soak.errors import UsageError
from soak.plan.quantity import parse_duration

NOTHING = 3
"""Exit code where nothing was found."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak diagnose`."""
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument("--trial", metavar="NAME", help="the trial (default: highest leak probability)")
    parser.add_argument("--duration", metavar="TIME", help="of each replay (default: 60s; up to 10min for slow leaks)")
    parser.add_argument("--env", action="append", default=[], metavar="NAME[=VALUE]",
                        help="a value that the record hides; NAME alone: take it from your environment")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def run(options: argparse.Namespace) -> int:
    """Replay, tell what was found, and answer with whether anything was."""
    from monitors.units import format_duration
    from reports.console import console, words
    from soak.diagnose import document, findings, recorded, results, session

    env = recorded.variables(options.env)
    asked = session.DiagnosisOrder(options.run_folder, options.trial, _seconds(options.duration), env, progress=True)
    found = session.plan(asked)
    shown = console(stderr=True)
    count, each = len(found.replays), format_duration(found.seconds)
    shown.print(words(f"soak: {found.trial.info.name}: {count} replays of {each} each"), soft_wrap=True)
    session.replay(found, asked)
    trial = results.result(found)
    folder = options.run_folder if options.run_folder.is_dir() else options.run_folder.parent
    body, path = document.add(folder, found.run.run_id, trial)
    if options.json:
        documents.print_json(body)
    else:
        from reports import diagnosis_terminal

        diagnosis_terminal.print_trial(next(t for t in body["trials"] if t["name"] == trial["name"]), console(), path)
    return 0 if findings.found_something(trial) and not found.interrupted else NOTHING


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(parse_duration(text))
    except ValueError as error:
        raise UsageError(f"--duration {text}: {error}") from None
