"""Every client keeps the contract of `workloads.load.options`, however it came to be there."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from workloads import catalog, clients, sources
from workloads.load.options import LoadOptions

NAMES = catalog.client_names()


def test_the_clients_that_come_with_soak_are_there() -> None:
    assert {"http_client", "grpc_client", "tensorflow_serving_client", "kserve_client"} <= set(NAMES)
    assert not set(NAMES) & set(catalog.names()), "a client is listed once"


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name: str) -> None:
    module = catalog.load(name)
    told = catalog.describe(name)
    assert 20 < len(told["about"]) < 120
    assert told["about"].endswith(".")
    assert module.FRAMEWORKS == ("none",)
    assert catalog.devices_of(module) == ("cpu",)
    assert set(catalog.sources_of(module)) in ({"requests", "none"}, set(sources.yielding("clip")))


@pytest.mark.parametrize("name", NAMES)
def test_its_options_are_those_of_every_client_and_its_own(name: str) -> None:
    options = catalog.load(name).Options
    made = options()
    assert isinstance(made, LoadOptions)
    assert made.allow_remote is False
    source = "".join(inspect.getsource(kind) for kind in options.__mro__ if kind is not object)
    for field in dataclasses.fields(options):
        assert field.default is not dataclasses.MISSING
        _, _, after = source.partition(f"    {field.name}: ")
        assert after.splitlines()[1].strip().startswith('"""'), f"{field.name} has no docstring"
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, field.name, field.default)


@pytest.mark.parametrize("name", NAMES)
def test_build_takes_setup_and_options(name: str) -> None:
    assert list(inspect.signature(catalog.load(name).build).parameters)[:2] == ["setup", "options"]


def test_naming_and_loading_all_imports_no_library() -> None:
    code = (
        "import sys; from workloads import catalog\n"
        "for name in catalog.client_names(): catalog.describe(name); catalog.options_of(name, {})\n"
        "print(sorted({'uvicorn', 'grpc', 'aiohttp', 'numpy', 'asyncio'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_file_is_all_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted_client.py").write_text(
        '"""A client that was planted here, and that sends nothing."""\n'
        "from dataclasses import dataclass\n"
        "from workloads.load.options import LoadOptions\n"
        'FRAMEWORKS, MODES, DEVICES, SOURCES = ("none",), ("infer",), ("cpu",), ("requests",)\n'
        "@dataclass(frozen=True, slots=True)\n"
        "class Options(LoadOptions):\n"
        "    size: int = 1\n"
        "def build(setup, options):\n"
        "    raise NotImplementedError\n"
    )
    monkeypatch.setattr(clients, "__path__", [*clients.__path__, str(tmp_path)])
    assert "planted_client" in catalog.client_names()
    assert catalog.options_of("planted_client", {"size": 7, "rate": 5}).rate == 5.0
    assert catalog.describe("planted_client")["options"]["size"] == 1
    with pytest.raises(catalog.WorkloadError, match=r"headers = \['X: 1'\]: expected a string$"):
        catalog.options_of("http_client", {"headers": ["X: 1"]})
