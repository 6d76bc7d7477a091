"""The command line: a parser made from `commands/`, and the one place where errors become exit codes."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from types import ModuleType

from soak import __version__, commands
from soak.errors import SoakError

DESCRIPTION = """\
Soak TensorFlow and PyTorch on endless video-like streams, and learn whether they leak: with what probability, how
fast, in which layer of memory, and how small a leak this run could have seen.
"""
EPILOG = """\
exit codes:
  0 pass   1 leak or unstable   2 usage or configuration   3 inconclusive   4 invalid or error

examples:
  soak run configs/quick.toml            both frameworks side by side, three minutes, ends in a report
  soak check configs/72h.toml            is this config right, and what would it run?
  soak analyze trace.csv                 does memory that was recorded elsewhere leak?
  soak serve --config configs/service.toml   run soaks by a schedule, with a status page and metrics
  soak doctor                            what does this node offer, and what is wrong with it?
  soak list                              every workload, planted fault and sampler there is
  soak report runs/quick-…               make the report again, of a finished or unfinished run
"""


def names() -> list[str]:
    """Every subcommand: one file of `commands/` each."""
    return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser of the whole command line; with `only` just that subcommand is imported."""
    top = argparse.ArgumentParser(
        prog="soak", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=f"soak {__version__}")
    subs = top.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for name in [only] if only else names():
        module = importlib.import_module(f"soak.commands.{name}")
        text = module.__doc__ or ""
        sub = subs.add_parser(
            name, help=first_line(module), description=text, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.arguments(sub)
        sub.set_defaults(run=module.run)
    return top


def first_line(module: ModuleType) -> str:
    """A command's one-line help: how its docstring begins."""
    return (module.__doc__ or "").strip().partition("\n")[0].rstrip(".")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    only = words[0] if words and words[0] in names() else None
    options = parser(only).parse_args(words)
    try:
        code: int = options.run(options)
    except SoakError as error:
        print(f"soak: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except KeyboardInterrupt:
        print("soak: interrupted", file=sys.stderr)  # noqa: T201
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) has enough.
        sys.stderr.close()
        return 0
    return code
