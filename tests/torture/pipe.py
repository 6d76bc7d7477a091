"""Campaign: workers that speak garbage on their pipe, in real runs, under hostile names, beside one that is good."""

from __future__ import annotations

import base64
import json
import random
import sys
from pathlib import Path

from tests.torture import messages, rules, runs
from tests.torture.results import Case

CAMPAIGN = "pipe"
PATIENCE = 120.0
INTERVAL = 0.2
FAKES = 5
GOOD = runs.called("good")
NAMES = (
    "[/job:localhost/replica:0]", "[bold]x", "../../escaped", "../escaped", "..", ".", "a/b", "-rf", "ä ö", "x" * 300,
    "a=b", "%s{0}", "\u202eabc", "a\nb", "a\x1b[31mb", "con", "~", "$(id)", " ", "a" * 120 + "/escaped", "\\escaped",
)  # fmt: skip


def one(seed: int, n: int, folder: Path) -> Case:
    """One run of fakes and one good worker."""
    rnd = random.Random(f"{CAMPAIGN}:{seed}:{n}")
    name = f"p{seed}x{n}"
    case = Case(CAMPAIGN, seed, n, f"{FAKES} fake workers", tried=0)
    hostile = rnd.random() < 0.5
    names = [*rnd.sample(NAMES, FAKES - 1), f"{folder}/escaped"] if hostile else [f"fake{i}" for i in range(FAKES)]
    tables = [runs.trial_table("good")]
    for i, fake in enumerate(names):
        spoken, count = messages.conversation(rnd)
        case.tried += count
        tables.append(_fake(folder, i, fake, spoken, rnd))
    keys = {"duration": "6 s", "parallel": FAKES + 1, "sample_interval": f"{INTERVAL} s", "start_deadline": "15 s"}
    run = runs.Run(folder, name, runs.run_table(name, **keys) + "".join(tables))
    try:
        _look(case, run, run.wait(PATIENCE))
    finally:
        run.clean()
    return case


def _fake(folder: Path, i: int, name: str, spoken: list[tuple[float, bytes]], rnd: random.Random) -> str:
    script, launcher = folder / f"script{i}", folder / f"python{i}"
    script.write_text("".join(json.dumps([wait, base64.b64encode(data).decode()]) + "\n" for wait, data in spoken))
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E {runs.STUBS / "fake_interpreter.py"} "$@"\n')
    launcher.chmod(0o755)
    env = {"TORTURE_SCRIPT": str(script), "TORTURE_CODE": str(rnd.choice((0, 0, 0, 7)))}
    return runs.trial_table(name, python=str(launcher), env=env)


def _look(case: Case, run: runs.Run, code: int | None) -> None:
    if code is None:
        case.fault("hang", f"not over after {PATIENCE:.0f} s: {run.seen()}")
        return
    said = rules.Said(code, run.said())
    case.faults += rules.spoken(said)
    case.facts = {"code": code}
    if escaped := _escaped(run):
        case.fault("escaped", escaped)
    if code == 2:
        # Both go into one file here.
        case.facts["outcome"] = "names refused"
        case.faults += rules.refused_in_one_line(rules.Said(code, "", said.out))
        return
    faults, _ = run.left()
    case.faults += faults
    record = run.record
    if record is None:
        case.fault("no record", said.out[-300:])
        return
    look = runs.Look.whole(record, run.folder / "copy")
    case.faults += [*look.faults, *rules.code_of_verdict(code, look.meta.get("verdict"))]
    case.faults += _good_went_on(run, look)
    case.facts |= {"outcome": "run ended", "verdict": look.meta.get("verdict")}


def _good_went_on(run: runs.Run, look: runs.Look) -> list[str]:
    trials = {str(trial["name"]): trial for trial in run.body().get("trials", ())}
    if GOOD not in trials:
        return [f"no report: {run.said()[-300:]}"]
    faults = [f"false verdict: {name} leaks" for name, trial in trials.items() if trial["verdict"] == "leak"]
    good = trials[GOOD]
    if good["end_reason"] != "finished":
        faults.append(f"neighbour ended: {good['end_reason']}: {good['end_message']}")
    times = look.times.get(int(good["index"]), [])
    return faults + [f"{fault} (good)" for fault in rules.no_gap(times, INTERVAL, rules.MOST_LOST + INTERVAL)]


def _escaped(run: runs.Run) -> list[str]:
    """Files that bear the name of a trial outside of the folder of trials."""
    inside = run.run_folder / "trials" if run.run_folder else run.folder / "nothing"
    return [str(path) for path in run.folder.rglob("*escaped*") if inside not in path.parents]
