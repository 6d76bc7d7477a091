"""What a check can name, and what its answer says; without soaking anything."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from soak.errors import UsageError
from soak.runs.checking import checked
from soak.runs.reference import reference_of


def at_the_top() -> None: ...


class Thing:
    def step(self) -> None: ...

    @staticmethod
    def still() -> None: ...


replaced = at_the_top


@functools.wraps(at_the_top)
def wrapped() -> None: ...


def made() -> Any:
    def inner() -> None: ...

    return inner


def test_a_function_at_the_top_of_a_file_is_named_by_its_file() -> None:
    found = reference_of(at_the_top)
    place, _, name = found.name.rpartition(":")
    assert (name, found.title) == ("at_the_top", "at_the_top")
    assert place == __name__ or Path(place) == Path(__file__)
    assert reference_of(Thing).name == f"{place}:Thing"
    assert reference_of(Thing.still).name == f"{place}:Thing.still"
    assert all(not folder.startswith(sys.prefix + "/") for folder in found.path)


def test_a_module_of_a_package_that_can_be_imported_is_named_as_that() -> None:
    assert reference_of(reference_of).name == "soak.runs.reference:reference_of"


def test_a_name_is_taken_as_it_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert reference_of("package.module:thing").name == "package.module:thing"
    assert reference_of("here/file.py:Thing.still").name == f"{tmp_path}/here/file.py:Thing.still"


@pytest.mark.parametrize(
    "subject",
    [lambda: None, made(), Thing().step, Thing(), functools.partial(at_the_top), wrapped, 5, None],
    ids=["lambda", "closure", "method", "object", "partial", "wrapped under another's name", "number", "None"],
)
def test_what_no_other_process_could_find_is_refused(subject: Any) -> None:
    with pytest.raises(UsageError, match="expected a function, generator function or class at the top level"):
        reference_of(subject)


def test_a_function_of_a_notebook_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    main = ModuleType("__main__")
    exec("def cell(): pass", vars(main))
    monkeypatch.setitem(sys.modules, "__main__", main)
    with pytest.raises(UsageError, match=r"notebook.*%%writefile"):
        reference_of(vars(main)["cell"])


def report(**trial: Any) -> dict[str, Any]:
    whole = {
        "verdict": "leak", "reason": "it grows", "leak_probability": 0.97, "layer": "host_heap", "seconds": 61.0,
        "rate": {"unit": "bytes", "per_hour": 3.6e9, "per_hour_low": 3e9, "per_hour_high": 4e9, "per_step": 4161.0},
        "minimum_detectable_rate": {"unit": "bytes", "per_hour": 1e6}, "doses": {"steps": 1000.0},
    }  # fmt: skip
    return {"run": {"verdict": "leak", "reason": "r"}, "trials": [{**whole, **trial}], "events": []}


def test_the_answer_says_what_a_test_needs() -> None:
    found = checked(report(), Path("/kept/run"))
    assert not found
    said = str(found)
    for part in ("leak: it grows", "GiB/h", "4,161 bytes per step", "0.97", "host_heap", "1,000 steps", "/kept/run"):
        assert part in said


def test_only_a_pass_is_true_and_what_is_unknown_is_left_out() -> None:
    nothing = {"rate": None, "minimum_detectable_rate": None, "leak_probability": None, "layer": None, "doses": {}}
    for verdict in ("pass", "leak", "unstable", "inconclusive", "invalid", "error"):
        found = checked(report(verdict=verdict, **nothing), None)
        assert bool(found) is (verdict == "pass")
        assert "None" not in str(found)


def test_a_traceback_is_shown() -> None:
    told = report(verdict="unstable")
    told["events"] = [{"kind": "ready", "data": {}}, {"kind": "traceback", "data": {"traceback": "File x, line 3\n"}}]
    assert str(checked(told, None)).endswith("File x, line 3")


def test_what_died_without_an_exception_shows_the_end_of_its_output() -> None:
    told = report(verdict="unstable")
    told["events"] = [{"kind": "last_words", "data": {"log": "".join(f"line {i}\n" for i in range(100))}}]
    found = checked(told, None)
    assert str(found).splitlines()[-21:] == ["  its output ended with:", *(f"line {i}" for i in range(80, 100))]
    told["events"].append({"kind": "traceback", "data": {"traceback": "ValueError: no\n"}})
    assert str(checked(told, None)).endswith("ValueError: no"), "an exception says more"
    assert checked(told, None).output == found.output
