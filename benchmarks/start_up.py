"""What is said of the start-up of clean trials, cut off ever later: `python -m benchmarks.start_up RUN…`.

RUN is a folder of `soak run` whose trials do not leak, sampled several times a second. Each trial is judged as if it
had ended so many seconds after the first step that was sampled: as soak knows it, and as somebody would have recorded
it who knows no steps and sees the start-up too; with and without the seconds that a trial has to last for.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from monitors.detection.judge import JudgeSettings, judge
from monitors.detection.series import Series
from soak.record.reader import open_record

AFTER = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 40)
BARE = JudgeSettings(min_seconds=0.0, min_seconds_without_steps=0.0)


def cut(series: Sequence[Series], end: float) -> list[Series]:
    """What was sampled up to `end`."""
    parts = (one.part(slice(0, int(one.t.searchsorted(end)))) for one in series)
    return [one for one in parts if len(one.t)]


def stepless(series: Sequence[Series]) -> list[Series]:
    """As recorded from outside."""
    return [replace(one, steps=None, doses={}) for one in series if one.metric.name == "anonymous_bytes"]


def main() -> None:
    """Print how many trials of the runs are called leaks at each cut."""
    trials = []
    for folder in sys.argv[1:]:
        record = open_record(Path(folder))
        trials += [[s for s in record.series(t.index) if s.metric.judged and len(s.t)] for t in record.trials()]
    print(f"{len(trials)} trials\n\n| seconds after the first step | soak | without the floor | no steps known "
          "| without the floor |\n| ---: | ---: | ---: | ---: | ---: |")  # fmt: skip
    for after in AFTER:
        leaks = [0, 0, 0, 0]
        for series in trials:
            begin = min(float(one.worked().t[0]) for one in series if len(one.worked().t))
            seen = cut(series, begin + after)
            outside = stepless(seen)
            judged = ((seen, JudgeSettings()), (seen, BARE), (outside, JudgeSettings()), (outside, BARE))
            for i, (given, settings) in enumerate(judged):
                leaks[i] += judge(given, settings).verdict == "leak"
        print(f"| {after} | {' | '.join(map(str, leaks))} |")


if __name__ == "__main__":
    main()
