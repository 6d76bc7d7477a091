"""What soak itself takes for a trial of several members: memory and CPU of the supervisor, as its record says.

    python -m benchmarks.members [--members 8] [--seconds 60]

Every member is a command with one child; all of them sleep, so that what is measured is the measuring.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from soak.record.reader import open_record

MEMBER = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(9999)'])"


def main() -> None:
    """Run once with one member and once with several, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    print("| members | series | memory of the supervisor | CPU of the supervisor |\n| ---: | ---: | ---: | ---: |")
    for count in (1, options.members):
        with tempfile.TemporaryDirectory() as folder:
            print(row(Path(folder), count, options.seconds))


def row(folder: Path, members: int, seconds: int) -> str:
    """Of one run."""
    (folder / "c.toml").write_text(config(members, seconds))
    command = [sys.executable, "-m", "soak", "run", str(folder / "c.toml"), "--out", str(folder / "out")]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    (run,) = (folder / "out").iterdir()
    series = open_record(run).series(0)
    told = {one.metric.name: one for one in series if one.metric.name.startswith("tester_") and len(one.t)}
    memory, cpu = told["tester_rss_bytes"], told["tester_cpu_seconds"]
    share = (cpu.values[-1] - cpu.values[0]) / (cpu.t[-1] - cpu.t[0])
    return f"| {members} | {len(series)} | {memory.values.max() / 2**20:.1f} MiB | {100 * share:.2f} % of a core |"


def config(members: int, seconds: int) -> str:
    """A trial of so many members."""
    command = json.dumps([sys.executable, "-c", MEMBER])
    each = "".join(f'[[trial.member]]\nname = "member {n}"\ncommand = {command}\n' for n in range(members))
    return f'[run]\nduration = "{seconds} s"\n[[trial]]\nname = "members"\n{each}'


if __name__ == "__main__":
    main()
