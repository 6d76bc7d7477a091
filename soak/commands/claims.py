"""Check claims about frameworks by experiments: supported, refuted or undecided, each with what was measured here.

Reads FILE (a TOML file with experiments and claims; default: those of a comparison article, which come with soak),
takes the newest run of each experiment from the folder `runs`, or the RUNs that are named, and prints one row per
claim. A run that was made with another config than its experiment has now answers too, and its row says so. With --run,
experiments that have no run with that config are run first. A claim that this machine cannot answer is undecided, and
what it would take is said. The exit code is 0 whatever the answers are, and 2 if the command line is wrong.

examples:
  soak claims                             answer from the runs that are recorded here
  soak claims --run                       run what is missing first; it says how long that takes
  soak claims --run --claim xla-gain      only this claim
  soak claims my.toml --run               your own claims
  soak claims runs/claims-xla-…           answer from these runs only
  soak claims --format markdown > claims.md
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from monitors.units import format_duration
from reports.console import console, words
from soak.claims import running
from soak.claims.running import ExperimentRuns
from soak.claims.tables import ClaimsFile, load
from soak.errors import RecordError, UsageError
from soak.plan.overrides import Overrides
from soak.plan.shipped import shipped

if TYPE_CHECKING:
    from soak.claims.document import FileAnswers

FORMATS = ("terminal", "json", "markdown")
DEFAULT = "configs/claims.toml"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak claims`."""
    parser.add_argument("paths", type=Path, nargs="*", metavar="FILE or RUN",
                        help=f"files of claims (*.toml; default: {DEFAULT}), and run folders")  # fmt: skip
    parser.add_argument(
        "--run", dest="start", action="store_true", help="first run the experiments that have no run with their config"
    )
    parser.add_argument("--claim", dest="only", action="append", default=[], metavar="NAME",
                        help="only the claims whose names begin with NAME; may be given several times")  # fmt: skip
    parser.add_argument("--experiment", dest="experiments", action="append", default=[], metavar="NAME",
                        help="only the claims of this experiment; may be given several times")  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="FOLDER",
                        help="where runs are looked for and new ones are written (default: runs)")  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, default=FORMATS[0],
                        help="how the answers are printed (default: terminal)")  # fmt: skip
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    parser.add_argument("--duration", metavar="TIME", help="run each trial for this long, whatever the file says")
    parser.add_argument("--device", metavar="DEVICE", help="the device of every trial, as in `soak run`")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE",
                        help="override a key of every experiment that is run: run.repeats=2")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Run what is missing, if asked to; answer, and print."""
    given = [path for path in options.paths if path.suffix != ".toml"]
    paths = [path for path in options.paths if path.suffix == ".toml"] or [shipped(DEFAULT)]
    whole = [load(path) for path in paths]
    files = [_only(file, options.only, options.experiments) for file in whole]
    if not any(file.claims for file in files):
        raise UsageError(f"{_asked(options)}: names none of the claims; there are {_names(whole)}")
    running.strangers(whole, given)
    overrides = Overrides(tuple(options.overrides), options.duration, options.device)
    found = [running.recorded(file, given, options.out, overrides) for file in files]
    missing = [(f, one) for f, runs in zip(files, found, strict=True) for one in runs.values() if one.wanted]
    if options.start and missing:
        _run(missing, overrides, options.out)
    _print(files, found, options)
    return 0


def _only(file: ClaimsFile, names: Sequence[str], wanted: Sequence[str]) -> ClaimsFile:
    """The claims that are asked for, with their experiments."""
    tables = [claim for claim in file.claims if not wanted or claim.table.experiment in wanted]
    kept = tuple(claim for claim in tables if not names or any(map(claim.table.name.startswith, names)))
    needed = {claim.table.experiment for claim in kept}
    experiments = {name: one for name, one in file.experiments.items() if name in needed}
    return ClaimsFile(file.path, file.title, file.about, experiments, kept)


def _names(files: Sequence[ClaimsFile]) -> str:
    return ", ".join(f"{claim.table.name} ({claim.table.experiment})" for file in files for claim in file.claims)


def _asked(options: argparse.Namespace) -> str:
    both = (("--claim", options.only), ("--experiment", options.experiments))
    return " ".join(f"{name} {' '.join(values)}" for name, values in both if values)


def _run(missing: Sequence[tuple[ClaimsFile, ExperimentRuns]], overrides: Overrides, out: Path) -> None:
    """One experiment after the other; how long all of it takes is said first."""
    shown = console(stderr=True)
    devices = running.count_devices()
    for file, one in missing:
        one.failed = "" if overrides.device else running.lacking(file, one.experiment, devices)
    missing = [(file, one) for file, one in missing if not one.failed]
    told = [running.estimated(file, one.experiment, overrides) for file, one in missing]
    for each in told:
        length = "as long as the machine needs" if each.seconds is None else f"about {format_duration(each.seconds)}"
        line = f"{each.name}: {each.trials} trials, {each.parallel} at a time, {length}"
        shown.print(words(line), soft_wrap=True)
    total = running.minutes(sum(each.seconds or 0.0 for each in told))
    more = ", and what depends on the machine" if any(each.seconds is None for each in told) else ""
    shown.print(words(f"all of it: about {total}{more}"), soft_wrap=True)
    for file, one in missing:
        shown.print(words((f"{one.experiment.title}", "bold")), soft_wrap=True)
        running.run(file, one, overrides, out)
        if one.failed:
            shown.print(words(one.failed), soft_wrap=True)


def _print(
    files: Sequence[ClaimsFile], found: Sequence[dict[str, ExperimentRuns]], options: argparse.Namespace
) -> None:
    # They import NumPy, which a process that runs experiments does without.
    from reports import claims_page, claims_terminal
    from soak.claims import document

    body = document.build(
        [_answered(file, runs) for file, runs in zip(files, found, strict=True)], _commands(files, found, options)
    )
    if options.format == "json":
        print(json.dumps(body, indent=2))  # noqa: T201
    elif options.format == "markdown":
        sys.stdout.write(claims_page.page(body))
    else:
        claims_terminal.print_claims(body, console())


def _answered(file: ClaimsFile, runs: dict[str, ExperimentRuns]) -> FileAnswers:
    from soak.claims import answers, document, trials

    read, left_out = {}, {}
    for name, one in runs.items():
        try:
            found = trials.read_trials(one.folders)
        except RecordError as error:
            raise UsageError(f"{error}; leave this run out") from error
        read[name], left_out[name] = found.trials, found.left_out
    verdicts = [
        answers.answer(claim, read[claim.table.experiment], _missing(file, runs[claim.table.experiment]))
        for claim in file.claims
    ]
    return document.FileAnswers(file, verdicts, runs, left_out)


def _missing(file: ClaimsFile, runs: ExperimentRuns) -> str:
    """Why there is no trial; empty where there is a run."""
    if runs.failed or runs.folders:
        return runs.failed
    words_of_file = "" if file.path.name == Path(DEFAULT).name else f" {shlex.quote(str(file.path))}"
    return f"It was not run: `soak claims{words_of_file} --run` does."


def _commands(
    files: Sequence[ClaimsFile], found: Sequence[dict[str, ExperimentRuns]], options: argparse.Namespace
) -> list[str]:
    """By which all of it is made again: each file run, and then the page of all."""
    given = ["--device", options.device] if options.device else []
    changed = [word for one in options.overrides for word in ("--set", one)]
    shown = [_short(file.path) for file in files]
    runs = [shlex.join(["soak", "claims", path, "--run", *given, *changed]) for path in shown]
    return [*runs, shlex.join(["soak", "claims", *shown, "--format", "markdown"])]


def _short(path: Path) -> str:
    """As it is seen from the root of a checkout."""
    return str(Path("configs") / path.name) if path.parent.name == "configs" else path.name
