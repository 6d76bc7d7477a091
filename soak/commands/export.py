"""Write the samples, events and verdicts of runs as Parquet or CSV, for DuckDB, pandas, polars and others.

In the folder of --out, samples, events and verdicts each have a folder, with one folder per run (and trial):
`run=…/trial=…`, which these programs read as columns. A run that is still going is exported up to now. A second export
of a run replaces the first. A folder holds one format; exporting the other format into it is refused. See
docs/export.md.

examples:
  soak export runs/quick-20260101T120000Z
  soak export runs/* --out /var/tmp/soaks --format csv
  soak export runs/quick-20260101T120000Z --config > again.toml     and: soak run again.toml
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from soak.errors import UsageError

FORMATS = ("parquet", "csv")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak export`."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders")
    parser.add_argument("--format", dest="form", choices=FORMATS, default="parquet", help="default: parquet")
    parser.add_argument("--out", type=Path, metavar="FOLDER", default=Path("export"),
                        help="where to write (default: export)")  # fmt: skip
    parser.add_argument("--config", action="store_true",
                        help="print the config of one run instead, with its command line settings: "
                        "`soak run` starts the same run from it")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Write the tables, or print the config."""
    if options.config:
        return _print_config(options.runs)
    from soak.record import export
    from soak.record.reader import open_record

    records = [(folder, open_record(folder)) for folder in options.runs]
    seen: dict[str, Path] = {}
    for folder, record in records:
        run_id = record.run().run_id
        if run_id in seen:
            raise UsageError(f"{folder}: {seen[run_id]} is the same run, {run_id}: give only one of them")
        seen[run_id] = folder
    export.check_format(options.out, options.form)
    for _, record in records:
        for path in export.write(record, options.out, options.form):
            sys.stdout.write(f"{path}\n")
        for said in record.damage():
            sys.stderr.write(f"soak: damaged record: {said}\n")
    return 0


def _print_config(runs: list[Path]) -> int:
    from soak.record.reader import open_record

    if len(runs) != 1:
        raise UsageError(f"--config: expected one RUN, not {len(runs)}")
    text = open_record(runs[0]).run().config_text
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
    return 0
