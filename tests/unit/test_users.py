"""A user's own code as a workload: what is found, what is called with what, what is counted, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from workloads.errors import FinishedError
from workloads.users import reference
from workloads.users.reference import UserCodeError
from workloads.users.stepping import MOST_COUNTERS, stepped


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def built(thing: Any, **options: Any) -> Any:
    return stepped(thing, "own.py:thing", options)


def test_a_function_is_called_once_a_step_with_the_item_where_it_takes_one() -> None:
    calls: list[Any] = []
    assert built(lambda: calls.append("none")).step(3) is None
    assert built(lambda item: calls.append(item)).step(4) is None
    assert built(lambda item=5: calls.append(item)).step(6) is None
    assert built(lambda *items: calls.append(items)).step(7) is None
    assert built(calls.clear).step(8) is None
    built(lambda item, size: calls.append((item, size)), size=2).step(9)
    assert calls == [(9, 2)]


def test_a_generator_is_advanced_once_a_step_and_its_end_is_the_end() -> None:
    def train(items: Iterator[int]) -> Iterator[float]:
        for item in items:
            if item == 3:
                return
            yield item / 2

    workload = built(train)
    assert [workload.step(item) for item in (1, 2)] == [0.5, 1.0]
    with pytest.raises(FinishedError, match="ended by itself after 2 steps"):
        workload.step(3)


def test_a_generator_takes_one_item_a_step() -> None:
    def greedy(items: Iterator[int]) -> Iterator[None]:
        while True:
            next(items)
            next(items)
            yield

    with pytest.raises(UserCodeError, match="second item in one step"):
        built(greedy).step(1)


def test_a_class_is_made_with_the_options_and_an_object_is_taken_as_it_is() -> None:
    closed: list[str] = []

    class Trainer:
        def __init__(self, size: int = 1) -> None:
            self.size = size

        def step(self, item: int) -> float:
            return item * self.size

        def clean_up(self) -> None:
            closed.append("clean_up")

        def close(self) -> None:
            closed.append("close")

    workload = built(Trainer, size=4)
    assert workload.step(2) == 8.0
    workload.clean_up()
    workload.close()
    assert closed == ["clean_up", "close"]
    assert built(Trainer(3)).step(2) == 6.0
    with pytest.raises(UserCodeError, match="expected no options"):
        built(Trainer(3), size=2)


def test_numbers_are_losses_and_mappings_are_counters_of_any_name() -> None:
    class Counting:
        def __init__(self) -> None:
            self.steps = 0

        def step(self) -> dict[str, Any]:
            self.steps += 1
            return {"loss": Fraction(1, 2), "Rows read": self.steps, "99th": 3}

        def counters(self) -> dict[str, int]:
            return {"queue": 7}

    workload = built(Counting)
    assert workload.counters() == {"queue": 7.0}
    assert [workload.step(None) for _ in range(2)] == [0.5, 0.5]
    assert workload.counters() == {"rows_read": 2.0, "own_99th": 3.0, "queue": 7.0}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("text", "a step returned is str: expected a number"),
        ([1.0], "is list"),
        ({"rows": "many"}, "counter 'rows' is str"),
        ({"a b": 1, "a-b": 2}, "two counters become 'a_b'"),
    ],
)
def test_what_is_no_number_is_refused_with_its_name(told: Any, said: str) -> None:
    with pytest.raises(UserCodeError, match=said):
        built(lambda: told).step(None)


def test_counters_are_bounded() -> None:
    workload = built(lambda: {f"n{i}": i for i in range(MOST_COUNTERS + 1)})
    workload.step(None)
    with pytest.raises(UserCodeError, match=f"expected {MOST_COUNTERS} at most"):
        workload.counters()


async def later() -> None: ...


class Stepless:
    pass


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (3, "is of type int: expected a function, a generator function, or an object or class with step"),
        (Stepless, "class Stepless without step"),
        (later, "asynchronous"),
        (lambda a, b: None, "must be given a, b: expected nothing, or the source's item alone"),
        (type("Odd", (), {"step": 3}), "step that cannot be called"),
    ],
)
def test_what_cannot_be_stepped_is_refused(thing: Any, said: str) -> None:
    with pytest.raises(UserCodeError, match=said):
        built(thing)


def test_options_that_it_does_not_take_are_refused() -> None:
    with pytest.raises(UserCodeError, match=r"cannot be called with options \['speed'\]"):
        built(lambda: None, speed=3)


def test_a_file_is_found_and_may_import_what_lies_beside_it(folder: Path) -> None:
    (folder / "beside_it.py").write_text("VALUE = 7\n")
    (folder / "own.py").write_text("import beside_it\nclass A:\n    def step(self):\n        return beside_it.VALUE\n")
    reference.check("own.py:A", str(folder))
    assert stepped(reference.find("own.py:A", str(folder)), "own.py:A", {}).step(None) == 7.0
    assert reference.find("own.py:A.step", str(folder)).__qualname__ == "A.step"


def test_a_file_named_like_a_module_that_is_loaded_does_not_replace_it(folder: Path) -> None:
    (folder / "json.py").write_text("def step():\n    return 1\n")
    assert reference.find("json.py:step", str(folder))() == 1
    assert sys.modules["json"].__file__ != str(folder / "json.py")


def test_a_module_is_looked_for_in_the_folder_first(folder: Path) -> None:
    (folder / "ownpackage").mkdir()
    (folder / "ownpackage" / "__init__.py").write_text("")
    (folder / "ownpackage" / "inner.py").write_text("def step():\n    return 2\n")
    assert reference.find("ownpackage.inner:step", str(folder))() == 2


@pytest.mark.parametrize(
    ("text", "named", "said"),
    [
        (None, "own.py:step", r"own\.py: no such file"),
        ("def stpe(): pass\n", "own.py:step", "defines no 'step': did you mean 'stpe'"),
        ("def step(:\n", "own.py:step", r"own\.py, line 1: SyntaxError"),
        ("x = 1\n\ndef step(): pass\n" + "\0", "own.py:step", "null bytes"),
        pytest.param("def step(): pass\nx = " + "-" * 200_000 + "1\n", "own.py:step", r"own\.py", id="deep"),
        pytest.param("def step(): pass\nx = 1" + "+1" * 100_000 + "\n", "own.py:step", r"own\.py", id="long"),
        ("", "own.py", "expected package.module:thing or path/file.py:thing"),
        ("", "own.py:", "expected package.module:thing"),
        ("", ":step", "expected package.module:thing"),
    ],
)
def test_what_is_wrong_is_said_without_importing(folder: Path, text: str | None, named: str, said: str) -> None:
    if text is not None:
        (folder / "own.py").write_text(text)
    with pytest.raises(UserCodeError, match=said):
        reference.check(named, str(folder))


def test_a_module_is_looked_for_without_importing_it(folder: Path) -> None:
    (folder / "ownmodule.py").write_text("raise SystemExit\ndef step(): pass\n")
    reference.check("ownmodule:step", str(folder))
    reference.check("json.tool:main", str(folder))
    with pytest.raises(UserCodeError, match="defines no 'stpe': did you mean 'step'"):
        reference.check("ownmodule:stpe", str(folder))
    with pytest.raises(UserCodeError, match=r"no module named 'not_there\.inner' in"):
        reference.check("not_there.inner:step", str(folder))
    reference.check("not_there.inner:step", str(folder), here=False)


@pytest.mark.parametrize(
    "text",
    ["from os.path import join as step\n", "for step in [print]: pass\n", "from os.path import *\n",
     "try:\n    import x\nexcept ImportError:\n    def step(): pass\n", "a, (step, b) = 1, (2, 3)\n",
     "if (step := print): pass\n", "def __getattr__(name): return print\n", "with open('x') as step: pass\n"],
)  # fmt: skip
def test_a_name_that_may_be_there_is_not_refused(folder: Path, text: str) -> None:
    (folder / "own.py").write_text(text)
    reference.check("own.py:step", str(folder))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import os\n\nVALUE = 1 / 0\n", r"own\.py, line 3: ZeroDivisionError: division by zero"),
        ("import not_installed_anywhere\n", r"own\.py, line 1: ModuleNotFoundError: .*not_installed_anywhere"),
        ("other = 1\n", "has no 'step'"),
    ],
)
def test_an_import_that_fails_names_the_users_line(folder: Path, text: str, said: str) -> None:
    (folder / "own.py").write_text(text)
    for named in ("own.py:step", "own:step"):
        with pytest.raises(UserCodeError, match=said):
            reference.find(named, str(folder))
        sys.modules.pop("own", None)


def test_a_module_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(UserCodeError, match=r"no module named 'not_there'"):
        reference.find("not_there.inner:step", str(folder))


def test_driving_users_code_needs_neither_numpy_nor_a_framework(folder: Path) -> None:
    (folder / "own.py").write_text("def step(tick):\n    return tick.index\n")
    code = (
        "import sys\n"
        "from workloads import catalog, sources\n"
        "from workloads.worker import main\n"
        "from workloads.protocol.order import StreamSpec, TrialSpec\n"
        f"spec = TrialSpec('own.py:step', 'none', folder={str(folder)!r}, stream=StreamSpec('none'), steps=20)\n"
        "sent = []\n"
        "pipe = type('Pipe', (), {'send': lambda self, message: sent.append(message)})()\n"
        "print(main.soak(spec, pipe, main.StopFlag()).done.reason, sent[-1].values['loss'])\n"
        "print(sorted({'torch', 'tensorflow', 'numpy', 'av'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines() == ["finished 19.0", "[]"], ran.stderr
