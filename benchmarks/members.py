"""What soak itself takes for a trial of several members: memory and CPU of the supervisor, as its record says.

    python -m benchmarks.members [--members 8] [--seconds 60]

Commands have one child each; workers step 20 times a second and beat once. All of them sleep, so that what is measured
is the measuring.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from soak.record.reader import open_record

COMMAND = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(9999)'])"

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
    options = parser.parse_args()
    print("| members | series | memory of the supervisor | CPU of the supervisor |\n| ---: | ---: | ---: | ---: |")
    for kind in (commands, workers):
        for count in (1, options.members):
            with tempfile.TemporaryDirectory() as folder:
                print(row(Path(folder), kind, count, options.seconds), flush=True)


def row(folder: Path, kind: Callable[[int, Path], str], members: int, seconds: int) -> str:
    """Of one run."""
    (folder / "c.toml").write_text(f'[run]\nduration = "{seconds} s"\n[[trial]]\n{kind(members, folder)}')
    command = [sys.executable, "-m", "soak", "run", str(folder / "c.toml"), "--out", str(folder / "out")]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    (run,) = (folder / "out").iterdir()
    series = open_record(run).series(0)
    told = {one.metric.name: one for one in series if one.metric.name.startswith("tester_") and len(one.t)}
    memory, cpu = told["tester_rss_bytes"], told["tester_cpu_seconds"]
    share = (cpu.values[-1] - cpu.values[0]) / (cpu.t[-1] - cpu.t[0])
    held = memory.values.max() / 2**20
    return f"| {members} {kind.__name__} | {len(series)} | {held:.1f} MiB | {100 * share:.2f} % of a core |"


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
