"""Equal meaning, equal block, however it is written down; whatever else is changed makes another."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soak.plan import config
from soak.plan.block import _ARM, _OBSERVING, block
from soak.plan.plan import make_plan
from workloads import catalog, frameworks, sources
from workloads.options import filled
from workloads.protocol.order import Escalation, StreamSpec, TrialSpec

WORKLOADS = (*catalog.names(), *catalog.client_names())
TRIAL = {"mode": "infer", "execution": "eager", "threads": 1, "tracemalloc": 0, "duration": "60 s", "env": {}}
"""Keys of a trial, at their defaults."""


def plan(trial: dict[str, Any], stream: dict[str, Any] | None = None) -> Any:
    raw = {
        "run": {"duration": "60 s"},
        "trial": [{"framework": catalog.load(trial["workload"]).FRAMEWORKS[0], **trial}],
    }
    if stream is not None:
        raw["stream"] = stream
    (only,) = make_plan(config.of_tables(Path("c.toml"), raw))
    return only


@cache
def defaults_of(name: str) -> dict[str, Any]:
    return catalog.filled(name, {})


def shuffled(values: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.permutations(list(values.items())).map(dict)


def written(defaults: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the defaults, in some order, whole numbers of a real type without their point."""
    some = st.sets(st.sampled_from(sorted(defaults))) if defaults else st.just(set())
    return some.flatmap(lambda names: shuffled({name: loose(defaults[name]) for name in names}))


def loose(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def other(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    return [*value, value[0] if value else 1]


@settings(max_examples=40)
@given(st.data())
def test_defaults_may_be_written_out_and_keys_stand_in_any_order(data: st.DataObject) -> None:
    workload = data.draw(st.sampled_from(WORKLOADS))
    taken = [name for name in catalog.sources_of(catalog.load(workload)) if name != "file"]
    source = data.draw(st.sampled_from(taken))
    bare = plan({"workload": workload}, {"source": source})
    keys = data.draw(written({name: value for name, value in TRIAL.items() if name != "duration"}))
    keys["options"] = data.draw(written(defaults_of(workload)))
    keys["stream"] = data.draw(written(sources.spec_of(source, {}).options))
    keys["duration"] = data.draw(st.sampled_from(["60 s", "1 min", 60, 60.0]))
    spelled = plan(data.draw(shuffled({"workload": workload, **keys})), {"source": source})
    assert spelled.block == bare.block
    assert spelled.spec == bare.spec


@given(st.data())
def test_every_changed_option_of_a_workload_makes_another_block(data: st.DataObject) -> None:
    workload = data.draw(st.sampled_from([name for name in WORKLOADS if defaults_of(name)]))
    base = data.draw(written(defaults_of(workload)))
    name = data.draw(st.sampled_from(sorted(defaults_of(workload))))
    changed = {**base, name: other(defaults_of(workload)[name])}
    assert plan({"workload": workload, "options": changed}).block != plan({"workload": workload, "options": base}).block


@pytest.mark.parametrize("source", sources.names())
def test_every_changed_option_of_a_source_makes_another_block(source: str) -> None:
    options = filled(sources.load(source).Options, {})
    spec = TrialSpec("w", "f", stream=StreamSpec(source, options))
    specs = [replace(spec, stream=StreamSpec(source, {**options, name: other(options[name])})) for name in options]
    assert len({block(asdict(one), "") for one in (spec, *specs)}) == len(options) + 1


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(TrialSpec)])
def test_every_field_of_a_trial_is_of_its_block_or_of_its_arm_or_only_of_how_it_is_seen(name: str) -> None:
    spec = TrialSpec("w", "f", duration=1.0, stream_time=1.0, steps=1, options={"a": 1}, stream=StreamSpec("s", {}))
    value = getattr(spec, name)
    if name == "stream":
        changed: Any = StreamSpec("t", {})
    elif name == "escalation":
        changed = Escalation(seconds=1.0, pace=1.0, seed=1)
    else:
        changed = {"a": 2} if name == "options" else other(value)
    same = block(asdict(replace(spec, **{name: changed})), "") == block(asdict(spec), "")
    assert same is (name in (*_ARM, *_OBSERVING))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=4), json_values)
def test_names_are_equal_where_what_they_are_of_is_the_same_json(options: dict[str, Any], value: Any) -> None:
    """Of a user's own code, whose options have no types: 1 is not 1.0, and neither is true."""
    one, two = ({"options": {**options, "x": each}} for each in (options.get("x"), value))
    texts = [json.dumps(each, sort_keys=True) for each in (one, two)]
    assert (block(one, "") == block(two, "")) is (texts[0] == texts[1])
    turned = {"options": dict(reversed(one["options"].items()))}
    assert block(turned, "") == block(one, "")


PROBE = """
import json, sys
from pathlib import Path
from soak.plan import config
from soak.plan.plan import make_plan
from workloads import catalog, sources
blocks = set()
for name in (*catalog.names(), *catalog.client_names()):
    module = catalog.load(name)
    for framework in module.FRAMEWORKS:
        trial = {"workload": name, "framework": framework, "mode": module.MODES[0]}
        raw = {"run": {"duration": "1 s"}, "trial": [trial]}
        blocks.update(trial.block for trial in make_plan(config.of_tables(Path("c.toml"), raw)))
json.dump([len(blocks), sorted({name.partition(".")[0] for name in sys.modules})], sys.stdout)
"""


def test_naming_the_blocks_of_all_workloads_imports_no_framework_no_numpy_and_no_openssl() -> None:
    ended = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    count, imported = json.loads(ended.stdout)
    own = {module for name in frameworks.names() for module in frameworks.load(name).REQUIRES}
    assert count == len(WORKLOADS)
    assert set(imported) & {*own, "numpy", "_hashlib", "hashlib"} == set()
