"""What other programs took of the processors while trials ran."""

from __future__ import annotations

import numpy as np
import pytest

from monitors.detection.series import Series
from monitors.model import MetricSpec
from reports.record import TrialInfo
from soak.claims.others import others_of

T = np.arange(0.0, 21.0)


def series(name: str, rate: float, member: str = "") -> Series:
    return Series(MetricSpec(name, "seconds", name, counter=True), "", T, 100.0 + rate * T, member=member)


def trial(index: int, started: float | None, *shares: Series) -> tuple[TrialInfo, list[Series]]:
    return TrialInfo(index, f"t{index}", "recurrent", "torch", "infer", "eager", 1, "", "", "ended",
                     started=started), list(shares)  # fmt: skip


def test_what_a_trial_its_neighbour_and_soak_took_is_not_others() -> None:
    """Of 3.5 processors two members take 1.25, a trial beside it 0.8 in the second half, and soak 0.1."""
    own = [series("cpu_seconds", 1.0, "server"), series("cpu_seconds", 0.25, "client")]
    machine = [series("host_cpu_seconds", 3.5), series("tester_cpu_seconds", 0.1)]
    beside = trial(1, 1010.0, Series(MetricSpec("cpu_seconds", "seconds", "", counter=True), "", T, 0.8 * T))
    found = others_of([trial(0, 1000.0, *own, *machine), beside])
    assert found == {0: pytest.approx(3.5 - 1.25 - 0.1 - 0.4)}


def test_a_neighbour_that_ended_before_takes_nothing() -> None:
    machine = [series("host_cpu_seconds", 0.5), series("cpu_seconds", 0.5)]
    found = others_of([trial(0, 1000.0, *machine), trial(1, 900.0, series("cpu_seconds", 2.0))])
    assert found == {0: 0.0}


def test_a_record_that_does_not_tell_is_not_taken_for_a_quiet_machine() -> None:
    assert others_of([trial(0, 1000.0, series("cpu_seconds", 0.5))]) == {}
    assert others_of([trial(0, None, series("host_cpu_seconds", 0.5))]) == {}
