"""What soak itself takes for a trial of several members: memory and CPU of the supervisor, as its record says.

    python -m benchmarks.members [--members 8] [--seconds 60] [--terminal]

Commands have one child each; workers step 20 times a second and beat once. All of them sleep, so that what is measured
is the measuring. The start is told apart from what comes after it: it is paid once, however long a trial is. CPU is
what the kernel accounts to the supervisor's process, so other work on the machine matters little: by caches that it
fills. Nothing is shown meanwhile, but for a line now and then; with `--terminal` the live table is drawn, by way of
`script` of util-linux.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from soak.record.reader import open_record

COMMAND = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(9999)'])"

START = 15.0
"""Seconds of a trial after which all of its members have long started."""

WORKLOAD = """
import time

def steps():
    while True:
        time.sleep(0.05)
        yield
"""


def main() -> None:
    """Run once with one member and once with several, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--terminal", action="store_true")
    options = parser.parse_args()
    if options.seconds < 2 * START:
        parser.error(f"--seconds {options.seconds}: expected {2 * START:.0f} or more")
    print("| members | series | memory of the supervisor | its CPU: start | after it |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for kind in (commands, workers):
        for count in (1, options.members):
            with tempfile.TemporaryDirectory() as folder:
                print(row(Path(folder), kind, count, options.seconds, options.terminal), flush=True)


def row(folder: Path, kind: Callable[[int, Path], str], members: int, seconds: int, terminal: bool) -> str:
    """Of one run."""
    (folder / "c.toml").write_text(f'[run]\nduration = "{seconds} s"\n[[trial]]\n{kind(members, folder)}')
    command = [sys.executable, "-m", "soak", "run", str(folder / "c.toml"), "--out", str(folder / "out")]
    if terminal:
        command = ["script", "-qec", shlex.join(command), "/dev/null"]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    (run,) = (folder / "out").iterdir()
    series = open_record(run).series(0)
    told = {one.metric.name: one for one in series if one.metric.name.startswith("tester_") and len(one.t)}
    memory, cpu = told["tester_rss_bytes"], told["tester_cpu_seconds"]
    later = cpu.t >= START
    t, used = cpu.t[later], cpu.values[later]
    steady = (used[-1] - used[0]) / (t[-1] - t[0])
    start = used[0] - steady * t[0]
    held = memory.values.max() / 2**20
    cost = f"{start:.2f} s | {100 * steady:.2f} % of a core"
    return f"| {members} {kind.__name__} | {len(series)} | {held:.1f} MiB | {cost} |"


def commands(members: int, folder: Path) -> str:
    """A trial of so many programs."""
    command = json.dumps([sys.executable, "-c", COMMAND])
    each = "".join(f'[[trial.member]]\nname = "member {n}"\ncommand = {command}\n' for n in range(members))
    return f'name = "members"\n{each}'


def workers(members: int, folder: Path) -> str:
    """A trial of so many ranks of a workload."""
    (folder / "steps.py").write_text(WORKLOAD)
    return f'workload = "{folder}/steps.py:steps"\nframework = "none"\nranks = {members}\n'


if __name__ == "__main__":
    main()
