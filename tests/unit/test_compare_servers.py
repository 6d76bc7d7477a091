"""`soak compare --by server`: servers of one run under the same load, each planted, set against each other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from reports.record import TrialInfo
from soak.cli import main
from soak.compare.servers import load, names_of
from tests.comparing import MIB, PlantedTrial, planted, varied

Members = list[dict[str, Any]]


def started(server: str, **options: Any) -> list[str]:
    """As `server =` of a config is recorded."""
    words = ["/env/bin/python", "-P", "start.py", f"workloads.servers.{server}", "--port", "{port}"]
    return [*words, "--options", json.dumps({"seed": 1, **options})]


def served(command: Sequence[str], seed: int = 1, port: str = "port", **asked: Any) -> Members:
    """A server and its client. asked: options of the client."""
    options = {"address": f"127.0.0.1:{{server.{port}}}", "concurrency": 2, **asked}
    order = {"workload": "kserve_client", "seed": seed, "options": options}
    return [
        {"name": "server", "command": list(command), "judged": True, "order": {}},
        {"name": "client", "command": [], "judged": False, "order": order},
    ]


def trial(name: str, members: Members, seed: int, memory: float) -> PlantedTrial:
    settings = {"workload": name, "mode": "command", "members": members}
    return PlantedTrial("none", seed, memory=memory, settings=settings, keys={"workload": name, "mode": "command"})


def repeated(name: str, command: Sequence[str], memory: float, place: int, port: str = "port", **asked: Any) -> list[
    PlantedTrial
]:  # fmt: skip
    made = [trial(name, served(command, n, port, **asked), n, memory) for n in range(1, 6)]
    return [varied(one, n, place) for n, one in enumerate(made)]


def info(members: Members) -> TrialInfo:
    return TrialInfo(0, "t", "t", "none", "command", "eager", 1, "b", "a", "ended", settings={"members": members})


def named(*trials: Members) -> list[str]:
    infos = [info(members) for members in trials]
    return list(map(names_of(infos), infos))


def told(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> dict[str, Any]:
    assert main(["compare", *map(str, words), "--json"]) == code
    body: dict[str, Any] = json.loads(capsys.readouterr().out)
    return body


def test_servers_under_the_same_load_are_sides_whatever_port_they_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    light = repeated("mlserver-http", started("mlserver", workers=0), 200 * MIB, 0, "port:http")
    heavy = repeated("triton-http", started("triton"), 300 * MIB, 1)
    other = repeated("kserve-http", started("kserve"), 900 * MIB, 2, concurrency=4)
    run = planted(tmp_path, "a", [*light, *heavy, *other])
    body = told(
        capsys, run, "--by", "server", "--measure", "steady memory", "--claim", "triton memory 40% higher than mlserver"
    )
    (one,) = body["comparisons"]
    assert (one["first"], one["second"]) == ("triton", "mlserver")
    (found,) = one["differences"]
    assert (found["pairs"], found["answer"]) == (5, "higher")
    assert found["relative"]["value"] == pytest.approx(0.5, abs=0.01)
    assert [group["title"] for group in one["groups"]] == ["kserve_client"]
    assert body["left_out"] == ["only kserve has such a block: 5 trials"]
    assert body["claims"][0]["answer"] == "supported"
    assert told(capsys, run)["by"] == "server", "found without --by"


def test_each_load_is_a_group_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trials = [
        one
        for concurrency, factor in ((1, 1.0), (8, 3.0))
        for place, (name, memory) in enumerate((("mlserver", 100 * MIB), ("triton", 200 * MIB)))
        for one in repeated(f"{name}-{concurrency}", started(name), memory * factor, place, concurrency=concurrency)
    ]
    body = told(capsys, planted(tmp_path, "a", trials), "--by", "server", "--measure", "steady memory")
    (one,) = body["comparisons"]
    assert sorted(group["title"] for group in one["groups"]) == [
        "kserve_client, client.order.options.concurrency 1", "kserve_client, client.order.options.concurrency 8",
    ]  # fmt: skip
    assert [difference["pairs"] for difference in one["differences"]] == [10, 5, 5]
    assert all(d["relative"]["value"] == pytest.approx(1.0, abs=0.02) for d in one["differences"])


def test_servers_of_one_name_are_told_apart_by_what_they_differ_in() -> None:
    torch, tensorflow = started("fastapi", framework="torch"), started("fastapi", framework="tensorflow", workers=2)
    assert named(served(torch), served(tensorflow), served(started("mlserver"))) == [
        "fastapi framework=torch", "fastapi framework=tensorflow workers=2", "mlserver",
    ]  # fmt: skip
    assert named(served(torch), served(torch, 2)) == ["fastapi", "fastapi"]
    own = [served(["python", "serve.py", "--workers", count]) for count in ("1", "4")]
    assert named(*own) == ["serve --workers 1", "serve --workers 4"]
    assert named(served(["python", "one.py"]), served(["./two", "-x"])) == ["one", "two"]


def test_several_that_serve_together_are_one() -> None:
    def behind(framework: str) -> Members:
        one, client = served(started("fastapi", framework=framework))
        return [one, {"name": "proxy", "command": started("nginx"), "judged": True}, client]

    assert named(behind("torch"), behind("tensorflow")) == [
        "fastapi+nginx fastapi.framework=torch", "fastapi+nginx fastapi.framework=tensorflow",
    ]  # fmt: skip


def test_without_a_client_nothing_serves() -> None:
    server, client = served(started("mlserver"))
    ranks = [{**client, "name": name, "judged": True} for name in ("rank 0 of 2", "rank 1 of 2")]
    assert named([server], ranks, []) == ["", "", ""]
    assert names_of([TrialInfo(0, "t", "t", "torch", "infer", "eager", 1, "b", "a", "ended")])(info([])) == ""


def test_a_load_is_all_but_the_server_and_where_it_is() -> None:
    plain = load(info(served(started("mlserver"), port="port:http")))
    assert plain == load(info(served(["other"]))), "wherever it is"
    assert plain != load(info(served(["other"], concurrency=3)))
    assert plain != load(info(served(["other"], protocol="grpc")))


def test_unequal_loads_are_told_with_what_to_set_equal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trials = [
        *repeated("one", started("mlserver"), 200 * MIB, 0),
        *repeated("two", started("triton"), 200 * MIB, 0, concurrency=4),
    ]
    assert main(["compare", str(planted(tmp_path, "a", trials)), "--by", "server"]) == 2
    said = capsys.readouterr().err
    assert "no trial of triton has the same block as one of mlserver" in said
    assert "the most alike differ in client.order.options.concurrency (4 against 2)" in said
    assert main(["compare", str(planted(tmp_path, "b", trials[:5])), "--by", "server"]) == 2
    assert "--by server: all 5 trials have mlserver; expected at least two sides" in capsys.readouterr().err
