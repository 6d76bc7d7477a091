"""Judge recorded memory: does it leak, how probably, how fast, in which layer?

Judges memory that other tools recorded, with exactly the detector that judges soak's own runs. A FILE is told by its
content, not by its name: CSV with commas, semicolons, tabs or spaces (nvidia-smi, docker stats, Grafana, ps, psrecord),
JSON and JSON lines, logs, Prometheus' answers and text, pidstat, top, free, sar, jstat, mprof, massif, Parquet, each
also packed by gzip; a run folder; - for standard input; with --prometheus, what a Prometheus server has recorded.
docs/analyze.md has them all.

Times may be seconds, milliseconds, dates or times of day; amounts may have units in the header or in the cells. Only
what is held is judged: memory, descriptors, threads. Counters, CPU, address space and page cache are listed as ignored,
with the reason. Processes, containers and GPUs of one file are judged apart. Samples may be irregular, with gaps,
restarts and missing values. What cannot be read is counted and reported; where that is more than a twentieth of a
series, no verdict rests on it. A file that is damaged, or whose times cannot be read, is refused.

The exit code is the worst of all sources: 4 an error of soak's own, 2 a source that cannot be read, 1 leak, 3
inconclusive, 0 pass.

examples:
  soak analyze trace.csv                        a readable table; exit code 0 pass, 1 leak, 3 inconclusive
  soak analyze traces/*.csv.gz --json           one JSON object a line, for scripts
  nvidia-smi --query-gpu=timestamp,index,memory.used --format=csv -l 10 > gpu.csv; soak analyze gpu.csv
  pidstat -r -p ALL 10 360 | soak analyze -     every process by itself, from standard input
  soak analyze ps.txt --unit rss=KiB            what the numbers of a column are
  soak analyze log.csv --time when --skip "5 min" --group-by pod --column "*_bytes"
  soak analyze trace.csv --html leak.html       the same as a page with charts
  soak analyze trace.csv --limit "16 GiB"       and how long until that is full
  soak analyze runs/quick-…                     every trial of a run
  soak analyze --prometheus http://localhost:9090 --query 'process_resident_memory_bytes{job="serving"}' --range 72h
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitors.text import one_line
from soak.errors import RecordError, SoakError, UsageError
from soak.plan.quantity import parse_duration, parse_interval, parse_rate, parse_size

if TYPE_CHECKING:
    from reports.analysis_page import AnalysisShown as Page
    from soak.traces.judging import Found, Question
    from soak.traces.request import TraceRequest

_CODES = {"pass": 0, "leak": 1, "inconclusive": 3}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak analyze`."""
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="files of samples, run folders, or - for standard input"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, for each file and entity")
    parser.add_argument("--limit", type=_quantity(parse_size), metavar="SIZE",
                        help='memory there is, such as "16 GiB": says when it will be used up')  # fmt: skip
    parser.add_argument("--min-rate", type=_quantity(parse_rate), metavar="RATE", default=0.0,
                        help='slower growth is not a leak: "1 MiB/h" (default: any growth counts)')  # fmt: skip
    parser.add_argument("--column", action="append", metavar="NAME", default=None,
                        help="judge this series only, whatever it is; may be given again, with * and ?")  # fmt: skip
    parser.add_argument("--skip", type=_quantity(parse_interval), metavar="TIME", default=None,
                        help='leave out the beginning: "10 min", or 0 (default: a start-up, if seen)')  # fmt: skip
    parser.add_argument("--time", metavar="NAME", help="the column that is the time (default: found by itself)")
    parser.add_argument("--interval", type=_quantity(parse_duration), metavar="TIME",
                        help="time between two rows, where no column is the time")  # fmt: skip
    parser.add_argument("--unit", action="append", metavar="[NAME=]UNIT", type=_unit, default=[],
                        help="unit of a column, or of all that tell none: MiB, rss=KiB")  # fmt: skip
    parser.add_argument("--group-by", metavar="NAMES",
                        help='columns that tell processes or devices apart: pid,gpu; "" for none')  # fmt: skip
    parser.add_argument("--html", type=Path, metavar="FILE", help="write what is found as a page with charts, too")
    parser.add_argument("--prometheus", metavar="URL", help="judge what this Prometheus server has recorded")
    parser.add_argument("--query", metavar="PROMQL", help="which series, with --prometheus")
    parser.add_argument("--range", dest="span", type=_quantity(parse_duration), metavar="TIME", default=86400.0,
                        help="how far back, with --prometheus (default: 24 h)")  # fmt: skip
    parser.add_argument("--step", type=_quantity(parse_duration), metavar="TIME", default=60.0,
                        help="time between two samples, with --prometheus (default: 60 s)")  # fmt: skip


def _quantity(parse: Callable[[object], float]) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None

    return convert


def _unit(text: str) -> tuple[str, float]:
    from soak.traces import units

    name, _, unit = text.rpartition("=")
    try:
        return name, units.parse(unit)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def run(options: argparse.Namespace) -> int:
    """Judge every source; the exit code is the worst: an error, then a leak, then what cannot be told."""
    if bool(options.prometheus) != bool(options.query):
        raise UsageError("--prometheus and --query: expected both or neither")
    if not options.files and not options.prometheus:
        raise UsageError("nothing to analyze: expected FILE… or --prometheus URL --query PROMQL")
    codes: list[int] = []
    pages: list[Page] = []
    for source in _sources(options):
        try:
            for body, found in source():
                codes.append(_CODES[body["verdict"]])
                _show(body, options.json)
                if options.html is not None:
                    pages.append(_drawn(body, found))
        except SoakError as error:
            print(f"soak: {one_line(error)}", file=sys.stderr)  # noqa: T201
            codes.append(error.exit_code)
    if options.html is not None and pages:
        _write(options.html, pages)
    return next((code for code in (4, 2, 1, 3) if code in codes), 0)


Bodies = Iterator[tuple[dict[str, Any], "Found | None"]]


def _drawn(body: Mapping[str, Any], found: Found | None) -> Page:
    from reports import analysis_page

    drawn = [] if found is None else analysis_page.outlines(found.series, found.detection.findings)
    return analysis_page.AnalysisShown(body, drawn)


def _write(path: Path, pages: Sequence[Page]) -> None:
    from reports import analysis_page
    from soak.record.replace import replace_file

    replace_file(path.parent, path.name, analysis_page.page(pages))


def _sources(options: argparse.Namespace) -> Iterator[Callable[[], Bodies]]:
    from soak.traces.judging import Question
    from soak.traces.request import TraceRequest

    limit = None if options.limit is None else float(options.limit)
    question = Question(limit, options.min_rate, options.column or (), options.skip)
    groups = None if options.group_by is None else [name for name in options.group_by.split(",") if name.strip()]
    request = TraceRequest(options.time, options.interval, dict(options.unit), groups)
    for path in options.files:
        yield functools.partial(_of_path, path, question, request)
    if options.prometheus:
        yield functools.partial(_of_prometheus, options, question)


def _of_path(path: Path, question: Question, request: TraceRequest) -> Bodies:
    if os.path.isdir(path):  # noqa: PTH112  (never raises, whatever the path)
        yield from _of_run(path, question)
        return
    from soak.traces import judging, tables

    yield from judging.found_in_all(tables.read_all(path, request), question)


def _of_run(folder: Path, question: Question) -> Bodies:
    from soak.record.reader import open_record
    from soak.traces import judging

    record = open_record(folder)
    trials = list(judging.started(record))
    for trial in trials:
        yield judging.judge_recorded(record, trial, f"{folder}: {trial.name}", question), None
    damage = "; ".join(record.damage())
    unfinished = [judging.UNFINISHED] if record.unfinished else []
    if record.lost_trials:
        raise RecordError(f"{folder}: not every trial of this run can be judged: its record is damaged: {damage}")
    if trials and (words := "; ".join([*unfinished, *([f"damaged: {damage}"] if damage else [])])):
        print(f"soak: {folder}: {words}", file=sys.stderr)  # noqa: T201
    if not trials:
        cut = f" ({judging.UNFINISHED})" if unfinished else ""
        raise UsageError(f"{folder}: no trial of this run was started; there is nothing to judge{cut}")


def _of_prometheus(options: argparse.Namespace, question: Question) -> Bodies:
    from soak.traces import judging, prometheus

    trace = prometheus.read(options.prometheus, options.query, options.span, options.step)
    yield from judging.found_in_all([trace], question)


def _show(body: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        whole = (sys.stdout.encoding or "").lower() in ("utf-8", "utf8")
        print(json.dumps(body, ensure_ascii=not whole, allow_nan=False), flush=True)  # noqa: T201
        return
    from reports import analysis
    from reports.console import console

    analysis.print_analysis(body, console())
