"""The report of 72 h at 1 Hz, 8 trials of 60 series: its size, the seconds to write it, how a browser shows it.

    python benchmarks/report.py [--hours 72] [--series 60] [--trials 8] [--out FILE]

Only the reports are timed: series are synthetic and in memory, findings are given. `benchmarks/record.py` times the
whole command, with the store and the judgement. The browser is Chromium without a screen, where there is one.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from monitors import catalog
from monitors.detection.series import Series
from monitors.judgement import Judgement
from monitors.model import Event, Finding, Loss
from reports import catalog as formats
from reports import document
from reports.once import ReadOnce
from reports.record import RunInfo, TrialInfo

WALL = 1_700_000_000.0
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FRAMES = """() => new Promise(done => {
  const times = []; let last = performance.now();
  const next = now => {
    times.push(now - last); last = now;
    times.length < 240 ? requestAnimationFrame(next) : done(times);
  };
  requestAnimationFrame(next);
})"""
"""Milliseconds between frames, 240 times: four seconds."""


class Synthetic:
    """Long trials, all alike, in blocks of two. Satisfies `reports.record.RunRecord`."""

    def __init__(self, hours: float, width: int, trials: int) -> None:
        self._seconds, self._trials = hours * 3600, trials
        t = np.arange(self._seconds)
        chance = np.random.default_rng(1)
        # One sampled amount of each layer, as each is a chart then, of as many members as it takes.
        judged = [spec for spec in catalog.all_specs().values() if spec.judged and not spec.name.startswith("floor_")]
        specs = list({spec.layer: spec for spec in judged}.values())
        placed = itertools.islice(
            ((spec, f"rank {k}" if k else "") for k in itertools.count() for spec in specs), width
        )
        self._series = [
            Series(spec, "", t, np.round(5e8 + chance.normal(0, 1e6, len(t))), steps=t, member=member)
            for spec, member in placed
        ]

    def run(self) -> RunInfo:
        """A run that passed."""
        return RunInfo("synthetic", "synthetic", "0", "", "", "", 0, WALL, WALL + self._seconds, "pass", "synthetic")

    def trials(self) -> Sequence[TrialInfo]:
        """PyTorch and TensorFlow by turns."""
        return [
            TrialInfo(
                k, f"synthetic-{k}", "recurrent", ("torch", "tensorflow")[k % 2], "infer", "eager", k // 2,
                f"b{k // 2}", "eager", "ended", started=WALL, seconds=self._seconds, end_reason="finished",
                judgement=self._judgement(),
            )
            for k in range(self._trials)
        ]  # fmt: skip

    def events(self) -> Sequence[Event]:
        """One an hour."""
        hours = np.arange(0.0, self._seconds, 3600.0).tolist()
        return [Event(t, "gap", "synthetic", k, WALL + t) for k in range(self._trials) for t in hours]

    def _judgement(self) -> Judgement:
        """With a finding of each series, so that every chart has a fit and a shaded part."""
        findings = [
            Finding(
                "trend", one.name, one.metric.layer, one.metric.unit, "pass", 0.01, False, 10.0, (-20.0, 40.0), 0.003,
                90.0, "flat", "flat", len(one.t), 0, judged_from=self._seconds / 5, member=one.member,
            )
            for one in self._series
        ]  # fmt: skip
        return Judgement("pass", "synthetic", 0.01, findings=tuple(findings))

    def series(self, trial: int) -> Sequence[Series]:
        """All of them."""
        return self._series

    def loss(self, trial: int) -> Loss:
        """None of them."""
        return Loss()

    def damage(self) -> Sequence[str]:
        """None."""
        return ()


def shown(path: Path) -> list[tuple[str, str]]:
    """What Chromium says of the page: when it first painted, and how long frames took while charts were zoomed."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(path.as_uri(), wait_until="load")
        page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        loaded = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        for folded in page.locator("details").all():
            folded.evaluate("folded => folded.open = true")
        page.locator(".chart").first.scroll_into_view_if_needed()
        over = page.locator(".chart.live .u-over").first
        over.wait_for()
        box = over.bounding_box()
        assert box is not None
        page.evaluate(f"() => {{ window.framesTold = ({FRAMES})(); }}")
        for k in range(6):
            page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 60)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 60, steps=10)
            page.mouse.up()
            if k % 3 == 2:
                page.mouse.dblclick(box["x"] + 50, box["y"] + 60)
        frames = page.evaluate("window.framesTold")
        browser.close()
    return [
        ("first paint", f"{paint / 1000:.2f} s"),
        ("page loaded", f"{loaded / 1000:.2f} s"),
        ("longest frame while zooming", f"{max(frames):.0f} ms"),
        ("median frame while zooming", f"{np.median(frames):.0f} ms"),
    ]


def main() -> None:
    """Time the parts, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=72.0)
    parser.add_argument("--series", type=int, default=60)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "soak-benchmark-report.html")
    options = parser.parse_args()
    record = Synthetic(options.hours, options.series, options.trials)
    began = time.perf_counter()
    once = ReadOnce(record)
    body = document.build(once)
    built = time.perf_counter()
    page = formats.load("html").render(body, once)
    options.out.write_text(page, encoding="utf-8")
    written = time.perf_counter()
    rows = [
        ("body", f"{built - began:.2f} s"),
        ("page", f"{written - built:.2f} s"),
        ("both", f"{written - began:.2f} s"),
        ("size of the page", f"{len(page.encode()) / 1e6:.2f} MB"),
        *(shown(options.out) if CHROMIUM else []),
    ]
    drawn = page.count('class="chart ')
    print(
        f"| report of {options.hours:g} h at 1 Hz, {options.trials} trials of {options.series} series, "
        f"{drawn} charts | |"
    )
    print("| --- | --- |\n" + "\n".join(f"| {name} | {said} |" for name, said in rows))


if __name__ == "__main__":
    main()
