"""Campaign: real runs, whose processes are killed, stopped and asked to end at random moments."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.torture import leftovers, rules, runs
from tests.torture.leftovers import send
from tests.torture.results import Case

CAMPAIGN = "kills"
PATIENCE = 150.0
"""Seconds for a run, whatever was done to it: its trials take 3 or 14."""
KILL, STOP, PAUSE, TERM, INT, TWICE = "KILL", "STOP", "STOP CONT", "TERM", "INT", "INT INT"
NASTY = ("children", "groups", "daemon", "leaking_daemon", "deaf", "threads", "raise", "junk", "close_pipe", "exec",
         "leave", "segv", "flood", "stop_itself", "fork_bomb")  # fmt: skip
_HARMLESS = ("children", "groups", "daemon", "deaf", "threads", "junk", "fork_bomb")
"""Acts that are no leak."""


@dataclass(frozen=True)
class Strike:
    """What is done to which process, and how long after the strike before."""

    role: str
    manner: str
    wait: float
    jitter: float
    """Seconds more, once there is such a process."""


@dataclass(frozen=True)
class Plan:
    """One round, as drawn."""

    config: str
    interval: float
    truths: Mapping[str, str]
    strikes: tuple[Strike, ...]
    close: bool
    """Whether the record of a killed supervisor is also closed, as the service does."""


@dataclass
class Seen:
    """What the harness saw while it struck."""

    struck: list[str] = field(default_factory=list)
    killed_at: float | None = None
    """Wall-clock time at which the supervisor was killed."""
    paused: bool = False
    """Whether the supervisor was stopped for a while."""
    rounds: Mapping[int, int] = field(default_factory=dict)
    """Of samples, that could be read just before the supervisor was killed."""
    late: Mapping[str, float] = field(default_factory=dict)
    """Age of the last sample at that moment."""
    lag: float = 0.0
    """Seconds that the harness itself was late at most: how busy the machine is."""
    cgroups: bool = False
    """Whether trials had cgroups."""


def draw(seed: int, n: int, name: str) -> Plan:
    """The plan of a round: always the same for one seed and number."""
    rnd = random.Random(f"{CAMPAIGN}:{seed}:{n}")
    interval = rnd.choice((0.1, 0.2, 0.25))
    seconds = 14 if rnd.random() < 0.12 else 3
    parallel = rnd.choice((2, 4, 4))
    acts = rnd.sample(NASTY, 2)
    tables = [
        runs.trial_table("leak", options={"mib_per_second": 2.0}),
        runs.trial_table("flat"),
        *(runs.trial_table(act, options={"what": act}) for act in acts),
    ]
    keys = {"duration": f"{seconds} s", "parallel": parallel, "sample_interval": f"{interval} s"}
    config = runs.run_table(name, **keys) + "".join(tables)
    flat = ("flat", *(act for act in acts if act in _HARMLESS))
    truths = {runs.called("leak"): "leak", **{runs.called(act): "pass" for act in flat}}
    span = 1.5 + (seconds + 1.5) * len(tables) / parallel + 2.0
    return Plan(config, interval, truths, _strikes(rnd, span), rnd.random() < 0.3)


def _strikes(rnd: random.Random, span: float) -> tuple[Strike, ...]:
    """One to three lesser ones, or none; then, for half of the rounds, the supervisor."""
    last = rnd.random() < 0.6
    roles = [_role(rnd) for _ in range(rnd.choice((0, 1, 1, 2)) if last else rnd.choice((1, 2, 2, 3)))]
    roles.sort(key=("guardian", "gpu", "worker", "judge", "report").index)
    if last:
        roles.append("supervisor")
    return tuple(_strike(rnd, role, span / len(roles)) for role in roles)


def _role(rnd: random.Random) -> str:
    return rnd.choice(("worker",) * 4 + ("guardian",) * 2 + ("judge",) * 2 + ("report", "gpu"))


_MANNERS = {
    "supervisor": (KILL,) * 12 + (TERM, TERM, INT, INT, TWICE, PAUSE),
    "worker": (KILL,) * 14 + (STOP,),
    "guardian": (KILL,) * 7 + (STOP,),
    "judge": (KILL,) * 9 + (STOP,),
    "report": (KILL,) * 9 + (STOP,),
    "gpu": (KILL,) * 7 + (STOP,),
}


def _strike(rnd: random.Random, role: str, span: float) -> Strike:
    wait = 0.0 if role in ("judge", "report") else rnd.uniform(0.0, 0.8 * span)
    jitter = rnd.uniform(0.0, 0.5) if role in ("judge", "report") else 0.0
    return Strike(role, rnd.choice(_MANNERS[role]), wait, jitter)


def one(seed: int, n: int, folder: Path) -> Case:
    """One round: a run, the strikes, and the look at what is left."""
    name = f"k{seed}x{n}"
    plan = draw(seed, n, name)
    case = Case(CAMPAIGN, seed, n, " + ".join(f"{strike.manner} {strike.role}" for strike in plan.strikes))
    run = runs.Run(folder, name, plan.config)
    try:
        began = time.monotonic()
        seen = strike_all(run, plan)
        code = run.wait(PATIENCE)
        case.tried = len(seen.struck)
        case.facts = {"struck": seen.struck, "code": code, "seconds": round(time.monotonic() - began, 1),
                      "lag": round(seen.lag, 2), "cgroups": seen.cgroups}  # fmt: skip
        if code is None:
            case.fault("hang", f"soak run did not end within {PATIENCE:.0f} s: {run.seen()}")
            return case
        faults, settle = run.left()
        case.faults += faults
        case.facts["settle"] = round(settle, 2)
        _look(case, run, plan, seen, code)
    finally:
        run.clean()
    return case


# ---- striking


def strike_all(run: runs.Run, plan: Plan) -> Seen:
    """One after the other, each when its time has come and its victim is there, for as long as the run lives."""
    seen = Seen()
    for strike in plan.strikes:
        until = time.monotonic() + strike.wait
        victim: list[int] = []
        while run.process.poll() is None and not victim:
            victim = _victims(run, strike.role, seen) if time.monotonic() >= until else []
            _rest(0.015 if strike.jitter else 0.04, seen)
        if not victim:
            return seen
        _rest(strike.jitter, seen)
        _hit(run, strike, random.Random(f"{run.name}{strike}").choice(victim), seen)
    return seen


def _victims(run: runs.Run, role: str, seen: Seen) -> list[int]:
    if role == "supervisor":
        return [run.process.pid]
    found = run.glances.look()
    seen.cgroups = seen.cgroups or (not seen.struck and bool(leftovers.cgroups(run.name)))
    victims = leftovers.pids(found, role)
    return victims or (leftovers.pids(found, "worker") if role == "gpu" else [])


def _rest(seconds: float, seen: Seen) -> None:
    began = time.monotonic()
    time.sleep(seconds)
    seen.lag = max(seen.lag, time.monotonic() - began - seconds)


def _hit(run: runs.Run, strike: Strike, pid: int, seen: Seen) -> None:
    if strike.role == "supervisor" and strike.manner == KILL and (record := run.record) is not None:
        look = runs.Look(record)
        seen.rounds, seen.late = look.rounds, look.ages(time.time())
    at = time.time()
    numbers = {STOP: [signal.SIGSTOP], PAUSE: [signal.SIGSTOP], TWICE: [signal.SIGINT, signal.SIGINT]}.get(
        strike.manner, [getattr(signal, f"SIG{strike.manner.partition(' ')[0]}")]
    )
    reached = False
    for i, number in enumerate(numbers):
        _rest(0.3 if i else 0.0, seen)
        reached = send(pid, number) or reached
    if not reached:
        return
    seen.struck.append(f"{strike.role} {strike.manner}")
    if strike.role == "supervisor" and strike.manner == KILL:
        seen.killed_at = at
    if strike.manner == PAUSE:
        seen.paused = True
        time.sleep(2.0)
        send(pid, signal.SIGCONT)


# ---- looking


def _look(case: Case, run: runs.Run, plan: Plan, seen: Seen, code: int) -> None:
    said = rules.Said(code, run.said())
    case.faults += rules.spoken(said)
    killed = seen.killed_at is not None
    if killed and code != -signal.SIGKILL and run.body().get("run", {}).get("verdict") is None:
        case.fault("exit code", f"{code} of a supervisor that was killed")
    record = run.record
    if record is None:
        case.facts["note"] = "killed before there was a record"
        if not any(one.startswith("supervisor") for one in seen.struck):
            case.fault("no record", said.out[-300:])
        return
    look = runs.Look.whole(record, run.folder / "copy")
    case.faults += look.faults
    if look.half_made:
        case.facts["note"] = "killed while the record was made"
        return
    _look_at_samples(case, plan, seen, look)
    if not killed:
        case.faults += _own_code(code, look.meta.get("verdict"), run)
    case.faults += _look_at_report(case, run, plan, look)
    if killed and plan.close and "verdict" not in look.meta:
        case.faults += _look_at_closing(run)


def _own_code(code: int, verdict: str | None, run: runs.Run) -> list[str]:
    faults = rules.code_of_verdict(code, verdict)
    if verdict is not None and not run.body() and "report" not in run.said():
        faults.append(f"missing report unsaid: {run.said()[-300:]!r}")
    return faults


def _look_at_samples(case: Case, plan: Plan, seen: Seen, look: runs.Look) -> None:
    if seen.killed_at is not None:
        lost = look.ages(seen.killed_at)
        if lost:
            case.facts["lost"] = round(max(lost.values()), 3)
        case.faults += rules.little_lost(lost, plan.interval, seen.late)
        case.faults += rules.all_kept(seen.rounds, look.rounds)
    allowed = rules.MOST_LOST + plan.interval + 3 * seen.lag + (2.5 if seen.paused else 0.0)
    for index, times in look.times.items():
        name = look.trials[index]["name"]
        case.faults += [f"{fault} ({name})" for fault in rules.no_gap(times, plan.interval, allowed)]


def _look_at_report(case: Case, run: runs.Run, plan: Plan, look: runs.Look) -> list[str]:
    said = run.report()
    body = run.body()
    faults = [*rules.spoken(said), *rules.known_code(said)]
    if not body:
        return [*faults, f"no report: {said.code}, {said.err[-300:]}"]
    verdict = body["run"]["verdict"]
    case.facts |= {"verdict": verdict, "recorded": look.meta.get("verdict")}
    trials = {trial["name"]: trial for trial in body["trials"]}
    faults += rules.truth_kept({name: trial["verdict"] for name, trial in trials.items()}, plan.truths)
    faults += [
        f"pass after a kill: {name} {trial['state']} {trial['end_reason']}"
        for name, trial in trials.items()
        if trial["verdict"] == "pass" and (trial["state"], trial["end_reason"]) != ("ended", "finished")
    ]
    if verdict == "pass" and "verdict" not in look.meta:
        faults.append("pass after a kill: the run has no verdict in its record, its report says pass")
    if case.facts["struck"] and verdict == "pass" and any(trial["verdict"] != "pass" for trial in trials.values()):
        faults.append("pass after a kill: not every trial passed")
    return faults


def _look_at_closing(run: runs.Run) -> list[str]:
    folder = run.run_folder
    command = [*runs.soak()[:-1], "soak.engine.closing", str(folder)]
    done = subprocess.run(command, env=runs.environment(run.mark, run.folder), capture_output=True, text=True,
                          timeout=120, check=False)  # fmt: skip
    faults = rules.spoken(rules.Said(done.returncode, done.stdout, done.stderr))
    record = run.record
    verdict = runs.Look(record).meta.get("verdict") if record else None
    if done.returncode or verdict in (None, "pass"):
        faults.append(f"not closed: exit code {done.returncode}, verdict {verdict}, {done.stderr[-300:]}")
    return faults
