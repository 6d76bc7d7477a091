"""Undamaged records to begin with, made through the store as a run makes them: small, with a known truth."""

from __future__ import annotations

import shutil
from pathlib import Path

HOUR = 3600
FINISHED, CUT, LOGGED = "finished", "cut off", "with a log"
KINDS = (FINISHED, CUT, LOGGED)
"""A run that ended; one that was killed; one that was killed and whose write-ahead log lies beside its record."""
TRIALS = (("leaks", 40 * 2**20, None), ("flat", 0, None), ("planted", 80 * 2**20, "leak"))
"""Name, growth in bytes an hour, expected verdict."""
_ROUNDS, _INTERVAL = 600, 6.0


def make(folder: Path) -> dict[str, Path]:
    """One folder for each of `KINDS`, below this one."""
    made = {}
    for kind in KINDS:
        made[kind] = folder / kind.replace(" ", "-")
        _write(made[kind], kind)
    return made


def _write(folder: Path, kind: str) -> None:
    import numpy as np

    from monitors.model import Event, MetricSpec, Sample
    from soak.record.store import FILE, Store

    folder.mkdir(parents=True)
    generator = np.random.default_rng(7)
    specs = (
        MetricSpec("anonymous_bytes", "bytes", "Anonymous memory", "anonymous", judged=True),
        MetricSpec("host_heap_bytes", "bytes", "Live heap", "host_heap", judged=True),
        MetricSpec("fds", "count", "Open descriptors", "fds", judged=True),
        MetricSpec("steps", "count", "Steps", counter=True),
    )
    store = Store.create(folder / FILE)
    for key, value in _facts(folder.name).items():
        store.put_meta(key, value)
    for index, (name, growth, expect) in enumerate(TRIALS):
        noise = generator.normal(0, 2.0**16, _ROUNDS)
        running = kind != FINISHED and index == len(TRIALS) - 1
        store.put_trial(index, name, _body(index, name, expect, running))
        for n in range(_ROUNDS):
            t = n * _INTERVAL
            heap = float(round(2.0**28 + growth * t / HOUR + noise[n]))
            values = (heap + 2.0**27, heap, 12.0, 50.0 * t)
            store.add_round(index, t, [Sample(spec, value) for spec, value in zip(specs, values, strict=True)])
        store.add_event(Event(1.0, "ready", "workload ready", index, 1.7e9, {}))
        if not running:
            store.add_event(Event(HOUR, "finished", "ended after 3600 s", index, 1.7e9 + HOUR, {}))
    if kind == LOGGED:
        for path in folder.glob(FILE + "*"):
            shutil.copy(path, path.with_name("kept-" + path.name))
    store.close()
    if kind == LOGGED:
        _as_it_was_left(folder, FILE)
    if kind == FINISHED:
        _judge(folder / FILE)


def _as_it_was_left(folder: Path, file: str) -> None:
    for path in list(folder.glob(file + "*")):
        path.unlink()
    for path in list(folder.glob("kept-*")):
        if not path.name.endswith("-shm"):
            path.rename(path.with_name(path.name.removeprefix("kept-")))
    for path in folder.glob("kept-*"):
        path.unlink()


def _judge(path: Path) -> None:
    from soak.judge.trial import judge_one, judge_trials, settings_of
    from soak.record.reader import Record
    from soak.record.store import Store

    with Store.reopen(path) as store:
        record = Record(store)
        settings = settings_of(record.judge_table())
        for trial in record.trials():
            store.put_judgement(trial.index, judge_one(record, trial, settings))
        verdict = judge_trials(list(Record(store).trials()), interrupted=False)
        for key, value in (("verdict", verdict.verdict), ("reason", verdict.reason), ("ended", 1.7e9 + 3 * HOUR)):
            store.put_meta(key, value)


def _facts(name: str) -> dict[str, object]:
    return {
        "run_id": name, "name": name, "soak_version": "0", "command": "soak run c.toml", "config_path": "c.toml",
        "config_text": "[run]\n", "seed": 1, "started": 1.7e9, "environment": {"memory": "33554432 kB", "cpu": "one"},
        "judge": {"min_rate": 2.0**20, "alarm": 0.05}, "sample_interval": _INTERVAL, "pid": 1,
    }  # fmt: skip


def _body(index: int, name: str, expect: str | None, running: bool) -> dict[str, object]:
    body: dict[str, object] = {
        "index": index, "name": name, "workload": "recurrent", "framework": "torch", "mode": "infer",
        "execution": "eager", "seed": 1, "pair": f"{name}/1", "device": "cpu", "expect": expect, "expect_layers": [],
        "settings": {"threads": 1}, "environment": {"python": "3"}, "started": 1.7e9 + index * HOUR,
    }  # fmt: skip
    if running:
        return {**body, "state": "running"}
    return {**body, "state": "ended", "seconds": float(HOUR), "end_reason": "finished", "end_message": "",
            "last_values": {"steps": 50.0 * HOUR}}  # fmt: skip
