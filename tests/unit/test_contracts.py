from typing import Any

import pytest

from tests.installed import need

need("importlinter")

from grimp import ImportGraph  # noqa: E402  (not in every environment that runs the tests)

from tests.contracts import Light  # noqa: E402

EDGES = [
    ("soak.engine", "soak.clock"), ("soak.clock", "time"), ("soak.clock", "msgspec"), ("soak.web", "soak.clock"),
    ("soak.web", "starlette"), ("soak.arrays", "numpy"),
]  # fmt: skip


def check(extra: tuple[str, str] | None = None, **options: Any) -> set[str]:
    """What breaks the contract."""
    graph = ImportGraph()
    for importer, imported in [*EDGES, *([extra] if extra else [])]:
        for module in (importer, imported):
            if module not in graph.modules:
                graph.add_module(module, is_squashed=not module.startswith("soak"))
        graph.add_import(importer=importer, imported=imported)
    contract = Light("c", {"root_packages": ["soak"]}, {"packages": ["msgspec"], **options})
    found = contract.check(graph, verbose=False)
    assert found.kept is not bool(found.metadata["chains"] or found.metadata["missing"])
    return {*found.metadata["chains"], *found.metadata["missing"]}


def test_what_is_light_keeps_the_contract() -> None:
    assert check(modules=["soak.engine"], never=["soak.web"]) == set()


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        (("soak.engine", "numpy"), {"numpy"}),
        (("soak.clock", "soak.arrays"), {"numpy"}),
        (("soak.clock", "soak.web"), {"soak.web", "starlette"}),
    ],
)
def test_what_is_planted_breaks_it(planted: tuple[str, str], found: set[str]) -> None:
    assert check(planted, modules=["soak.engine"], never=["soak.web"]) == found


def test_what_is_left_out_may_not_be_imported_by_the_rest() -> None:
    rest = {"modules": ["soak.engine", "soak.clock", "soak.arrays"], "but": ["soak.arrays"]}
    assert check(**rest) == set()
    assert check(("soak.clock", "soak.arrays"), **rest) == {"soak.arrays", "numpy"}


def test_a_contract_for_a_module_that_is_gone_is_broken() -> None:
    assert check(modules=["soak.engin"]) == {"soak.engin"}
