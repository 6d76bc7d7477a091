"""The command line: a parser made from `commands/`, and the one place where errors become exit codes."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import pkgutil
import signal
import sys
import textwrap
import traceback
from collections.abc import Sequence
from types import ModuleType

from monitors.text import one_line, printable
from soak import __version__, commands, output
from soak.engine.stopping import unpaused
from soak.errors import SoakError

NEVER_WAIT = ("exec", "run", "serve")
"""Commands that go on while nobody reads what they print."""
COMPUTE = ("analyze", "compare", "export", "history", "list", "report")
"""Commands that import NumPy, and start nothing that would inherit their environment."""
TRACEBACK = "SOAK_TRACEBACK"
"""Environment variable: show the whole traceback of an error of soak's own."""
_SHORTAGES = (errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT)
"""What the machine, or a limit of this process, is short of: no error of soak's own."""
_REQUIRED = ("jinja2", "msgspec", "numpy", "psutil", "pyarrow", "pynvml", "rich", "tomli_w")
"""The modules of what is installed with soak."""

DESCRIPTION = """\
Soak a program, or TensorFlow and PyTorch on endless streams, and find out whether it leaks: how probably, how fast, in
which layer of memory, and how small a leak this run could detect.
"""
EPILOG = """\
exit codes:
  0 pass   1 leak or unstable   2 usage or configuration   3 inconclusive   4 invalid or error

examples:
  soak exec -- python train.py           any program, from outside, until it ends or you press Ctrl-C
  soak run configs/quick.toml            both frameworks side by side, three minutes, ends in a report
  soak check configs/72h.toml            is this config valid, and what would it run?
  soak analyze trace.csv                 is there a leak in memory recorded by another tool?
  soak serve --config configs/service.toml   run soaks on a schedule, with a status page and metrics
  soak doctor                            is this node ready to soak, and what should be fixed?
  soak env matrix                        build an environment for trials that do not fit into soak's own
  soak list                              all workloads, planted faults and samplers
  soak report runs/quick-…               write the report again, of a finished or unfinished run
  soak claims                            what recorded runs say of claims about the frameworks
  soak diagnose runs/quick-…             which lines and stacks grow, and what makes it stop?
  soak compare runs/quick-… --by framework   which of two frameworks, versions, runs is better, and is that sure?
  soak history                           when did memory, growth or throughput of recorded runs change?
"""


class _Help(argparse.HelpFormatter):
    """Help as wide as the terminal: sentences are wrapped, lines of examples stand as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        blocks = [block.splitlines() for block in text.strip("\n").split("\n\n")]
        return "\n\n".join("\n".join(_lines(block, width, indent)) for block in blocks) + "\n"


def _lines(block: Sequence[str], width: int, indent: str) -> list[str]:
    if any(line.startswith(" ") for line in block):
        return [indent + line for line in block]
    return textwrap.wrap(" ".join(block), width, initial_indent=indent, subsequent_indent=indent,
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def names() -> list[str]:
    """Every subcommand: one file of `commands/` each."""
    return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser of the whole command line; with `only` just that subcommand is imported."""
    top = argparse.ArgumentParser(prog="soak", description=DESCRIPTION, epilog=EPILOG, formatter_class=_Help)
    top.add_argument("--version", action="version", version=f"soak {__version__}")
    subs = top.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for name in [only] if only else names():
        module = importlib.import_module(f"soak.commands.{name}")
        text = module.__doc__ or ""
        sub = subs.add_parser(name, help=first_line(module), description=text, formatter_class=_Help)
        module.arguments(sub)
        sub.set_defaults(run=module.run)
    return top


def first_line(module: ModuleType) -> str:
    """A command's one-line help: how its docstring begins."""
    return (module.__doc__ or "").strip().partition("\n")[0].rstrip(".")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. 0 and 1 of a command that judges only ever come from its verdict."""
    words = list(sys.argv[1:] if argv is None else argv)
    only = words[0] if words and words[0] in names() else None
    if only in COMPUTE:
        # Before NumPy is imported: more threads take twice the processor time, for nothing.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with unpaused(), output.standing(unhurried=only in NEVER_WAIT):
        return _run(only, words)


def _run(only: str | None, words: list[str]) -> int:
    options = None
    try:
        options = parser(only).parse_args(words)
        code: int = options.run(options)
    except SoakError as error:
        for line in error.lines():
            _say(printable(line))
        return error.exit_code
    except KeyboardInterrupt as ended:
        _say("interrupted")
        return 128 + (ended.args[0] if ended.args else signal.SIGINT)
    except SystemExit as asked:
        if options is None:
            raise
        _say(f"no verdict: a plug-in ended this process with {asked.code!r:.100}")
        return SoakError.exit_code
    except BaseException as error:  # noqa: BLE001  (the last resort: no error of ours may look like a verdict)
        _say(_internal(error))
        return SoakError.exit_code
    return code


def _say(message: str) -> None:
    print(f"soak: {message}", file=sys.stderr)  # noqa: T201


def _internal(error: BaseException) -> str:
    """One line that says what and where; all of it is asked for by an environment variable."""
    if os.environ.get(TRACEBACK):
        return "".join(traceback.format_exception(error))
    if isinstance(error, ModuleNotFoundError) and error.name in _REQUIRED:
        return f"{error.name} is not installed in {sys.executable}: in the checkout, `pip install .` installs it"
    if isinstance(error, ModuleNotFoundError) and error.name in sys.stdlib_module_names:
        return f"this Python was built without {error.name}: {sys.executable}"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    what = f"{_kind(error)}: {type(error).__name__}: {one_line(error)}"
    return f"{what}{where}; {TRACEBACK}=1 shows the traceback"


def _kind(error: BaseException) -> str:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _SHORTAGES):
        return "out of resources"
    if isinstance(error, BlockingIOError) and _came_of_a_start(error):
        return "out of resources"
    if isinstance(error, FileNotFoundError) and not _has_working_directory():
        return "the working directory is gone"
    return "internal error"


def _came_of_a_start(error: BlockingIOError) -> bool:
    """Whether a process was to be started: one too many fails with the error of what would block."""
    import subprocess

    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename == subprocess.__file__


def _has_working_directory() -> bool:
    try:
        os.getcwd()  # noqa: PTH109  (what `Path.cwd` asks too)
    except FileNotFoundError:
        return False
    return True
