"""Results survive a kill, are gone on with, and can be merged; the table says what they hold."""

from __future__ import annotations

from pathlib import Path

from tests.torture import table
from tests.torture.results import FILE, Case, Results, load


def test_a_second_call_goes_on(tmp_path: Path) -> None:
    results = Results(tmp_path)
    for n in (0, 2):
        results.add(Case("configs", 1, n))
    assert Results(tmp_path).pending("configs", 1, 5) == [1, 3, 4]
    assert results.pending("configs", 2, 2) == [0, 1]
    assert results.pending("records", 1, 2) == [0, 1]


def test_half_a_line_is_neither_read_nor_joined(tmp_path: Path) -> None:
    Results(tmp_path).add(Case("configs", 1, 0))
    with (tmp_path / FILE).open("a") as file:
        file.write('{"campaign": "configs", "se')
    Results(tmp_path).add(Case("configs", 1, 1))
    assert [case.n for case in load([tmp_path])] == [0, 1]


def test_results_of_several_calls_are_merged(tmp_path: Path) -> None:
    for name, seed, faults in (("a", 1, ["hang: x"]), ("b", 1, []), ("b", 2, [])):
        Results(tmp_path / name).add(Case("kills", seed, 0, faults=faults))
    cases = load([tmp_path / "a", tmp_path / "b" / FILE])
    assert [(case.seed, case.faults) for case in cases] == [(1, []), (2, [])]


def test_the_table_counts() -> None:
    struck = ["worker KILL", "supervisor KILL"]
    cases = [
        Case("kills", 1, 0, "KILL worker", 2, [], {"struck": struck, "lost": 0.25, "settle": 1.5, "cgroups": True}),
        Case("kills", 1, 1, "KILL judge", 1, ["orphan: {}"], {"struck": ["judge KILL"]}),
        Case("configs", 1, 0, facts={"outcome": "refused"}),
    ]
    text = table.markdown(cases)
    assert "| strikes at a run | 2 | 3 | 1 | 1 orphan |" in text
    assert "| mutated configs | 1 | 1 | 0 | none |" in text
    assert "| all | 3 |" in text
    assert "at most 0.25 s of samples" in text
    assert "`kills --seed 1 --only 1`" in text


def test_no_results_are_said() -> None:
    assert table.markdown([]) == "No results.\n"
