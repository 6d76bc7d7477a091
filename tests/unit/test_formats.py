"""Files as people have them: each kind in several writings, told by content, is read and judged right."""

from __future__ import annotations

from pathlib import Path

import pytest

from soak.traces import judging, tables
from soak.traces.judging import Question
from tests.formats import KINDS, LEAK, MIB, Write, held

EVERY = [(kind, name) for kind, some in KINDS.items() for name in some]
UNTIMED = {"iteration", "json lines without a time", "instructions", "bytes", "minutes"}
"""Whose rates are not by these hours."""


def bodies(path: Path, write: Write, leaks: bool) -> list[dict]:
    path.write_bytes(write(*held(leaks)))
    return judging.judge_traces(tables.read_all(path), Question())


@pytest.mark.parametrize(("kind", "name"), EVERY)
@pytest.mark.parametrize("leaks", [True, False], ids=["leak", "clean"])
def test_every_writing_of_every_kind_is_judged_right(tmp_path: Path, kind: str, name: str, leaks: bool) -> None:
    found = bodies(tmp_path / "of-no-name", KINDS[kind][name], leaks)
    verdicts = [body["verdict"] for body in found]
    if not leaks:
        assert set(verdicts) == {"pass"}, found
        return
    assert verdicts.count("leak") == 1, found
    body = next(body for body in found if body["verdict"] == "leak")
    leaking = [one for one in body["series"] if one["verdict"] == "leak"]
    assert all(one["unit"] == "bytes" for one in leaking)
    if name not in UNTIMED:
        assert body["rate_per_hour"] == pytest.approx(LEAK * MIB, rel=0.08)
