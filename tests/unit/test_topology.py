"""The processes that an execution is made of: how many, what each is, and what it is told of the others."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from monitors.gpu import Device
from soak.engine import loopback
from soak.errors import ConfigError
from soak.plan import config
from soak.plan.member import ALIVE, HELLO, PORT
from soak.plan.plan import Trial, make_plan
from workloads.protocol.execution import SINGLE, Topology

ROLES = ("ps", "worker", "worker", "chief")
CLUSTER = Topology(4, ROLES, "workloads.distribution.tensorflow_server")
GPUS = tuple(Device(f"cuda:{n}", f"GPU-{n}", "H200", f"0000:0{n}:00") for n in range(4))


def plan(folder: Path, framework: str, execution: str, more: str = "") -> Trial:
    text = (
        f'[run]\nduration = "1 min"\n[[trial]]\nworkload = "recurrent"\nframework = "{framework}"\nmode = "train"\n'
        f'execution = "{execution}"\n{more}'
    )
    (folder / "soak.toml").write_text(text)
    (trial,) = make_plan(config.load(folder / "soak.toml"))
    return trial


@pytest.mark.parametrize(
    ("ranks", "roles"),
    [
        (3, ("ps", "worker", "chief")),
        (4, ROLES),
        (6, ("ps", "worker", "worker", "worker", "worker", "chief")),
    ],
)
def test_with_more_processes_there_are_more_workers(ranks: int, roles: tuple[str, ...]) -> None:
    assert CLUSTER.fewest == 3
    assert CLUSTER.roles_of(ranks) == roles


def test_ranks_have_no_roles() -> None:
    assert (SINGLE.fewest, SINGLE.roles_of(2), Topology(2).roles_of(8)) == (1, (), ())


@pytest.mark.parametrize(
    ("ranks", "roles", "server"), [(2, ROLES, "a"), (4, ROLES, ""), (2, ("ps", "chief"), "a"), (1, ("worker",), "a")]
)
def test_roles_that_make_no_cluster_are_refused(ranks: int, roles: tuple[str, ...], server: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Topology(ranks, roles, server)


@pytest.mark.parametrize(
    ("framework", "execution"),
    [("torch", "ddp"), ("tensorflow", "multi_worker"), ("tensorflow", "multi_worker_static")],
)
def test_an_execution_of_ranks_has_as_many_as_it_says_or_as_are_asked_for(
    tmp_path: Path, framework: str, execution: str
) -> None:
    names = [member.name for member in plan(tmp_path, framework, execution).members]
    assert names == ["rank 0 of 2", "rank 1 of 2"]
    three = plan(tmp_path, framework, execution, "ranks = 3\n").members
    assert [member.name for member in three] == [f"rank {rank} of 3" for rank in range(3)]
    assert all(member.rank and member.spec is not None and member.spec.duration is None for member in three)
    assert [json.loads(member.env["TF_CONFIG"])["task"]["index"] for member in three] == [0, 1, 2]


def test_an_execution_of_one_process_stays_one(tmp_path: Path) -> None:
    (member,) = plan(tmp_path, "torch", "eager").members
    assert (member.name, member.rank, member.env) == ("worker", False, {})


def test_a_cluster_is_told_to_each_by_its_role(tmp_path: Path) -> None:
    trial = plan(tmp_path, "tensorflow", "parameter_server", "ranks = 5\nthreads = 2\n")
    ports = loopback.choose(trial.members)
    members = trial.placed((), lambda devices: {}, ports).members
    assert [member.name for member in members] == ["ps 0", "worker 0", "worker 1", "worker 2", "chief"]
    assert [member.ready for member in members] == [PORT] * 4 + [HELLO]
    assert [member.beside for member in members] == [True] * 4 + [False], "the chief waits for all that it drives"
    assert [member.ends_trial for member in members] == [False] * 4 + [True]
    *servers, chief = members
    assert [server.argv for server in servers] == [servers[0].argv] * 4
    assert servers[0].argv[0] == sys.executable
    assert Path(servers[0].argv[2]).name == "tensorflow_server.py"
    assert servers[0].argv[3:] == ("--threads", "2")
    assert (chief.argv, chief.spec is not None and chief.spec.execution) == ((), "parameter_server")
    places = [f"127.0.0.1:{server.port}" for server in servers]
    wanted = {"ps": places[:1], "worker": places[1:], "chief": [f"127.0.0.1:{chief.met_at[0]}"]}
    assert len(ports) == len(set(ports.values())) == 5
    told = [json.loads(member.env["TF_CONFIG"]) for member in members]
    assert all(each["cluster"] == wanted for each in told)
    assert [(each["task"]["type"], each["task"]["index"]) for each in told] == [
        ("ps", 0), ("worker", 0), ("worker", 1), ("worker", 2), ("chief", 0)
    ]  # fmt: skip


def test_an_interpreter_of_another_environment_runs_the_servers_too(tmp_path: Path) -> None:
    members = plan(tmp_path, "tensorflow", "parameter_server", 'python = "/opt/tf/bin/python"\n').members
    assert {member.argv[0] for member in members[:-1]} == {"/opt/tf/bin/python"}
    assert members[-1].python == "/opt/tf/bin/python"


def test_fewer_processes_than_roles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ranks = 2: expected 3 or more .*: ps, worker, chief"):
        plan(tmp_path, "tensorflow", "parameter_server", "ranks = 2\n")


def test_devices_are_shared_out_to_the_ranks_that_an_execution_is_made_of(tmp_path: Path) -> None:
    trial = plan(tmp_path, "torch", "ddp")
    assert trial.wishes == ("auto", "auto")
    placed = trial.placed(GPUS[:2], lambda devices: {}, {}).members
    assert [member.devices for member in placed] == [GPUS[:1], GPUS[1:2]]
    named = plan(tmp_path, "torch", "ddp", 'ranks = 2\ndevices = ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]\n')
    assert [member.needs for member in named.members] == [2, 2]
    with pytest.raises(ConfigError, match="a number of devices that 2 can share"):
        plan(tmp_path, "torch", "ddp", 'devices = ["cuda:0", "cuda:1", "cuda:2"]\n')


def test_an_execution_that_runs_on_the_processor_alone_asks_for_no_device(tmp_path: Path) -> None:
    assert plan(tmp_path, "tensorflow", "multi_worker").wishes == ()
    assert plan(tmp_path, "tensorflow", "graph").wishes == ("auto",)


@pytest.mark.parametrize(
    ("workload", "device", "wishes"),
    [
        ("zoo_keras_predict", "auto", ()),
        ("zoo_keras_predict", "cuda:0", ("cuda:0",)),
        ("zoo_keras_models", "auto", ("auto",)),
        ("zoo_no_such", "auto", ("auto",)),
    ],
)
def test_a_workload_that_runs_on_the_processor_alone_asks_for_no_device(
    tmp_path: Path, workload: str, device: str, wishes: tuple[str, ...]
) -> None:
    """It would be given one, and end at once. Whoever names a device, or what there is not, is told."""
    text = f'[run]\nduration = "1 min"\ndevice = "{device}"\n[[trial]]\nworkload = "{workload}"\n'
    (tmp_path / "soak.toml").write_text(f'{text}framework = "tensorflow"\n')
    (trial,) = make_plan(config.load(tmp_path / "soak.toml"))
    assert trial.wishes == wishes


def test_a_command_is_one_process_where_it_does_not_say(tmp_path: Path) -> None:
    (tmp_path / "soak.toml").write_text('[[trial]]\ncommand = ["true"]\n')
    (trial,) = make_plan(config.load(tmp_path / "soak.toml"))
    assert [member.ready for member in trial.members] == [ALIVE]
