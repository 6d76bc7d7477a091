"""Whatever a config holds, it is either used or refused in one line that names the file and the key."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soak.errors import ConfigError
from soak.plan.config import load
from soak.plan.plan import make_plan

KEYS = {
    "run": (
        "name",
        "seed",
        "duration",
        "repeats",
        "parallel",
        "order",
        "sample_interval",
        "stop_grace",
        "dration",
        "device",
        "golden_interval",
    ),
    "stream": ("source", "fps", "height", "channels", "noise", "clip_length", "clip_frames", "resolutions", "pace"),
    "judge": ("min_rate", "max_rate"),
    "trial": (
        "workload",
        "framework",
        "mode",
        "execution",
        "duration",
        "steps",
        "memory_limit",
        "options",
        "expect",
        "device",
    ),
}
values = st.one_of(
    st.booleans(),
    st.integers(-5, 10**6),
    st.floats(-10, 1e6, allow_nan=False),
    st.sampled_from(
        ("5 s", "2 GiB", "1 MiB/h", "torch", "tensorflow", "train", "graph", "leak", "recurrent", "", "x y")
    ),
    st.lists(st.one_of(st.integers(-2, 40), st.sampled_from(("torch", "eager", "leak"))), max_size=3),
)


def tables(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(KEYS[kind]), values, max_size=5)


def as_toml(run: dict[str, Any], stream: dict[str, Any], judge: dict[str, Any], trials: list[dict[str, Any]]) -> str:
    parts = [("[run]", run), ("[stream]", stream), ("[judge]", judge), *(("[[trial]]", trial) for trial in trials)]
    return "\n".join(
        f"{head}\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items()) for head, table in parts
    )


@settings(max_examples=150, deadline=None)
@given(tables("run"), tables("stream"), tables("judge"), st.lists(tables("trial"), max_size=2))
def test_any_table_is_used_or_refused_by_file_and_key(
    run: dict[str, Any], stream: dict[str, Any], judge: dict[str, Any], trials: list[dict[str, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.toml"
        path.write_text(as_toml(run, stream, judge, trials))
        try:
            plan = make_plan(load(path))
        except ConfigError as error:
            said = str(error)
            assert "any.toml" in said
            assert "\n" not in said
            assert len(said.removeprefix(str(path))) > 15
            return
    assert plan
    assert all(trial.spec.workload for trial in plan)


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_refused_in_one_line(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.toml"
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
        with pytest.raises(ConfigError, match=r"any\.toml"):
            load(path)
