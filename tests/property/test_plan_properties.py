from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.errors import ConfigError
from soak.plan.config import Config
from soak.plan.config_tables import JudgeTable, RunTable, TrialTable
from soak.plan.plan import make_plan
from soak.plan.quantity import Duration
from workloads.protocol.order import StreamSpec

tables = st.lists(
    st.builds(
        TrialTable,
        workload=st.sampled_from(["recurrent", "transformer", "fault_fd"]),
        framework=st.sampled_from(["torch", "tensorflow", ["torch", "tensorflow"]]),
        mode=st.sampled_from(["train", "infer", ["train", "infer"]]),
        execution=st.sampled_from(["eager", ["eager", "graph"]]),
        repeats=st.none() | st.integers(1, 3),
        name=st.sampled_from(["a", "b", "c", "d"]),
        threads=st.sampled_from([1, 2]),
        options=st.sampled_from([{}, {"precision": "float32"}, {"precision": "bfloat16"}]),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda table: table.name,
)
runs = st.builds(
    RunTable,
    seed=st.integers(0, 2**31),
    duration=st.just(Duration(10.0)),
    repeats=st.integers(1, 3),
    order=st.sampled_from(["shuffled", "listed"]),
)


def config_of(run: RunTable, trials: list[TrialTable]) -> Config:
    streams = tuple(StreamSpec(options={"height": 32 * (n % 2 + 1)}) for n in range(len(trials)))
    return Config(Path("x.toml"), "", run, JudgeTable(), tuple(trials), streams, *(((),) * len(trials),) * 2)


@given(runs, tables)
def test_a_plan_is_a_function_of_its_config(run: RunTable, trials: list[TrialTable]) -> None:
    config = config_of(run, trials)
    assert make_plan(config) == make_plan(config)


@given(runs, tables)
def test_names_and_indices_are_unique_and_blocks_stay_together(run: RunTable, trials: list[TrialTable]) -> None:
    plan = make_plan(config_of(run, trials))
    assert len({t.name for t in plan}) == len(plan)
    assert [t.index for t in plan] == list(range(len(plan)))
    if run.order == "shuffled":
        blocks = [t.block for i, t in enumerate(plan) if i == 0 or plan[i - 1].block != t.block]
        assert len(blocks) == len(set(blocks))


@given(runs, tables)
def test_trials_of_a_block_differ_in_framework_and_execution_only(run: RunTable, trials: list[TrialTable]) -> None:
    by_block: dict[str, set[tuple[object, ...]]] = {}
    for trial in make_plan(config_of(run, trials)):
        spec = trial.spec
        options = tuple(spec.options.items())
        fair = (spec.workload, spec.mode, spec.seed, repr(spec.stream), spec.duration, spec.threads, options)
        by_block.setdefault(trial.block, set()).add(fair)
    assert all(len(fair) == 1 for fair in by_block.values())
    everything = [one for fair in by_block.values() for one in fair]
    assert len(everything) == len(set(everything)), "what may be compared is in one block"


@given(runs, tables)
def test_the_order_changes_nothing_but_the_order(run: RunTable, trials: list[TrialTable]) -> None:
    config = config_of(run, trials)
    listed = config_of(RunTable(**{**run.__dict__, "order": "listed"}), trials)
    assert sorted(t.name for t in make_plan(config)) == sorted(t.name for t in make_plan(listed))


def test_two_trials_of_one_name_are_refused() -> None:
    twins = [TrialTable(workload="recurrent", framework="torch")] * 2
    with pytest.raises(ConfigError, match="two trials have this name"):
        make_plan(config_of(RunTable(duration=Duration(1.0)), twins))


def test_trial_keeps_what_it_names_and_refuses_what_names_nothing() -> None:
    def only(name: str) -> Config:
        return config_of(RunTable(duration=Duration(1.0), only=[name]), [TrialTable(workload="recurrent")])

    assert [t.name for t in make_plan(only("recurrent-torch"))] == ["recurrent-torch"]
    with pytest.raises(ConfigError, match="recurrent-tensorflow"):
        make_plan(only("absent"))
