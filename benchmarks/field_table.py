"""What was true of each real workload and what soak said of it, side by side, with the totals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.field_cases import Case
from benchmarks.field_truth import fitted

COUNTS = ("fds", "threads", "children")
NEAR = 0.1
"""Largest error of a rate that is right, as a part of the truth."""
HEAD = (
    "| case | truth | verdict | P(leak) | rate | error | layer | cause |\n"
    "| --- | ---: | --- | ---: | ---: | ---: | --- | --- |"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One case, weighed."""

    case: Case
    truth: tuple[float, float]
    """Of a step: between what."""
    said: Mapping[str, Any]

    @property
    def error(self) -> float | None:
        """Of the rate, as a part of the truth; None where there is none.

        It is compared by steps: on a machine that is busy the pace of a trial changes, and its rate is that of its end.
        """
        rate = (self.said.get("rate") or {}).get("per_step")
        leaks = self.case.truth != "bounded" and self.said["verdict"] == "leak"
        if not leaks or rate is None or self.truth[0] <= 0:
            return None
        return rate / min(max(rate, self.truth[0]), self.truth[1]) - 1.0

    @property
    def truth_per_hour(self) -> float:
        """In the middle, at the mean pace of the soak."""
        return 3600.0 * (self.said["steps_per_second"] or 0.0) * sum(self.truth) / 2

    @property
    def found(self) -> bool:
        """Whether it was called a leak."""
        return bool(self.said["verdict"] == "leak")

    @property
    def layer_right(self) -> bool:
        """Whether a layer was named that is one of it."""
        return self.found and bool(re.fullmatch(self.case.layer, self.said["layer"] or ""))

    @property
    def cause_right(self) -> bool:
        """Whether the words that say who holds it name one that does."""
        return self.found and bool(re.search(self.case.cause, self.said.get("cause") or "", re.IGNORECASE))


def table(chosen: Iterable[Case], truths: Mapping[str, Any], soaks: Mapping[str, Any]) -> str:
    """Every case that was soaked, and the totals."""
    rows = [row for one in chosen if (row := weighed(one, truths.get(one.name), soaks.get(one.name)))]
    return "\n".join((HEAD, *map(line, rows), "", *totals(rows)))


def weighed(case: Case, truth: Mapping[str, Any] | None, said: Mapping[str, Any] | None) -> Row | None:
    """Nothing where it was not soaked, or leaks at a rate that is not known."""
    if not said or "error" in said:
        return None
    if case.truth == "bounded":
        return Row(case, (0.0, 0.0), said)
    if not truth or not truth.get("readings"):
        return None
    low, high = fitted(truth["readings"])["bounds"][measure_of(case, said)]
    return Row(case, (low, high), said)


def measure_of(case: Case, said: Mapping[str, Any]) -> str:
    """What of the truth a rate is held against: where a count was named for bytes, or the other way, what was named."""
    rate = said.get("rate") or {}
    counted = next((name for name in COUNTS if name in rate.get("series", "")), None)
    if said["verdict"] != "leak" or not rate:
        return case.measure
    return counted or ("total_bytes" if rate["unit"] == "bytes" else case.measure)


def line(row: Row) -> str:
    """Of the table."""
    said, case = row.said, row.case
    right = case.truth == "either" or row.found == (case.truth == "leak")
    rate = said.get("rate") or {}
    told = amount(rate["per_hour"], rate["unit"]) if rate and row.found else ""
    cause = (said.get("cause") or "")[:60].replace("|", "/") if row.found else ""
    unit = "count" if measure_of(case, said) in COUNTS else "bytes"
    return " | ".join(
        (
            f"| {case.name}", "bounded" if case.truth == "bounded" else amount(row.truth_per_hour, unit),
            f"{said['verdict']}{'' if right else ' ✗'}",
            "" if said["leak_probability"] is None else f"{said['leak_probability']:.2f}",
            told, "" if row.error is None else f"{100 * row.error:+.0f} %{'' if abs(row.error) <= NEAR else ' ✗'}",
            f"{said['layer'] or ''}{' ✗' if row.found and case.truth == 'leak' and not row.layer_right else ''}",
            f"{cause}{' ✗' if row.found and case.truth == 'leak' and case.cause and not row.cause_right else ''} |",
        )
    )  # fmt: skip


def amount(rate: float, unit: str) -> str:
    """Per hour."""
    return f"{rate / 2**20:,.1f} MiB" if unit == "bytes" else f"{rate:,.0f}"


def totals(rows: list[Row]) -> Iterable[str]:
    """What a reader wants to know first."""
    leaks = [row for row in rows if row.case.truth == "leak"]
    bounded = [row for row in rows if row.case.truth == "bounded"]
    found = [row for row in leaks if row.found]
    rated = [row for row in found if row.error is not None]
    caused = [row for row in found if row.case.cause]
    passed = part([row.said["verdict"] == "pass" for row in bounded])
    yield f"false alarms: {part([row.found for row in bounded])}; passed: {passed}"
    yield f"leaks found: {part([row.found for row in leaks])}"
    yield f"layer right, of those found: {part([row.layer_right for row in found])}"
    yield f"rate within {NEAR:.0%}: {part([abs(row.error or 0.0) <= NEAR for row in rated])}"
    yield f"cause right: {part([row.cause_right for row in caused])}"


def part(each: list[bool]) -> str:
    """So many of so many."""
    return f"{sum(each)} of {len(each)}"
