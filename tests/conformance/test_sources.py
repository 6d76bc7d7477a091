"""Every source keeps the contract of `workloads.protocol.source`, however it came to be there."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import subprocess
import sys
import types
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from workloads import inputs, modules, sources
from workloads.options import OptionError, make, plain
from workloads.protocol.order import StreamSpec

NAMES = sources.names()
DRAWN = tuple(name for name in NAMES if name not in ("file", "none"))
"""Their items depend on the seed; a file's depend on what is in it, and a clock's on nothing."""
PLANTED = '''"""Numbers, for a test that plants a source."""
from dataclasses import dataclass

ITEM = "number"
DOSES = {"numbers": "Numbers so far"}


@dataclass(frozen=True)
class Options:
    """Which."""

    step: int = 1
    """Between two."""


class Numbers:
    def __init__(self, step):
        self.step, self.given = step, 0

    def next(self):
        self.given += 1
        return self.given * self.step

    def doses(self):
        return {"numbers": float(self.given)}

    def close(self):
        pass


def open_source(options, seed):
    return Numbers(options.step)
'''


def test_the_house_is_not_empty() -> None:
    assert {"synthetic", "file", "tokens", "none"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_yields_and_counts(name: str) -> None:
    module = sources.load(name)
    first = (module.__doc__ or "").strip().partition("\n")[0]
    assert 20 < len(first) < 110
    assert first.endswith((".", ":"))
    assert all(len(about) > 5 for about in module.DOSES.values())
    assert list(inspect.signature(module.open_source).parameters) == ["options", "seed"]
    told = sources.describe(name)
    assert told["item"] == module.ITEM
    assert told["doses"] == list(module.DOSES)


@pytest.mark.parametrize("name", NAMES)
def test_its_options_are_frozen_documented_and_have_defaults(name: str) -> None:
    kind = sources.load(name).Options
    made = kind()
    source = "".join(inspect.getsource(each) for each in kind.__mro__ if each is not object)
    for field in dataclasses.fields(kind):
        assert field.default is not dataclasses.MISSING
        _, _, after = source.partition(f"    {field.name}: ")
        assert after.splitlines()[1].strip().startswith('"""'), f"{field.name} has no docstring"
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, field.name, field.default)
    assert make(kind, plain(made)) == made, "what the record holds is what the worker gets"


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_option_names_itself_and_what_was_expected(name: str) -> None:
    kind = sources.load(name).Options
    for field in dataclasses.fields(kind):
        with pytest.raises(OptionError, match="expected") as caught:
            make(kind, {field.name: object()})
        assert caught.value.key == field.name
        with pytest.raises(OptionError, match=f"did you mean {field.name!r}"):
            make(kind, {field.name + "x": 1})


def item_bytes(item: Any) -> bytes:
    return pickle.dumps(dataclasses.asdict(item) if dataclasses.is_dataclass(item) else item)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", DRAWN)
def test_same_seed_same_items_and_another_seed_others(name: str) -> None:
    first, second, other = (sources.open_source(StreamSpec(name), seed) for seed in (7, 7, 8))
    given = [[item_bytes(source.next()) for _ in range(12)] for source in (first, second, other)]
    assert given[0] == given[1]
    assert given[0] != given[2]
    assert first.doses() == second.doses()
    for source in (first, second, other):
        source.close()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "file"])
def test_its_doses_are_those_it_names_and_never_fall(name: str) -> None:
    source, known = sources.open_source(StreamSpec(name), 3), sources.load(name).DOSES
    before = dict(source.doses())
    assert set(before) <= set(known)
    for _ in range(40):
        source.next()
        now = dict(source.doses())
        assert set(now) <= set(known)
        assert all(now[dose] >= before[dose] for dose in before)
        before = now
    assert all(value > 0 for dose, value in before.items() if dose != "scenes" and not dose.endswith("errors"))
    source.close()


@pytest.mark.parametrize("name", DRAWN)
def test_a_fixed_item_takes_none_from_the_running_source(name: str) -> None:
    spec = StreamSpec(name)
    running, untouched = sources.open_source(spec, 5), sources.open_source(spec, 5)
    running.next()
    untouched.next()
    assert item_bytes(sources.golden(spec, 5)) == item_bytes(sources.golden(spec, 5))
    assert item_bytes(running.next()) == item_bytes(untouched.next())


def test_naming_loading_and_checking_all_imports_neither_numpy_nor_a_framework() -> None:
    code = (
        "import sys; from workloads import sources\n"
        "for name in sources.names(): sources.describe(name); sources.load(name).Options()\n"
        "print(sorted({'torch', 'tensorflow', 'numpy', 'av'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_an_unknown_source_names_the_nearest() -> None:
    with pytest.raises(sources.SourceError, match="did you mean 'tokens'"):
        sources.load("tokns")


def test_a_file_put_into_the_folder_is_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "numbers_here.py").write_text(PLANTED)
    monkeypatch.setattr(inputs, "__path__", [*inputs.__path__, str(tmp_path)])
    assert "numbers_here" in sources.names()
    source = sources.open_source(sources.spec_of("numbers_here", {"step": 3}), 0)
    assert [source.next() for _ in range(3)] == [3, 6, 9]
    sys.modules.pop("workloads.inputs.numbers_here")


def test_a_source_of_another_package_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("third_party_source")
    monkeypatch.setitem(sys.modules, "third_party_source", module)
    exec(PLANTED, module.__dict__)
    points = (EntryPoint("numbers", "third_party_source", sources.GROUP),)
    monkeypatch.setattr(modules, "entry_points", lambda group: points if group == sources.GROUP else ())
    modules._foreign.cache_clear()
    try:
        assert sources.describe("numbers")["doses"] == ["numbers"]
        source = sources.open_source(StreamSpec("numbers", {"step": 2}), 0)
        assert source.next() == 2
    finally:
        modules._foreign.cache_clear()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("def open_source", "def opened", "lacks open_source"),
        ("ITEM =", "KIND =", "lacks ITEM"),
        ('"numbers": ', '"Numbers so far": ', "not a lower_case name"),
        ("@dataclass(frozen=True)\n", "", "Options is not a dataclass"),
        ("from dataclasses import dataclass", "import not_installed", "cannot be imported"),
    ],
)
def test_a_broken_contract_is_refused_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, said: str
) -> None:
    (tmp_path / "broken_source.py").write_text(PLANTED.replace(old, new))
    monkeypatch.setattr(inputs, "__path__", [*inputs.__path__, str(tmp_path)])
    try:
        with pytest.raises(sources.SourceError, match=said):
            sources.load("broken_source")
    finally:
        sys.modules.pop("workloads.inputs.broken_source", None)
