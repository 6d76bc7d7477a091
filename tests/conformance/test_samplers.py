"""What every sampler owes, whoever wrote it: run over every file of the room and every entry point."""

import importlib
import os
import sys
import types
from collections import Counter
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

from monitors import catalog
from monitors.catalog import CatalogError
from monitors.gpu import Holder, Reading, Scope, Snapshot
from monitors.model import MetricSpec, NoDataError, Roots, Sample, Sampler, SamplerScope, Target

FIXTURES = Path(__file__).parent.parent / "fixtures"
RECORDED = Roots(proc=FIXTURES / "proc")
TRIAL = FIXTURES / "cgroup_v2/sys/fs/cgroup/system.slice/soak.service/trial-1"
NAMES = catalog.names()
NO_PID = 1 << 22
"""Above the largest pid that Linux gives."""


def whole(sampler: type[Sampler], scope: Scope, inner: str = "gpu_reserved_bytes") -> Target:
    """A trial of which everything is known: its processes, its group, its beat, and its device. inner: what its
    framework tells of that."""
    told = {spec.name: 1.0 for spec in sampler.specs} | {inner: 1.0, "of_its_own": 1.0}
    values = {**told, "gpu_throttled{hw_thermal}": 0.0, "gpu_rows_remapped{failed}": 0.0}
    reading = Reading("GPU-1", 1.0, values, holders=(Holder(4100, 4.0),))
    amounts = {spec.name.partition("_")[2]: 1.0 for spec in sampler.specs}
    probe = {"as_is": amounts, "settled": amounts}
    return Target(4100, told, 1, 0.5, TRIAL, 4109, device="GPU-1", gpu=Snapshot(reading, 1, scope), probe=probe)


def descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def told(sampler: type[Sampler], scope: Scope, inner: str = "gpu_reserved_bytes") -> list[Sample]:
    """What it says of a trial of which everything is known; where that says nothing, of one without a cgroup."""
    target = whole(sampler, scope, inner)
    return take(sampler(RECORDED), target) or take(sampler(RECORDED), replace(target, cgroup=None))


def take(sampler: Sampler, target: Target) -> list[Sample]:
    reason = "none"
    taken: list[Sample] = []
    try:
        taken += sampler.sample(target)
    except NoDataError as absence:
        reason = str(absence)
    assert reason, "an absence says what is absent"
    return taken


@pytest.fixture(params=NAMES)
def sampler(request: pytest.FixtureRequest) -> type[Sampler]:
    return catalog.load(request.param)


def test_the_room_is_not_empty() -> None:
    assert len(NAMES) >= 9


@pytest.mark.parametrize("name", NAMES)
def test_file_and_class_say_what_they_are_for(name: str) -> None:
    found = catalog.load(name)
    module = sys.modules[found.__module__]
    assert (module.__doc__ or "").strip()
    assert (found.__doc__ or "").strip()
    assert (found.sample.__doc__ or "").strip()


def test_no_two_samplers_share_a_metric() -> None:
    claimed = Counter(spec.name for name in NAMES for spec in catalog.load(name).specs)
    assert [name for name, count in claimed.items() if count > 1] == []
    assert set(catalog.all_specs()) == set(claimed)


def test_an_empty_root_gives_nothing(sampler: type[Sampler], tmp_path: Path) -> None:
    made = sampler(Roots(tmp_path, tmp_path))
    target = Target(pid=NO_PID, cgroup=tmp_path / "gone", tester_pid=NO_PID)
    assert take(made, target) == []


def test_a_process_and_a_cgroup_that_vanished_give_nothing_of_their_own(sampler: type[Sampler]) -> None:
    target = Target(pid=NO_PID, cgroup=Path("/sys/fs/cgroup/no such"), tester_pid=NO_PID)
    assert [sample.metric.name for sample in take(sampler(Roots()), target) if not of_the_host(sample)] == []


def of_the_host(sample: Sample) -> bool:
    return sample.metric.name.startswith("host_") and sample.metric.layer is None


def test_nothing_known_gives_nothing_of_a_trial(sampler: type[Sampler]) -> None:
    assert [sample.metric.name for sample in take(sampler(RECORDED), Target()) if not of_the_host(sample)] == []


def test_samples_are_declared_and_once_each(sampler: type[Sampler]) -> None:
    taken = told(sampler, "process")
    assert taken, "the recorded trees hold something for every sampler"
    assert all(sample.metric in sampler.specs for sample in taken)
    keys = Counter((sample.metric.name, sample.label) for sample in taken)
    assert max(keys.values()) == 1


def test_the_whole_contract_is_met_by_what_is_sampled(sampler: type[Sampler]) -> None:
    """Every declared metric can really be had: a name that is never sampled would be an empty promise."""
    scopes: tuple[Scope, ...] = ("process", "device")
    inner = ("gpu_reserved_bytes", "gpu_allocated_bytes")
    taken = [sample for scope in scopes for each in inner for sample in told(sampler, scope, each)]
    assert {sample.metric.name for sample in taken} == {spec.name for spec in sampler.specs}


def test_no_descriptor_stays_open(sampler: type[Sampler], tmp_path: Path) -> None:
    own = Target(os.getpid(), {}, 1, 0.5, TRIAL, os.getpid())
    made, empty = sampler(Roots()), sampler(Roots(tmp_path, tmp_path))
    take(made, own)
    before = descriptors()
    for _ in range(5):
        take(made, Target(os.getpid(), {}, 1, 0.5, TRIAL, os.getpid()))
        take(made, Target(NO_PID, cgroup=tmp_path))
        take(empty, Target(NO_PID))
    assert descriptors() == before


def test_naming_the_samplers_imports_none_and_loading_them_stays_light() -> None:
    """The supervisor carries what they import: no framework, and not even NumPy or psutil."""
    script = (
        "import sys; from monitors import catalog; names = catalog.names();"
        "print([m for m in sys.modules if m.startswith('monitors.samplers.')]);"
        "[catalog.load(name) for name in names];"
        "print([m for m in ('numpy', 'psutil', 'torch', 'tensorflow') if m in sys.modules])"
    )
    out = run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert out.stdout.split("\n")[:2] == ["[]", "[]"]


class Good:
    """A sampler of another package."""

    specs: tuple[MetricSpec, ...] = (MetricSpec("fine_bytes", "bytes", "Fine"),)
    scope: SamplerScope = "member"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        pass

    def sample(self, target: Target) -> list[Sample]:
        """Nothing."""
        return []


def broken(**changes: Any) -> type:
    return type("Broken", (Good,), changes)


def spec(name: str = "x_bytes", unit: Any = "bytes", **rest: Any) -> tuple[MetricSpec, ...]:
    return (MetricSpec(name, unit, rest.pop("help", "Help"), **rest),)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (Good(Roots()), "expected a class"),
        (broken(sample=None), "no method sample"),
        (broken(specs=()), "expected a tuple of MetricSpec"),
        (broken(specs=["rss"]), "expected a tuple of MetricSpec"),
        (broken(specs=spec("soak_x_bytes")), "prefix soak_"),
        (broken(specs=spec("X_bytes")), "lower_case stem"),
        (broken(specs=spec("x_mb")), "ends in _bytes"),
        (broken(specs=spec("x_ms", "seconds")), "ends in _seconds"),
        (broken(specs=spec("x", "megabytes")), "its unit is 'megabytes'"),
        (broken(specs=spec(layer="heap")), "its layer is 'heap'"),
        (broken(specs=spec(judged=True)), "needs a layer"),
        (broken(specs=spec(help=" ")), "no help"),
        (broken(specs=spec() * 2), "names a metric twice"),
        (broken(scope="worker"), "scope is 'worker', expected one of node, trial"),
        (broken(scope=None), "scope is None"),
        (broken(interval=-1.0), "interval is -1.0"),
        (broken(interval="1 s"), "interval is '1 s'"),
        (broken(__init__=lambda self: None), "made of Roots alone"),
    ],
)
def test_a_broken_contract_is_refused_with_its_reason(found: Any, message: str) -> None:
    catalog.check("good", Good)
    with pytest.raises(CatalogError, match=message) as caught:
        catalog.check("third_party", found)
    assert "'third_party'" in str(caught.value)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CatalogError, match="process_memory"):
        catalog.load("process_memroy")


@pytest.fixture
def entry_point(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Plants entry points of other packages."""

    def plant(*points: EntryPoint) -> None:
        monkeypatch.setattr(catalog, "entry_points", lambda group: points)
        catalog._entry_points.cache_clear()

    module = types.ModuleType("third_party_sampler")
    module.Good = Good  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "third_party_sampler", module)
    yield plant
    catalog._entry_points.cache_clear()


def test_a_sampler_of_another_package_is_found_and_held_to_the_contract(entry_point: Any) -> None:
    entry_point(EntryPoint("third", "third_party_sampler:Good", catalog.GROUP))
    assert "third" in catalog.names()
    assert catalog.load("third") is importlib.import_module("third_party_sampler").Good
    assert catalog.all_specs()["fine_bytes"].help == "Fine"


@pytest.mark.parametrize(
    ("points", "name", "message"),
    [
        ([("host", "third_party_sampler:Good")], "host", "takes the name of a built-in"),
        ([("third", "third_party_sampler:Absent")], "third", "cannot be loaded"),
        ([("third", "not_installed:Good")], "third", "cannot be loaded"),
        ([("third", "a:A"), ("third", "b:B")], "third", "both 'a:A' and 'b:B'"),
    ],
)
def test_a_bad_entry_point_is_refused(entry_point: Any, points: list[tuple[str, str]], name: str, message: str) -> None:
    entry_point(*(EntryPoint(each, value, catalog.GROUP) for each, value in points))
    with pytest.raises(CatalogError, match=message):
        catalog.load(name)


def test_two_samplers_of_one_metric_are_refused(entry_point: Any) -> None:
    entry_point(
        EntryPoint("third", "third_party_sampler:Good", catalog.GROUP),
        EntryPoint("fourth", "third_party_sampler:Good", catalog.GROUP),
    )
    with pytest.raises(CatalogError, match="'fine_bytes' belongs to 'fourth'"):
        catalog.all_specs()
