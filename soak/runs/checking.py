"""`soak.check`: does a function leak? For tests: it is soaked in a fresh process, and the answer is true or false."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitors.units import format_duration, format_interval, format_probability, format_rate
from soak.errors import SoakError
from soak.runs import starting
from soak.runs.reference import reference_of

_SAMPLES = 200
"""Rounds of samples that a check is long, at least: a short one is sampled more often."""
_OFTEN, _SELDOM = 0.05, 1.0
"""Seconds between two rounds, at least and at most."""


_LAST_LINES = 20
"""Of its output, that are shown."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a check. It is true if the verdict is `pass`. Unknown values are None."""

    verdict: str
    """pass, leak, unstable, inconclusive, invalid or error."""
    reason: str
    leak_probability: float | None
    layer: str | None
    """Of memory, that grows; see docs/detection.md."""
    unit: str
    """Of the rates."""
    rate_per_hour: float | None
    rate_per_hour_ci95: tuple[float, float] | None
    rate_per_step: float | None
    minimum_detectable_rate_per_hour: float | None
    """A slower leak may be missed; a longer check detects slower ones."""
    seconds: float | None
    steps: float | None
    """Calls of the function, or items of the generator."""
    folder: Path | None
    """The run folder, if it was kept."""
    traceback: str = field(repr=False)
    """Of the exception that ended it; empty where there was none."""
    output: str = field(repr=False)
    """The end of what it printed, where it did not end well; empty where that is nothing."""
    report: Mapping[str, Any] = field(repr=False)
    """All of it: see `reports/schema`."""

    def __bool__(self) -> bool:
        return self.verdict == "pass"

    def __str__(self) -> str:
        """The whole answer, for a person."""
        lines = [f"{self.verdict}: {self.reason}"]
        if self.rate_per_hour is not None and self.verdict == "leak":
            lines.append(f"  rate              {self._rate()}")
        if self.leak_probability is not None:
            lines.append(f"  probability       {format_probability(self.leak_probability)} that it leaks")
        if self.layer:
            lines.append(f"  layer             {self.layer}")
        if (least := self.minimum_detectable_rate_per_hour) is not None:
            lines.append(f"  detectable above  {format_rate(least, self.unit)}")
        if self.seconds is not None:
            lines.append(f"  soaked for        {format_duration(self.seconds)}, {self.steps or 0:,.0f} steps")
        if self.folder is not None:
            lines.append(f"  report            {self.folder / 'report.html'}")
        if self.traceback:
            lines.append(self.traceback.strip())
        elif self.output:  # of what died without an exception, all there is
            lines += ["  its output ended with:", *self.output.splitlines()[-_LAST_LINES:]]
        return "\n".join(lines)

    def _rate(self) -> str:
        parts = [format_rate(self.rate_per_hour or 0.0, self.unit)]
        if self.rate_per_hour_ci95:
            parts.append(f"95 % interval {format_interval(*self.rate_per_hour_ci95, self.unit)}")
        if self.rate_per_step is not None:
            amount = f"{self.rate_per_step:,.0f} bytes" if self.unit == "bytes" else f"{self.rate_per_step:,.3g}"
            parts.append(f"{amount} per step")
        return ", ".join(parts)


def check(
    function: Any, seconds: float = 60.0, *, options: Mapping[str, Any] | None = None,
    source: str | Mapping[str, Any] = "none", min_rate: str | None = None, memory_limit: str | None = None,
    device: str = "cpu", name: str | None = None, out: str | os.PathLike[str] | None = None,
    progress: bool | None = False, trial: Mapping[str, Any] | None = None, **run: object,
) -> Checked:  # fmt: skip
    """Soak a callable in a fresh process: call it repeatedly and measure its memory.

    Args:
        function: a function, generator function, or class with `step()`, at the top level of a module; or its name,
            "package.module:thing" or "path/file.py:thing". With a parameter, it gets the items of the source.
        seconds: how long; a longer check detects slower leaks.
        options: keyword arguments for it.
        source: its input: the name of a source, or a `[stream]` table; "none" is a clock.
        min_rate: slower growth is not a leak: "1 MiB/h".
        memory_limit: "2 GiB".
        device: cpu, auto, cuda:N or a UUID.
        name: name of the run; by default that of the function.
        out: folder in which the run folder with the report is kept; without it, nothing is kept.
        progress: as in `soak.run`.
        trial: further keys of the config's `[[trial]]` table.
        run: further keys of its `[run]` table.

    Raises:
        UsageError: another process cannot import it, or an option is wrong.
        SoakError: the check could not start, or left no report.
    """
    found = reference_of(function)
    interval = min(_SELDOM, max(_OFTEN, seconds / _SAMPLES))
    table = {
        "workload": found.name, "framework": "none", "name": found.title, "memory_limit": memory_limit,
        "options": options, "env": {"PYTHONPATH": os.pathsep.join(found.path)} if found.path else None, **(trial or {}),
    }  # fmt: skip
    config = {
        "run": {"name": name or found.title, "duration": f"{seconds:.9g} s", "sample_interval": f"{interval:.9g} s",
                "device": device, **run},
        "stream": {"source": source} if isinstance(source, str) else source,
        "judge": {"min_rate": min_rate},
        "trial": [table],
    }  # fmt: skip
    if out is not None:
        return _soaked(config, Path(out), progress, keep=True)
    with tempfile.TemporaryDirectory(prefix="soak-check-") as folder:
        return _soaked(config, Path(folder), progress, keep=False)


def _soaked(config: Mapping[str, Any], out: Path, progress: bool | None, keep: bool) -> Checked:
    run = starting.run(config, out=out, progress=progress)
    run.wait()
    report = run.report
    if report is None:
        raise SoakError(f"soak.check: {run.reason}; it left no report")
    return checked(report, run.folder if keep else None)


def checked(report: Mapping[str, Any], folder: Path | None) -> Checked:
    """The answer that a report of a single trial gives."""
    trial = report["trials"][0]
    rate, least = trial["rate"] or {}, trial["minimum_detectable_rate"] or {}
    low, high = rate.get("per_hour_low"), rate.get("per_hour_high")
    return Checked(
        verdict=trial["verdict"] or report["run"]["verdict"] or "error",
        reason=trial["reason"] or report["run"]["reason"],
        leak_probability=trial["leak_probability"],
        layer=trial["layer"],
        unit=rate.get("unit") or least.get("unit") or "bytes",
        rate_per_hour=rate.get("per_hour"),
        rate_per_hour_ci95=None if low is None or high is None else (low, high),
        rate_per_step=rate.get("per_step"),
        minimum_detectable_rate_per_hour=least.get("per_hour"),
        seconds=trial["seconds"],
        steps=trial["doses"].get("steps"),
        folder=folder,
        traceback=_told(report["events"], "traceback", "traceback"),
        output=_told(report["events"], "last_words", "log"),
        report=report,
    )


def _told(events: Sequence[Mapping[str, Any]], kind: str, key: str) -> str:
    """The text that the first event of a kind holds; empty where there is none."""
    told = (event["data"].get(key) for event in events if event["kind"] == kind and event.get("data"))
    return next((text for text in told if isinstance(text, str)), "")
