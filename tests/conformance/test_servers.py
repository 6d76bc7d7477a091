"""Every server keeps the contract of `workloads.server_catalog`, however it came to be there."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.installed import need
from tests.loopback import free_port, is_open
from tests.patience import wait_for
from workloads import server_catalog, servers

NAMES = server_catalog.names()


def test_the_servers_that_come_with_soak_are_there() -> None:
    assert {"http_echo", "grpc_echo", "tensorflow_serving", "triton", "torchserve", "mlserver", "nginx"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name: str) -> None:
    told = server_catalog.describe(name)
    assert 20 < len(told["about"]) < 120
    assert told["about"].endswith((".", ":"))
    assert told["ready"] == "port" or told["ready"].startswith("/")


@pytest.mark.parametrize("name", NAMES)
def test_its_options_are_frozen_documented_and_have_defaults(name: str) -> None:
    options = server_catalog.load(name).Options
    made = options()
    source = "".join(inspect.getsource(kind) for kind in options.__mro__ if kind is not object)
    for field in dataclasses.fields(options):
        assert field.default is not dataclasses.MISSING
        _, _, after = source.partition(f"    {field.name}: ")
        assert after.splitlines()[1].strip().startswith('"""'), f"{field.name} has no docstring"
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, field.name, field.default)


def test_each_says_what_it_needs_and_starts_in_the_interpreter_that_is_named() -> None:
    for name in NAMES:
        start = server_catalog.start_of(name, {}, "/opt/other/bin/python")
        assert start.command[0] == "/opt/other/bin/python"
        assert server_catalog.start_of(name, {}).command[1:] == start.command[1:]
        assert all(start.requires.install)


LIGHT = [name for name in NAMES if set(server_catalog.start_of(name, {}).requires.modules) <= {"grpc", "uvicorn"}]
"""Those that need neither a framework nor an environment of their own; `tests/integration` starts the others."""


@pytest.mark.parametrize("name", [name for name in LIGHT if not server_catalog.start_of(name, {}).requires.programs])
def test_it_serves_on_the_port_that_it_is_given(name: str) -> None:
    need("uvicorn", "grpc")
    start, port = server_catalog.start_of(name, {}), str(free_port())
    assert any("{port}" in word for word in start.command)
    process = subprocess.Popen([word.replace("{port}", port) for word in start.command])
    try:
        wait_for(lambda: is_open(int(port)))
        if start.ready != "port":
            with urllib.request.urlopen(start.ready.replace("{port}", port)) as answer:
                assert answer.status == 200
        process.terminate()
        # The signal that asked it to stop, or 0: it knows both.
        assert process.wait() in (0, -15)
    finally:
        process.kill()
        process.wait()


def test_naming_and_loading_all_imports_no_library() -> None:
    code = (
        "import sys; from workloads import server_catalog\n"
        "for name in server_catalog.names(): server_catalog.start_of(name, {})\n"
        "print(sorted({'uvicorn', 'grpc', 'aiohttp', 'numpy', 'asyncio'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_file_is_all_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted_server.py").write_text(
        '"""A server that was planted here, and that starts nothing."""\n'
        "from dataclasses import dataclass\n"
        'READY = "port"\n'
        "@dataclass(frozen=True)\n"
        "class Options:\n"
        "    size: int = 1\n"
        "def command(options):\n"
        '    return ["serve", str(options.size), "{port}"]\n'
    )
    monkeypatch.setattr(servers, "__path__", [*servers.__path__, str(tmp_path)])
    assert "planted_server" in server_catalog.names()
    assert server_catalog.start_of("planted_server", {"size": 7}).command == ("serve", "7", "{port}")
    assert server_catalog.describe("planted_server")["options"] == {"size": 1}
    with pytest.raises(server_catalog.ServerError, match="unknown server 'planted_serve': did you mean"):
        server_catalog.start_of("planted_serve", {})
    with pytest.raises(server_catalog.ServerError, match="sise = 1: unknown option: did you mean 'size'"):
        server_catalog.start_of("planted_server", {"sise": 1})
