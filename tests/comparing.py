"""Runs of known truth in folders: memory, growth, speed and ends of their trials are planted, to be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from monitors.judgement import Judgement
from monitors.model import Finding, MetricSpec, Sample
from soak.record.store import FILE, Store

MIB = 2.0**20
TOTAL = MetricSpec("total_bytes", "bytes", "All of it", "total", judged=True)
FRAMES = MetricSpec("frames", "count", "Frames", counter=True)
STEPS = MetricSpec("steps", "count", "Steps", counter=True)
LATENCY = MetricSpec("step_latency_seconds", "seconds", "Of a step")
P99 = MetricSpec("step_latency_overall_p99_seconds", "seconds", "Of all steps")
SECONDS = 30


@dataclass(frozen=True)
class PlantedTrial:
    """One trial and what it will be found to have done."""

    framework: str = "torch"
    seed: int = 1
    execution: str = "eager"
    memory: float = 200 * MIB
    frames: float = 1000.0
    """A second."""
    latency: float = 0.01
    p99: float | None = None
    """Of its steps, where its worker tells that."""
    growth: float = 0.0
    """Bytes an hour, to within 1 MiB/h."""
    steps: float = 0.0
    """A second; 0 where it counts none."""
    leaks: float = 0.02
    verdict: str = "pass"
    end: str = "finished"
    version: str = "2.0"
    env: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)
    """What its worker says of its environment besides."""
    keys: Mapping[str, Any] = field(default_factory=dict)
    """Facts of the trial that are replaced."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    besides: Callable[[int], Sequence[Sample]] = lambda t: ()
    """Further samples of a second."""
    findings: Sequence[Finding] = ()
    """Further findings of its judgement."""
    judged: Mapping[str, Any] = field(default_factory=dict)
    """Of its judgement, replaced."""

    @property
    def name(self) -> str:
        return f"recurrent-{self.framework}-{self.execution}-{self.seed}"

    def body(self, index: int) -> dict[str, Any]:
        """As the record holds it. Its block is named by its seed and its settings."""
        settings = {"workload": "recurrent", "framework": self.framework, "execution": self.execution,
                    "seed": self.seed, "mode": "infer", "threads": 1, "duration": 30.0,
                    "env": dict(self.env), "gpu": None, **self.settings}  # fmt: skip
        unequal = "".join(f"{name}{value}" for name, value in sorted(self.settings.items()))
        return {
            "index": index, "name": self.name, "workload": "recurrent", "framework": self.framework, "mode": "infer",
            "execution": self.execution, "seed": self.seed, "block": f"block{self.seed}{unequal}",
            "arm": self.framework, "state": "ended", "started": 1.7e9 + 60 * index, "seconds": float(SECONDS),
            "end_reason": self.end, "settings": settings,
            "environment": {self.framework: self.version, "python": "3.11.7", f"{self.framework}_threads": "1",
                            **self.told},
            **self.keys,
        }  # fmt: skip

    def judgement(self) -> Judgement:
        finding = Finding(
            "trend", "total_bytes", "total", "bytes", "leak" if self.verdict == "leak" else "pass", self.leaks, True,
            self.growth, (self.growth - MIB, self.growth + MIB), self.growth / 3.6e6, None, "flat", "planted",
            SECONDS, 0, hours_to_exhaustion=10.0 if self.verdict == "leak" else None,
        )  # fmt: skip
        made = Judgement(self.verdict, "planted", self.leaks, True, findings=(finding, *self.findings))  # type: ignore[arg-type]
        return replace(made, **self.judged)


def both(pairs: int, torch: PlantedTrial | None = None, tensorflow: PlantedTrial | None = None) -> list[PlantedTrial]:
    """Pairs of trials, each a block of its own; memory and speed differ a little from block to block, alike in both."""
    sides = (torch or PlantedTrial(), tensorflow or PlantedTrial(framework="tensorflow", version="2.16"))
    return [varied(replace(side, seed=1 + n), n, place) for n in range(pairs) for place, side in enumerate(sides)]


def varied(trial: PlantedTrial, n: int, place: int) -> PlantedTrial:
    """The n-th of its kind: a hundredth more or less than planted, and a thousandth by its side."""
    share = 1 + 0.01 * ((n * 7) % 5 - 2) + 0.001 * ((n * 3 + place) % 4 - 1.5)
    return replace(trial, memory=trial.memory * share, frames=trial.frames * share, latency=trial.latency * share)


def planted(parent: Path, run_id: str, trials: Sequence[PlantedTrial], **facts: Any) -> Path:
    """A run folder. facts: of the run, which replace the usual ones."""
    folder = parent / run_id
    folder.mkdir(parents=True)
    told = {
        "run_id": run_id, "name": "planted", "soak_version": "0.1", "command": "soak run", "config_path": "c.toml",
        "config_text": "[run]", "seed": 1, "started": 1.7e9, "verdict": "pass", "reason": "planted",
        "ended": 1.7e9 + 99, "environment": {"cpu": "a processor", "host": "one"},
        "judge": {"min_rate": 0.0, "alarm": None}, **facts,
    }  # fmt: skip
    with Store.create(folder / FILE) as store:
        for key, value in told.items():
            store.put_meta(key, value)
        for index, trial in enumerate(trials):
            _write(store, index, trial)
    return folder


def _write(store: Store, index: int, trial: PlantedTrial) -> None:
    store.put_trial(index, trial.name, trial.body(index))
    if trial.body(index)["state"] == "ended":
        store.put_judgement(index, trial.judgement())
    for t in range(SECONDS + 1):
        wave = 0.001 * (t % 3 - 1)
        store.add_round(index, float(t), [
            Sample(TOTAL, trial.memory * (1 + wave)), Sample(FRAMES, trial.frames * t), Sample(LATENCY, trial.latency),
            *([Sample(STEPS, trial.steps * t)] if trial.steps else []),
            *trial.besides(t),
            *([] if trial.p99 is None else [Sample(P99, trial.p99)]),
        ])  # fmt: skip
