"""Every framework keeps the contract of `workloads.frameworks`, and nothing else needs to know one."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from workloads import executions, frameworks, networks
from workloads.modules import ModuleError

NAMES = frameworks.names()
ROOT = Path(__file__).parents[2]


def test_the_defaults_come_first_and_there_is_one_for_none() -> None:
    assert NAMES[: len(frameworks.DEFAULTS)] == frameworks.DEFAULTS
    assert frameworks.NONE in NAMES
    assert set(networks.frameworks()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_needs_and_how_to_get_it(name: str) -> None:
    module = frameworks.load(name)
    assert module.TITLE
    assert all(prefix and prefix == prefix.upper() for prefix in module.TOLD)
    assert bool(module.GPU_QUESTION) == bool(module.CUDA_BUILD) == bool(module.BLIND)
    compile(module.GPU_QUESTION, name, "exec")
    described = frameworks.describe(name)
    assert (described["name"], described["requires"]) == (name, list(module.REQUIRES))


def test_an_unknown_one_names_the_nearest() -> None:
    with pytest.raises(ModuleError, match="unknown framework 'tensorflw': did you mean 'tensorflow'"):
        frameworks.load("tensorflw")


def test_variables_of_each_are_told_and_no_others() -> None:
    assert {"PYTORCH_", "TF_GPU"} <= set(frameworks.told())
    assert not any("HOME".startswith(prefix) for prefix in frameworks.told())


def test_a_program_without_a_framework_is_asked_for_what_it_has_imported_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class OurError(RuntimeError):
        pass

    for name in frameworks.DEFAULTS:
        for module in frameworks.load(name).REQUIRES:
            monkeypatch.delitem(sys.modules, module, raising=False)
    none, other = frameworks.load(frameworks.NONE), frameworks.load(frameworks.DEFAULTS[0])
    monkeypatch.setattr(other, "is_out_of_memory", lambda error: isinstance(error, OurError))
    monkeypatch.setattr(other, "environment", lambda: {"version": "1"})
    assert none.is_out_of_memory(MemoryError())
    assert not none.is_out_of_memory(OurError())
    assert none.environment() == {}
    for module in other.REQUIRES:
        monkeypatch.setitem(sys.modules, module, ModuleType(module))
    assert frameworks.imported() == (frameworks.DEFAULTS[0],)
    assert none.is_out_of_memory(OurError())
    assert none.environment() == {"version": "1"}


def test_no_other_file_names_a_framework() -> None:
    """Code that is of one framework alone does: its own file, its networks, its executions, a way in which it grows."""
    own = (
        "workloads/frameworks/", "workloads/networks/authored/", "workloads/executions/", "workloads/growth/",
        "workloads/faults/fault_rank_leak.py",
    )  # fmt: skip
    named = re.compile("[\"'](" + "|".join(frameworks.DEFAULTS) + ")[\"']")
    found = [
        path.relative_to(ROOT).as_posix()
        for room in ("soak", "monitors", "reports", "workloads")
        for path in sorted((ROOT / room).rglob("*"))
        if path.suffix in (".py", ".j2", ".json") and named.search(path.read_text())
    ]
    assert [path for path in found if not path.startswith(own)] == []


def test_every_execution_is_of_a_framework() -> None:
    assert {name for each in NAMES for name in executions.of(each)} == {
        executions.load(name).NAME for name in executions.names()
    }
