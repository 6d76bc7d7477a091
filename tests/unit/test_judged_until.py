"""A program lets go of its memory before it is gone: what it looks like then says nothing of the time before."""

from __future__ import annotations

from pathlib import Path

import pytest

from soak.record.formats import MemberInfo
from soak.record.store import FILE, Store
from tests.unit.test_members_judged import ANONYMOUS, LEAK, ROUNDS, judged, noisy, record


@pytest.mark.parametrize("falls_to", [0.0, 1e8])
def test_a_leak_is_no_less_one_for_what_is_let_go_of_at_the_end(tmp_path: Path, falls_to: float) -> None:
    values = noisy(1, LEAK)
    values[-2:] = falls_to
    folder = record(tmp_path, {(ANONYMOUS, "", "", ""): values}, MemberInfo(0, "", protocol="none"))
    with Store.reopen(folder / FILE) as store:
        (body,) = store.trials()
        store.put_trial(0, "t", {**body, "judged_until": ROUNDS - 2.5})
    found = judged(folder)
    assert found.verdict == "leak", found.reason
    assert found.findings[0].rate_per_hour == pytest.approx(LEAK * 3600, rel=0.1)
    assert found.leak_probability is not None
