"""The zoo in shipped configs: every leak has a place to be soaked, and each trial the verdict that is true of it."""

from __future__ import annotations

import itertools
import tomllib
from collections import defaultdict
from functools import cache

import pytest

from benchmarks.field_cases import cases
from soak.plan import config
from soak.plan.plan import Trial, make_plan
from soak.plan.shipped import shipped
from workloads import catalog, frameworks

Kind = tuple[str, str]
"""A workload and its framework."""

WITHOUT = {"zoo_figures"}
"""In no config and no case: it needs matplotlib, which is not among what soak is tested with."""
EXPECTED: dict[Kind, set[str | None]] = {
    ("zoo_tfjs_tensors", "none"): {"leak", "pass"},
    # Each size costs a little for good, or leaves a gap in the heap, although the cache is bounded.
    ("zoo_conv_shapes", "tensorflow"): {None, "pass"},
    ("zoo_conv_shapes", "torch"): {None, "pass"},
    ("zoo_pinned_cache", "torch"): {"leak", "pass"},
    ("zoo_process_groups", "torch"): {"leak", "pass", None},  # None: groups that are destroyed
    ("zoo_cudnn_plans", "torch"): {None, "pass"},
    ("zoo_graph_capture", "torch"): {None, "pass"},
    ("zoo_fragments", "torch"): {"pass"},
}
"""Of those that no case of `benchmarks.field` has."""


@cache
def soaked() -> dict[Kind, list[Trial]]:
    """The trials of each kind in all shipped configs."""
    found = defaultdict(list)
    for path in sorted(shipped("configs").glob("*.toml")):
        if "trial" in tomllib.loads(path.read_text(encoding="utf-8")):
            for trial in make_plan(config.load(path)):
                found[trial.spec.workload, trial.spec.framework].append(trial)
    return {kind: trials for kind, trials in found.items() if kind[0].startswith("zoo_")}


def kinds() -> set[Kind]:
    """Each workload of the zoo in each framework; without one only where it knows none."""
    zoo = {name: set(catalog.load(name).FRAMEWORKS) for name in catalog.names() if name.startswith("zoo_")}
    return {(name, each) for name, known in zoo.items() for each in known - {frameworks.NONE} or known}


def test_every_leak_is_soaked_by_a_shipped_config_or_is_a_case_of_the_field() -> None:
    cased = {(case.workload, case.framework) for case in cases()}
    alone = {kind for kind in kinds() - cased if kind[0] not in WITHOUT}
    assert alone == set(EXPECTED)
    assert alone <= set(soaked())


@pytest.mark.parametrize("kind", EXPECTED, ids=" of ".join)
def test_what_only_a_config_soaks_is_given_its_verdict(kind: Kind) -> None:
    assert {trial.expect for trial in soaked()[kind]} == EXPECTED[kind]


def test_a_leak_has_a_clean_twin() -> None:
    for kind, trials in soaked().items():
        expected = {trial.expect for trial in trials}
        assert "leak" not in expected or "pass" in expected, kind


def test_what_repeats_itself_is_to_pass_and_no_leak_does() -> None:
    for trial in itertools.chain(*soaked().values()):
        distinct = trial.spec.options.get("distinct", 0)
        assert distinct != 1 or trial.expect == "pass", trial.name
        assert trial.expect != "leak" or distinct == 0, trial.name
