"""Campaign: a real `soak serve`, whose processes are struck while it runs. It lives, or comes back."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.torture import leftovers, rules, runs
from tests.torture.results import Case

CAMPAIGN = "service"
PATIENCE = 90.0
"""Seconds for each thing that is waited for."""
KILL, TERM, PAUSE = "KILL", "TERM", "STOP CONT"
STRIKES = (
    *[("service", KILL)] * 5, *[("supervisor", KILL)] * 4, *[("service", TERM)] * 2, ("supervisor", TERM),
    *[("worker", KILL)] * 2, ("guardian", KILL), ("judge", KILL), ("report", KILL), ("closing", KILL),
    ("service", PAUSE), ("both", KILL),
)  # fmt: skip
TRUTHS = {runs.called("leak"): "leak", runs.called("flat"): "pass", runs.called("groups"): "pass"}


@dataclass
class Served:
    """One service and its state."""

    folder: Path
    name: str
    mark: str
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def start(self) -> None:
        """On a port of its own."""
        with socket.socket() as asked:
            asked.bind(("127.0.0.1", 0))
            self.port = asked.getsockname()[1]
        (self.folder / "soak.toml").write_text(
            f'[service]\nlisten = "127.0.0.1:{self.port}"\nstate = "{self.folder}/state"\n'
            '[conditions]\nfree_disk = "1 MiB"\n'
            f'[[schedule]]\nname = "{self.name}"\nconfig = "run.toml"\nback_to_back = true\npause = "1 s"\n'
        )
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                runs.soak("serve", "--config", "soak.toml"), cwd=self.folder, stdout=log, stderr=log,
                env=runs.environment(self.mark, self.folder), stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self.starts += 1

    @property
    def pid(self) -> int:
        """Of the service."""
        return self.process.pid if self.process is not None else 0

    def ended(self) -> int | None:
        """Its exit code."""
        return self.process.poll() if self.process is not None else None

    def healthy(self) -> bool:
        """Whether it answers."""
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/healthy", timeout=5).read()
            return True
        return False

    def records(self) -> list[Path]:
        """Of all runs in its archive."""
        return sorted((self.folder / "state" / "runs").glob(f"*/{runs.RECORD}"))

    def log(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text(errors="replace")


def one(seed: int, n: int, folder: Path) -> Case:
    """One episode: a service is started, struck several times, brought back where it was killed, and ended."""
    rnd = random.Random(f"{CAMPAIGN}:{seed}:{n}")
    name = f"s{seed}x{n}"
    # After a run that broke, the next one back to back waits for a minute: such a strike is the last.
    strikes = sorted((rnd.choice(STRIKES) for _ in range(rnd.choice((2, 3, 4)))), key=("supervisor", KILL).__eq__)
    case = Case(CAMPAIGN, seed, n, ", ".join(f"{manner} {role}" for role, manner in strikes), tried=0)
    served = Served(folder, name, f"{name}-{os.getpid()}-{time.monotonic_ns()}")
    tables = [runs.trial_table("leak", options={"mib_per_second": 2.0}), runs.trial_table("flat"),
              runs.trial_table("groups", options={"what": "groups"})]  # fmt: skip
    keys = {"duration": "4 s", "parallel": 3, "sample_interval": "0.2 s"}
    (folder / "run.toml").write_text(runs.run_table("x", **keys) + "".join(tables))
    case.facts = {"struck": []}
    try:
        _bring_up(case, served)
        for role, manner in strikes:
            if not case.faults:
                _strike(case, served, role, manner, rnd)
        if not case.faults:
            _end(case, served)
    finally:
        leftovers.end_all(served.mark)
        if served.process is not None:
            served.process.wait()
        leftovers.remove_cgroups(name)
    case.facts["starts"] = served.starts
    return case


def _until(holds: Callable[[], object], seconds: float = PATIENCE) -> bool:
    """Whether something came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False


def _bring_up(case: Case, served: Served) -> None:
    """Start it, and wait until every run that was cut off is closed and told."""
    cut_off = served.records()
    for _ in range(3):  # another case may have taken the port meanwhile
        served.start()
        if _until(lambda: served.healthy() or served.ended() is not None) and served.ended() is None:
            break
    else:
        case.fault("does not start", f"{served.ended()}: {served.log()[-400:]}")
        return
    if not _until(lambda: all(map(_told, cut_off))):
        case.fault("not closed", [str(path.parent.name) for path in cut_off if not _told(path)])


def _told(record: Path) -> bool:
    """Whether a run has a verdict and a report, or never had more than a beginning."""
    look = runs.Look(record)
    return look.half_made or ("verdict" in look.meta and (record.parent / "report.html").is_file())


def _strike(case: Case, served: Served, role: str, manner: str, rnd: random.Random) -> None:
    wanted = "supervisor" if role == "both" else role
    brief = role in ("judge", "report", "closing")

    def victims() -> list[int]:
        found = leftovers.processes(served.mark)
        there = role != "service" or leftovers.pids(found, "worker")
        return leftovers.pids(found, wanted) if there else []

    if not _until(victims, 10.0 if role == "closing" else 40.0):
        return
    time.sleep(rnd.uniform(0.0, 0.3) if brief else rnd.uniform(0.0, 5.0))
    pids = victims()
    if not pids:
        return
    struck = [rnd.choice(pids)] + ([served.pid] if role == "both" else [])
    number = {KILL: signal.SIGKILL, TERM: signal.SIGTERM, PAUSE: signal.SIGSTOP}[manner]
    hit = [pid for pid in struck if leftovers.send(pid, number)]
    case.tried += len(hit)
    case.facts["struck"] += [f"{role} {manner}"] * bool(hit)
    if manner == PAUSE:
        time.sleep(rnd.uniform(1.0, 8.0))
        leftovers.send(served.pid, signal.SIGCONT)
    _after(case, served, role, manner)


def _after(case: Case, served: Served, role: str, manner: str) -> None:
    if role in ("service", "both") and manner in (KILL, TERM):
        _gone(case, served, 0 if manner == TERM else -signal.SIGKILL)
        if not case.faults:
            _bring_up(case, served)
        return
    if role == "supervisor" and manner == KILL and not _until(lambda: all(map(_told, served.records()))):
        case.fault("not closed", f"a run that was killed while the service lives: {served.log()[-300:]}")
    if not _until(served.healthy, 30.0):
        case.fault("service died", f"of {manner} {role}: exit code {served.ended()}: {served.log()[-400:]}")


def _gone(case: Case, served: Served, wanted: int) -> None:
    """It ends, and takes everything along."""
    if not _until(lambda: served.ended() is not None):
        case.fault("hang", f"soak serve did not end: {leftovers.processes(served.mark)}")
        return
    if served.ended() != wanted:
        case.fault("exit code", f"{served.ended()} of soak serve, wanted {wanted}: {served.log()[-300:]}")
    settle = leftovers.settled(
        lambda: leftovers.processes(served.mark) or leftovers.cgroups(served.name), 2 * runs.SETTLE
    )
    case.facts["settle"] = round(max(settle, case.facts.get("settle", 0.0)), 2)
    case.faults += rules.nothing_left(leftovers.processes(served.mark), leftovers.cgroups(served.name),
                                      leftovers.shared(served.name))  # fmt: skip


def _end(case: Case, served: Served) -> None:
    """Ask it to end, and look at all that it leaves."""
    leftovers.send(served.pid, signal.SIGTERM)
    _gone(case, served, 0)
    case.faults += rules.spoken(rules.Said(0, served.log()))
    verdicts = []
    for i, record in enumerate(served.records()):
        look = runs.Look.whole(record, served.folder / f"copy{i}")
        case.faults += look.faults
        if look.half_made:
            continue
        verdicts.append(look.meta.get("verdict"))
        if not _told(record):
            case.fault("not closed", f"{record.parent.name}: verdict {look.meta.get('verdict')}")
        case.faults += _truth(look, record)
    case.facts |= {"runs": len(verdicts), "verdicts": sorted(map(str, set(verdicts)))}


def _truth(look: runs.Look, record: Path) -> list[str]:
    from tests.torture.calls import told

    now = told(record.parent)
    faults = rules.truth_kept(now.trials, TRUTHS) if now is not None else []
    ends = {str(body["name"]): body.get("end_reason") for body in look.trials.values()}
    if now is not None:
        faults += [f"pass after a kill: {name} {ends.get(name)}" for name, verdict in now.trials.items()
                   if verdict == "pass" and ends.get(name) != "finished"]  # fmt: skip
    if look.meta.get("verdict") == "pass" and any(end != "finished" for end in ends.values()):
        faults.append(f"pass after a kill: {record.parent.name}: {ends}")
    return faults
