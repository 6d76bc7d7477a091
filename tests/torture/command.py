"""Try to break soak by kills, damage and hostile input, and report the results.

Everything is drawn from --seed and a number, so a line of the results is enough to do the same again (--only N).
Results are lines of JSON in OUT/results.jsonl; a second call with the same --out and --seed goes on where the first
ended, other seeds add to it, and `report` merges the files of several machines. Exit code: 0 where every rule held,
1 where not.

examples:
  python -m tests.torture all --seconds 600 --jobs 2
  python -m tests.torture kills --rounds 600 --jobs 12 --seconds 600 --out results
  python -m tests.torture records --seed 3 --only 17
  python -m tests.torture report results another/results.jsonl
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.torture import pool, runs, table
from tests.torture.results import Case, Results, load


@dataclass(frozen=True)
class Campaign:
    """What is known of a campaign before it is imported."""

    module: str
    rounds: int
    """Of the whole campaign; what is counted is what was tried, of which a round may be several."""
    slice: int
    """Rounds of the slice for continuous integration."""
    patience: float
    inside: bool = True
    """Whether soak is called in the process of the case."""
    needs: tuple[str, ...] = ()
    """Packages without which it cannot be run."""


CAMPAIGNS = {
    "wire": Campaign("wire", 20, 2, 240.0),
    "configs": Campaign("configs", 600, 60, 240.0),
    "answers": Campaign("answers", 500, 40, 240.0),
    "traces": Campaign("tables", 600, 60, 240.0),
    "records": Campaign("records", 1000, 100, 240.0),
    "pipe": Campaign("pipe", 40, 1, 240.0, inside=False),
    "neighbour": Campaign("neighbour", 3, 0, 600.0, inside=False),
    "service": Campaign("service", 60, 0, 900.0, inside=False, needs=("apscheduler", "uvicorn", "starlette", "yaml")),
    "kills": Campaign("kills", 640, 8, 420.0, inside=False),
}
GROUPS = {"all": tuple(CAMPAIGNS), "slice": tuple(name for name, known in CAMPAIGNS.items() if known.slice)}


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code."""
    options = _arguments().parse_args(argv)
    if options.campaign == "report":
        cases = load(options.results or [options.out])
        sys.stdout.write(table.markdown(cases))
        return int(any(case.faults for case in cases))
    # A shell's background job ignores Ctrl-C, and so would every run that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    names = GROUPS.get(options.campaign, (options.campaign,))
    return _torture(names, options)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("campaign", choices=[*CAMPAIGNS, *GROUPS, "report"])
    parser.add_argument("results", nargs="*", type=Path, help="of `report`: files and folders (default: --out)")
    parser.add_argument("--rounds", type=int, help="cases of each campaign (default: as many as the whole has)")
    parser.add_argument(
        "--seconds",
        type=float,
        default=3600.0,
        help="begin no case after this; one under way takes up to a minute or two (default: 3600)",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="cases at a time")
    parser.add_argument("--out", type=Path, default=Path("torture"), help="folder of the results (default: torture)")
    parser.add_argument("--only", type=int, help="this number alone, again; its folder is kept")
    parser.add_argument("--no-keep", dest="keep", action="store_false", help="keep no folder of a case with a fault")
    parser.add_argument("--full", action="store_true", help="neighbour: a log of 3 GiB instead of 256 MiB")
    return parser


def _torture(names: Sequence[str], options: argparse.Namespace) -> int:
    until = time.monotonic() + options.seconds
    found: list[Case] = []
    work = Path(tempfile.mkdtemp(prefix="soak-torture-"))
    try:
        for i, name in enumerate(names):
            # An equal share each; what the quick ones leave goes to those after them.
            share = (until - time.monotonic()) / (len(names) - i)
            found += _campaign(name, options, work, share)
    except KeyboardInterrupt:
        sys.stderr.write("torture: stopped; the same command goes on from here\n")
        return 130
    finally:
        shutil.rmtree(work, ignore_errors=True)
    faults = sum(bool(case.faults) for case in found)
    sys.stdout.write(f"{len(found)} cases, {sum(case.tried for case in found)} tried, {faults} with a fault\n")
    return int(faults > 0)


def _campaign(name: str, options: argparse.Namespace, work: Path, seconds: float) -> list[Case]:
    known = CAMPAIGNS[name]
    if absent := [package for package in known.needs if importlib.util.find_spec(package) is None]:
        sys.stderr.write(f"torture: {name} is left out: {', '.join(absent)} not installed\n")
        return []
    results = Results(options.out)
    rounds = options.rounds or (known.slice if options.campaign == "slice" else known.rounds)
    numbers = [options.only] if options.only is not None else results.pending(name, options.seed, rounds)
    hands = Hands(name, known, options.seed, work, options.out / "kept" if options.keep else None, options)
    if numbers:
        hands.prepare()
    found = []
    for case in pool.run(numbers, hands.work, options.jobs, seconds, known.patience, hands.lost):
        results.add(case)
        found.append(case)
        for fault in case.faults:
            sys.stdout.write(f"{name} --seed {case.seed} --only {case.n} ({case.what}): {fault}\n")
        sys.stdout.flush()
    return found


@dataclass(frozen=True)
class Hands:
    """Gives each case a folder, and takes it away again where nothing was found."""

    name: str
    known: Campaign
    seed: int
    scratch: Path
    keep: Path | None
    options: argparse.Namespace

    def _folder(self, number: int) -> Path:
        return self.scratch / f"{self.name}-{self.seed}-{number}"

    def prepare(self) -> None:
        """What all cases of the campaign share is made once, in a process of its own."""
        aside(self._make_ready)

    def _make_ready(self) -> None:
        made = getattr(self._module(), "prepare", None)
        if made is not None:
            made(self.scratch)

    def _module(self) -> object:
        # Configs ask for frameworks, which the stubs stand for, here and in the interpreters that are asked.
        if str(runs.STUBS) not in sys.path:
            sys.path.insert(0, str(runs.STUBS))
            os.environ["PYTHONPATH"] = runs.PYTHONPATH
        if self.known.inside:
            from tests.torture import calls

            calls.hold_memory()
        return importlib.import_module(f"tests.torture.{self.known.module}")

    def work(self, number: int) -> Case:
        """One case, in a child."""
        one: Callable[..., Case] = getattr(self._module(), "one")  # noqa: B009  (a campaign is found by its name)
        folder = self._folder(number)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        keys = {"full": True} if self.options.full and self.name == "neighbour" else {}
        try:
            case = one(self.seed, number, folder, **keys)
        except Exception:  # noqa: BLE001  (a fault of the harness is a result too)
            case = self.lost(number, f"harness: {traceback.format_exc()[-600:]}")
        case.kept = self._tidy(number, keep=bool(case.faults))
        return case

    def _tidy(self, number: int, keep: bool) -> str:
        folder, kept = self._folder(number), ""
        if self.keep is not None and (keep or self.options.only is not None) and folder.is_dir():
            target = self.keep / folder.name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(folder, target, symlinks=True)
            kept = str(target)
        shutil.rmtree(folder, ignore_errors=True)
        return kept

    def lost(self, number: int, said: str) -> Case:
        """A case whose process crashed or hung."""
        return Case(self.name, self.seed, number, faults=[said], kept=self._tidy(number, keep=True))


def aside(act: Callable[[], None]) -> None:
    """Do something in a child, so that this process stays light and may fork.

    Raises:
        SystemExit: it failed.
    """
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        except Exception:  # noqa: BLE001  (told by the exit code)
            traceback.print_exc()
        finally:
            os._exit(code)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise SystemExit("torture: what the campaign begins with could not be made")
