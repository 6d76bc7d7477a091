"""Every framework keeps the contract of `workloads.frameworks`, and nothing else needs to know one."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from workloads import catalog, executions, frameworks, networks
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

    for name in frameworks.names():
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


OWN = (
    "workloads/frameworks/", "workloads/networks/authored/", "workloads/executions/", "workloads/growth/",
    "workloads/language/", "workloads/published/", "workloads/conversion/", "workloads/distribution/",
    "workloads/operators/", "workloads/hubs/", "workloads/servers/", "workloads/serving/",
    "workloads/faults/fault_rank_leak.py",
    *(
        f"workloads/{room}/{name}.py"
        for room in ("lookalikes", "models")
        for name in catalog.names()
        if len(catalog.load(name).FRAMEWORKS) == 1
    ),
)  # fmt: skip
"""Code that is of one framework alone: its own file, its networks, its executions, a way in which it grows or seems to,
a server that runs its models.
"""
EXCEPT = {
    "soak/cli.py": {"Soak a program, or"},  # what soak is, for people
    "soak/commands/compare.py": {"62%% lower than"},  # examples of claims
    "monitors/comparison/grammar.py": {"62% lower than"},
    "soak/plan/member.py": {"TF_CONFIG"},  # how ranks find each other, which programs of any framework may read
    "workloads/load/prediction_service.py": {"tensorflow"},  # the names of that protocol
    "workloads/worker/allocators.py": {"jax"},  # which has no file of its own: a program may bring it by itself
}
WORDS = re.compile(r"torch|tensorflow|keras|triton|jax|(?<![A-Z])TF_|\btf\b", re.IGNORECASE)


def test_no_other_code_knows_a_framework() -> None:
    """Neither in a name nor in a text: prose in docstrings and comments explains, and decides nothing."""
    found = {
        f"{name}: {said[:60]}"
        for room in ("soak", "monitors", "reports", "workloads")
        for path in sorted((ROOT / room).rglob("*.py"))
        if not (name := path.relative_to(ROOT).as_posix()).startswith(OWN)
        for said in words_of(ast.parse(path.read_text()))
        if WORDS.search(said) and not any(word.lower() in said.lower() for word in EXCEPT.get(name, ()))
    }
    assert found == set()


def words_of(tree: ast.Module) -> Iterator[str]:
    """Names, attributes and texts, but for docstrings."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name


@pytest.mark.parametrize("name", NAMES)
def test_what_it_wants_of_the_environment_is_said_in_its_file(name: str) -> None:
    module = frameworks.load(name)
    variables = (*module.CACHES, *module.VARIABLES)
    assert all(variable == variable.upper() for variable in variables)
    assert all(10 < len(meaning) < 100 for meaning in module.VARIABLES.values())
    assert all(folder.startswith(".") and "/" not in folder for folder in module.CACHES_AT_HOME)
    assert (module.VERSIONS[:1] == (name,)) is bool(module.REQUIRES), "its own version first"
    assert set(variables) & {"CUDA_CACHE_PATH", "XDG_CACHE_HOME", "HF_HOME"} == set(), "those of all are elsewhere"


def test_every_execution_is_of_a_framework() -> None:
    assert {name for each in NAMES for name in executions.of(each)} == {
        executions.load(name).NAME for name in executions.names()
    }
