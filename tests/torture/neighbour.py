"""Campaign: two trials, one of them a bad neighbour. The samples of the other come in time."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

from tests.torture import leftovers, rules, runs
from tests.torture.results import Case

CAMPAIGN = "neighbour"
PATIENCE = 480.0
INTERVAL = 0.5
ALLOWED = 2.0
"""Times the interval."""
SECONDS = 30
ACTS = (("flood", 20), ("fork_bomb", 200), ("log", 256))
"""A flood of the pipe for 20 s, a bomb of 200 processes, a log of so many MiB and then a crash."""
MOST_MEMORY = 128.0
"""MiB of the supervisor, whatever a worker does."""
FULL_LOG = 3072
GOOD = runs.called("good")


def one(seed: int, n: int, folder: Path, full: bool = False) -> Case:
    """One run of a good and a bad one."""
    act, number = ACTS[n % len(ACTS)]
    number = FULL_LOG if act == "log" and full else number
    case = Case(CAMPAIGN, seed, n, f"{act} of {number}")
    if act == "log" and shutil.disk_usage(folder).free < 2 * number * 2**20:
        case.facts["outcome"] = "no room for the log"
        return case
    name = f"n{seed}x{n}"
    keys = {"duration": f"{SECONDS} s", "parallel": 2, "sample_interval": f"{INTERVAL} s",
            "heartbeat_deadline": "60 s"}  # fmt: skip
    bad = runs.trial_table("bad", options={"what": act, "number": number, "after": 100})
    run = runs.Run(folder, name, runs.run_table(name, **keys) + runs.trial_table("good") + bad)
    try:
        _follow(case, run)
    finally:
        run.clean()
    return case


def _follow(case: Case, run: runs.Run) -> None:
    peak = 0
    waited = 0.0
    while waited < PATIENCE and (code := run.wait(0.25)) is None:
        waited += 0.25
        peak = max(peak, _resident(run.process.pid))
    code = run.process.returncode
    case.facts = {"code": code, "supervisor_peak_mib": round(peak / 1024)}
    if peak / 1024 > MOST_MEMORY:
        case.fault("memory", f"the supervisor took {peak / 1024:.0f} MiB")
    if code is None:
        case.fault("hang", f"not over after {PATIENCE:.0f} s")
        return
    case.faults += rules.spoken(rules.Said(code, run.said()))
    faults, settle = run.left()
    case.faults += faults
    record = run.record
    if record is None:
        case.fault("no record", run.said()[-300:])
        return
    look = runs.Look.whole(record, run.folder / "copy")
    case.faults += [*look.faults, *rules.code_of_verdict(code, look.meta.get("verdict"))]
    index = next(index for index, body in look.trials.items() if body["name"] == GOOD)
    times = look.times.get(index, [])
    case.faults += rules.no_gap(times, INTERVAL, ALLOWED * INTERVAL)
    widest = max((b - a for a, b in pairwise(times)), default=0.0)
    outcome = f"{case.what}: widest gap {widest:.2f} s, supervisor {peak / 1024:.0f} MiB at most"
    case.facts |= {"widest_gap": round(widest, 3), "samples": len(times), "outcome": outcome}
    case.facts["settle"] = round(settle, 2)
    trial = next((one for one in run.body().get("trials", ()) if one["name"] == GOOD), {})
    if trial.get("end_reason") != "finished":
        case.fault("neighbour ended", f"{trial.get('end_reason')}: {trial.get('end_message')}")


def _resident(pid: int) -> int:
    """KiB."""
    try:
        status = (leftovers.PROC / str(pid) / "status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])
    except (OSError, ValueError, IndexError):
        return 0
