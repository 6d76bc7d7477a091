"""What a trial is made of: commands, ranks, members, their ports and their devices."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from monitors.gpu import Device
from soak.engine import loopback
from soak.errors import ConfigError
from soak.plan import config, preflight
from soak.plan.member import Member
from soak.plan.plan import Trial, make_plan
from workloads.needs import Needs

RUN = '[run]\nduration = "1 min"\n'
SERVER = '[[trial.member]]\nname = "server"\ncommand = ["s", "{port}"]\nready = "http://127.0.0.1:{port}/health"\n'
CLIENT = '[[trial.member]]\nname = "client"\ncommand = ["c", "http://127.0.0.1:{server.port}/"]\njudged = false\n'
PORTS = """
[[trial]]
name = "served"
[[trial.member]]
name = "server"
command = ["s", "{port}", "{port:http}"]
[[trial.member]]
name = "client"
command = ["c", "{server.port}", "{server.port:http}"]
"""
PAIR = f'{RUN}[[trial]]\nname = "served"\n{SERVER}{CLIENT}'
GPUS = tuple(Device(f"cuda:{n}", f"GPU-{n}", "H200", f"0000:0{n}:00") for n in range(4))


def plan(folder: Path, text: str) -> tuple[Trial, ...]:
    path = folder / "soak.toml"
    path.write_text(text)
    return make_plan(config.load(path))


def seen(devices: object) -> dict[str, str]:
    return {"SEES": ",".join(device.name for device in devices)}  # type: ignore[attr-defined]


def test_a_workload_is_one_worker_that_keeps_its_own_duration(tmp_path: Path) -> None:
    (trial,) = plan(tmp_path, RUN + '[[trial]]\nworkload = "recurrent"\nframework = "torch"\n')
    (member,) = trial.members
    assert (member.speaks_wire, member.spec, trial.supervised) == (True, trial.spec, False)
    assert trial.spec.duration == 60.0


def test_a_command_needs_no_limit_and_is_named_by_its_program(tmp_path: Path) -> None:
    (trial,) = plan(tmp_path, '[[trial]]\ncommand = ["/usr/bin/env", "true"]\n')
    (member,) = trial.members
    assert (trial.name, member.argv, member.protocol) == ("true", ("/usr/bin/env", "true"), "none")
    assert (trial.supervised, trial.spec.duration, trial.spec.framework) == (True, None, "none")


def test_a_client_is_told_the_port_of_its_server(tmp_path: Path) -> None:
    (trial,) = plan(tmp_path, PAIR)
    server, client = trial.members
    assert (server.asks_for_port(), client.asks_for_port(), client.asks_of()) == (True, False, {"server"})
    server, client = trial.placed((), seen, {"server": 4711}).members
    assert (server.argv, server.ready, server.port) == (("s", "4711"), "http://127.0.0.1:4711/health", 4711)
    assert client.argv == ("c", "http://127.0.0.1:4711/")
    assert (server.judged, client.judged) == (True, False)


@pytest.mark.parametrize(
    "client", ['workload = "http_client"\noptions = { url = "http://127.0.0.1:1/" }', 'command = ["c"]\njudged = false']
)
def test_a_trial_in_which_nothing_is_judged_is_refused(tmp_path: Path, client: str) -> None:
    alone = f'{RUN}[[trial]]\nname = "load"\n[[trial.member]]\nname = "client"\n{client}\n'
    with pytest.raises(ConfigError, match=r"nothing in this trial is judged: .* or `judged = true`") as told:
        plan(tmp_path, alone)
    assert told.value.key == "trial[0].member"
    judged = alone.replace("judged = false\n", "") + "judged = true\n"
    assert [member.judged for member in plan(tmp_path, judged)[0].members] == [True]
    (served,) = plan(tmp_path, alone + '[[trial.member]]\nname = "server"\ncommand = ["s"]\n')
    assert [member.judged for member in served.members] == [False, True]


def test_a_member_has_further_ports_by_the_names_that_it_gives_them(tmp_path: Path) -> None:
    (trial,) = plan(tmp_path, RUN + PORTS)
    server, client = trial.members
    assert (server.ports, client.asks_of()) == ({"server", "server:http"}, {"server", "server:http"})
    assert set(loopback.choose(trial.members)) == {"server", "server:http"}
    server, client = trial.placed((), seen, {"server": 4711, "server:http": 4712}).members
    assert (server.argv, server.port, server.met_at) == (("s", "4711", "4712"), 4711, (4712,))
    assert client.argv == ("c", "4711", "4712")


def test_a_further_port_that_nobody_has_is_told(tmp_path: Path) -> None:
    wrong = PORTS.replace("{server.port:http}", "{server.port:rest}")
    with pytest.raises(
        ConfigError, match=r"\{server\.port:rest\}: expected a member with its own \{port:rest\}: server,"
    ):
        plan(tmp_path, RUN + wrong)


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        (Needs(programs={"no-such-program": "it"}), "program no-such-program, which is not on the PATH: apt install"),
        (Needs({"no_such_module": "it"}), r"no_such_module, which is not installed in .*: pip install 'it'"),
        (Needs({"no_such_module": "TorchServe"}), r"`soak env torchserve` .* python = \"env:torchserve\""),
    ],
)
def test_a_server_that_needs_what_is_not_there_is_not_started(tmp_path: Path, needs: Needs, said: str) -> None:
    (trial,) = plan(tmp_path, f'{RUN}[[trial]]\ncommand = ["true"]\n')
    needy = dataclasses.replace(trial, members=(dataclasses.replace(trial.members[0], requires=needs),))
    with pytest.raises(ConfigError, match=said):
        preflight.check(config.load(tmp_path / "soak.toml"), (needy,))


def test_other_braces_stay_as_they_are() -> None:
    member = Member("a", ("x", '{"port": {port}}', "{}", "{porter}", "${port}"), protocol="none")
    assert member.placed({"a": 80}).argv == ("x", '{"port": 80}', "{}", "{porter}", "$80")


def test_what_names_no_port_stays_as_it_is() -> None:
    member = Member("a", ("x", "{port} {b.port} {args.port}"), protocol="none")
    assert member.placed({"a": 80, "b": 81}).argv == ("x", "80 81 {args.port}")


def test_the_words_of_a_sole_command_are_its_own(tmp_path: Path) -> None:
    code = "print(f'{args.port} {port}')"
    text = f'{RUN}[[trial]]\ncommand = ["true", "{code}"]\nenv = {{ A = "{{port}}" }}\n'
    (tmp_path / "soak.toml").write_text(text)
    loaded = config.load(tmp_path / "soak.toml")
    (trial,) = make_plan(loaded)
    preflight.check(loaded, (trial,))
    ports = loopback.choose(trial.members)
    (member,) = trial.placed((), seen, ports).members
    assert (member.argv, member.env["A"], ports) == (("true", code), "{port}", {})


def test_ranks_of_a_command_are_told_ports_and_keep_other_braces(tmp_path: Path) -> None:
    (trial,) = plan(tmp_path, f'{RUN}[[trial]]\ncommand = ["true", "{{args.port}} {{port}}"]\nranks = 2\n')
    ports = loopback.choose(trial.members)
    assert len(set(ports.values())) == len(ports) == 2 + 1 + 2, "of the command, of MASTER_PORT and of TF_CONFIG"
    placed = trial.placed((), seen, ports).members
    assert [member.argv[1] for member in placed] == [f"{{args.port}} {ports[member.name]}" for member in placed]


@pytest.mark.parametrize(
    "made_of", ['command = ["true"]\n', 'workload = "recurrent"\nframework = ["torch"]\n',
                'workload = "recurrent"\nframework = "tensorflow"\n'],
)  # fmt: skip
def test_ranks_find_each_other_whatever_they_are_written_in(tmp_path: Path, made_of: str) -> None:
    (trial,) = plan(tmp_path, f"{RUN}[[trial]]\n{made_of}ranks = 2\n")
    ports = loopback.choose(trial.members)
    placed = trial.placed((), seen, ports)
    assert [member.name for member in placed.members] == ["rank 0 of 2", "rank 1 of 2"]
    met_at = [member.met_at for member in placed.members]
    (master, first), (second,) = met_at
    assert len({master, first, second}) == 3 == len(ports), "a program may meet by both, and rank 0 listens on both"
    for rank, member in enumerate(placed.members):
        assert member.spec is None or member.spec.duration is None, "the supervisor ends all of them together"
        told = {name: value for name, value in member.env.items() if name != "SEES"}
        cluster = json.loads(told.pop("TF_CONFIG"))
        assert told == {
            "RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(master),
        }  # fmt: skip
        assert cluster["cluster"] == {"worker": [f"127.0.0.1:{first}", f"127.0.0.1:{second}"]}
        assert cluster["task"] == {"type": "worker", "index": rank}


def test_ranks_of_a_command_see_all_devices_as_with_torchrun(tmp_path: Path) -> None:
    (trial,) = plan(tmp_path, f'{RUN}[[trial]]\ncommand = ["true"]\nranks = 2\n')
    placed = trial.placed(GPUS[:2], seen, {"rank 0 of 2": 4711})
    assert [member.env["SEES"] for member in placed.members] == ["cuda:0,cuda:1"] * 2
    assert [member.env["LOCAL_RANK"] for member in placed.members] == ["0", "1"]
    assert (placed.devices, placed.place) == (GPUS[:2], "cuda:0,cuda:1")


@pytest.mark.parametrize(
    ("keys", "wishes"),
    [
        ("", ("auto", "auto")),
        ('device = "cpu"\n', ("cpu", "cpu")),
        ("devices = 2\n", ("auto",) * 4),
        ('devices = ["cuda:3", "cuda:1"]\n', ("cuda:3", "cuda:1")),
        ("devices = 0\n", ()),
    ],
)
def test_ranks_get_their_part_of_the_devices(tmp_path: Path, keys: str, wishes: tuple[str, ...]) -> None:
    text = f'{RUN}[[trial]]\nworkload = "fault_rank_leak"\nframework = "torch"\nranks = 2\n{keys}'
    (trial,) = plan(tmp_path, text)
    assert trial.wishes == wishes
    devices = GPUS[: len(wishes)]
    placed = trial.placed(devices, seen, {"rank 0 of 2": 1})
    assert placed.devices == devices
    first, second = placed.members
    assert first.devices + second.devices == devices
    assert len(first.devices) == len(second.devices)
    assert first.env["SEES"] == ",".join(device.name for device in first.devices)


def test_a_member_has_several_devices_or_none(tmp_path: Path) -> None:
    (trial,) = plan(tmp_path, '[[trial]]\ncommand = ["a"]\ndevices = 2\n')
    assert trial.placed(GPUS[:2], seen, {}).place == "cuda:0,cuda:1"
    assert trial.placed((), seen, {}).place == "cpu"
    (trial,) = plan(tmp_path, PAIR)
    assert trial.wishes == ("auto",), "what is not judged needs none"


def test_trials_of_other_members_are_never_compared_and_ports_say_nothing(tmp_path: Path) -> None:
    (one,) = plan(tmp_path, PAIR)
    (other,) = plan(tmp_path, PAIR.replace('"c"', '"d"'))
    assert one.block != other.block
    placed = [one.placed((), seen, {"server": port}, "a processor").block for port in (1, 2)]
    assert placed[0] == placed[1]


def test_a_trial_or_a_member_has_a_deadline_for_heartbeats_of_its_own(tmp_path: Path) -> None:
    (trial,) = plan(tmp_path, '[[trial]]\ncommand = ["a"]\nranks = 2\nheartbeat_deadline = "5 min"\n')
    assert [member.heartbeat for member in trial.members] == [300.0, 300.0]
    (trial,) = plan(tmp_path, f'{PAIR}heartbeat_deadline = "9 s"\n')
    assert [member.heartbeat for member in trial.members] == [None, 9.0]


WRONG = [
    (f'[[trial]]\nname = "x"\nheartbeat_deadline = "9 s"\n{SERVER}', "trial[0].heartbeat_deadline = '9 s'"),
    ("[[trial]]\n", "trial[0].workload: a workload, a command, or [[trial.member]] tables are required"),
    ('[[trial]]\nworkload = "a"\ncommand = ["b"]\n', "trial[0].command: expected only one of workload and command"),
    ('[[trial]]\ncommand = [""]\n', "trial[0].command: expected the name of a program"),
    ('[[trial]]\ncommand = ["a\\u0000"]\n', "trial[0].command: expected words without NUL"),
    ('[[trial]]\ncommand = ["a"]\nsteps = 5\n', "trial[0].steps = 5: this key belongs to a workload"),
    ('[[trial]]\nworkload = "a"\ncwd = "x"\n', "trial[0].cwd = 'x': this key belongs to a command"),
    ('[[trial]]\ncommand = ["a"]\nranks = 0\n', "trial[0].ranks = 0"),
    ('[[trial]]\ncommand = ["a"]\ndevices = ["cuda:0", "cuda:0"]\n', "expected each device once"),
    ('[[trial]]\ncommand = ["a"]\ndevices = ["auto"]\n', "trial[0].devices[0] = 'auto'"),
    ('[[trial]]\ncommand = ["a"]\nranks = 2\ndevices = ["cuda:0"]\n', "a number of devices that 2 can share"),
    (f"[[trial]]\n{SERVER}", "trial[0].name: expected a name for a trial with members"),
    (f'[[trial]]\nname = "x"\nranks = 2\n{SERVER}', "trial[0].ranks = 2"),
    (f'[[trial]]\nname = "x"\n{SERVER}{SERVER}', "trial[0].member[1].name = 'server': another member"),
    (f'[[trial]]\nname = "x"\n{CLIENT}', "trial[0].member[0]: {server.port}: expected a member with its own {port}"),
    (f'[[trial]]\nname = "x"\n{SERVER}colour = 1\n', "trial[0].member[0].colour = 1: unknown key"),
    ('[[trial]]\nname = "x"\n[[trial.member]]\nname = "a"\n', "trial[0].member[0]: expected either"),
    ('[[trial]]\nname = "x"\n[[trial.member]]\nname = "a.b"\ncommand = ["a"]\n', "without braces or dots"),
    (f'[[trial]]\nname = "x"\n{SERVER.replace("http", "https")}', "trial[0].member[0].ready = "),
    ('[[trial]]\nname = "x"\n[[trial.member]]\nname = "a"\ncommand = ["a"]\nready = "hello"\n', "ready = 'hello'"),
    ('[[trial]]\nname = "x"\n[[trial.member]]\nname = "a"\nworkload = "recurrent"\n', "trial[0].duration"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_trial_that_cannot_be_made_is_told_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(tmp_path, text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_program_that_is_not_there_is_told_with_its_member(tmp_path: Path) -> None:
    path = tmp_path / "soak.toml"
    path.write_text(PAIR.replace('"s"', '"true"'))
    loaded = config.load(path)
    with pytest.raises(ConfigError, match="trial served: client: command = 'c': expected a program that exists"):
        preflight.check(loaded, make_plan(loaded))


LOADED = """
[[trial]]
name = "loaded"
[[trial.member]]
name = "server"
server = "http_echo"
options = { leak_bytes_per_request = 7 }
[[trial.member]]
name = "client"
workload = "http_client"
options = { url = "http://127.0.0.1:{server.port}/" }
stream = { sizes = [9] }
"""


def test_a_server_is_started_by_its_command_and_a_client_of_it_is_not_judged(tmp_path: Path) -> None:
    (trial,) = plan(tmp_path, RUN + LOADED)
    server, client = (member.placed({"server": 4711}) for member in trial.members)
    assert server.protocol == "none"
    assert server.judged
    assert server.ready == "http://127.0.0.1:4711/healthy"
    assert "4711" in server.argv
    assert json.loads(server.argv[-1])["leak_bytes_per_request"] == 7
    assert client.spec is not None
    assert not client.judged
    assert client.needs == 0
    assert client.spec.options["url"] == "http://127.0.0.1:4711/"
    assert client.spec.stream.source == "requests"
    assert client.spec.stream.options["sizes"] == [9]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "http_echo",
            "http_ecco",
            r"member\[0\].server = 'http_ecco': unknown server 'http_ecco': did you mean 'http_echo'",
        ),
        ("leak_bytes_per_request", "leak", r"member\[0\].server = 'http_echo': .*leak = 7: unknown option"),
        ("server.port", "sever.port", r"member\[1\]: \{sever.port\}: expected a member with its own \{port\}"),
        (
            'server = "http_echo"',
            'server = "http_echo"\nworkload = "x"',
            "expected either a command, a server or a workload",
        ),
        ('name = "loaded"', 'name = "loaded"\nstream = { sizes = [9] }', "stream = .*the trial has a member"),
    ],
)
def test_what_is_wrong_with_a_server_or_its_client_is_told(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        plan(tmp_path, RUN + LOADED.replace(old, new, 1))
