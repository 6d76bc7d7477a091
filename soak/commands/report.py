"""Write the reports of a run: finished, still running or killed.

Reads RUN (a run folder) without changing its record, judges trials that have no verdict yet, and writes report.html and
report.json next to it. The report of an unfinished run says that it is unfinished.

examples:
  soak report runs/quick-20260101T120000Z
  soak report runs/quick-20260101T120000Z --format markdown --out -
  soak report runs/quick-20260101T120000Z --junit junit.xml
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reports import catalog, diagnosis, document, terminal
from reports.console import console
from reports.once import ReadOnce
from soak.errors import UsageError
from soak.judge.trial import judge_one, settings_of
from soak.judge.verdict import EXIT_CODES
from soak.record.reader import Record, is_folder, open_record
from soak.record.replace import replace_file


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak report`."""
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument("--format", dest="formats", action="append", choices=catalog.names(), default=None,
                        help="format to write; may be given several times (default: html and json)")  # fmt: skip
    parser.add_argument(
        "--out", metavar="FOLDER", help="where to write (default: the run folder); - for standard output"
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write JUnit XML, for CI, to this file")


def run(options: argparse.Namespace) -> int:
    """Write the reports, print the summary; the exit code is the verdict."""
    if options.out == "-" and len(options.formats or ("html", "json")) > 1:
        raise UsageError("--out -: expected one --format, because standard output takes one document")
    opened = open_record(options.run_folder)
    _judge_the_rest(opened)
    record = ReadOnce(opened)
    folder = _folder(options.run_folder, None)
    body = document.build(record, diagnosis.read(folder))
    formats = options.formats or ["html", "json"]
    if options.junit is not None:
        text = catalog.load("junit").render(body, record)
        replace_file(_made("--junit", options.junit.parent), options.junit.name, text)
    if options.out == "-":
        _print(catalog.load(formats[0]).render(body, record))
        return EXIT_CODES[record.run().verdict or "inconclusive"]
    folder = _folder(options.run_folder, options.out)
    written: list[Path] = [] if options.junit is None else [options.junit]
    for name in formats:
        module = catalog.load(name)
        written.append(replace_file(folder, module.FILE, module.render(body, record)))
    terminal.print_summary(body, console(), written, options.run_folder)
    return EXIT_CODES[record.run().verdict or "inconclusive"]


def _print(text: str) -> None:
    """As UTF-8, as every format says of itself, whatever the terminal takes."""
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        sys.stdout.write(text)
        return
    sys.stdout.flush()
    binary.write(text.encode())
    binary.flush()


def _folder(run: Path, out: str | None) -> Path:
    if not out:
        return run if is_folder(run) else run.parent
    return _made("--out", Path(out))


def _made(option: str, folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{option} {folder}: the folder cannot be created: {reason}") from error
    return folder


def _judge_the_rest(record: Record) -> None:
    settings = settings_of(record.judge_table())
    for trial in record.trials():
        if trial.judgement is None and trial.started is not None:
            record.adopt(trial.index, judge_one(record, trial, settings))
