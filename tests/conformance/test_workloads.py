"""Every workload keeps the contract of `workloads.protocol.contract.Workload`, however it came to be there."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys

import pytest

from workloads import catalog, executions, frameworks

NAMES = catalog.names()


def test_the_planted_truths_are_there() -> None:
    assert {"recurrent", "transformer"} <= set(NAMES)
    assert sum(name.startswith("fault_") for name in NAMES) >= 11
    assert sum(name.startswith("lookalike_") for name in NAMES) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name: str) -> None:
    module = catalog.load(name)
    first = (module.__doc__ or "").strip().partition("\n")[0]
    assert 20 < len(first) < 110
    assert first.endswith((".", ":"))
    assert set(module.FRAMEWORKS) <= set(frameworks.names())
    assert module.FRAMEWORKS
    for framework in module.FRAMEWORKS:
        known = executions.of(framework)
        assert set(getattr(module, "EXECUTIONS", known)) & set(known), f"it runs in no execution of {framework}"
    assert set(module.MODES) <= {"train", "infer"}
    assert module.MODES
    kind = {"fault": "Planted fault: ", "lookalike": "Planted lookalike: ", "zoo": "Zoo: "}.get(
        name.partition("_")[0], ""
    )
    assert first.startswith(kind)


@pytest.mark.parametrize("name", NAMES)
def test_its_options_are_frozen_documented_and_have_defaults(name: str) -> None:
    options = catalog.load(name).Options
    made = options()
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


def test_naming_and_loading_all_imports_no_framework_and_no_numpy() -> None:
    code = (
        "import sys; from workloads import catalog\n"
        "for name in catalog.names(): catalog.describe(name)\n"
        "print(sorted({'torch', 'tensorflow', 'numpy'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_an_unknown_name_or_option_names_the_nearest() -> None:
    with pytest.raises(catalog.WorkloadError, match="did you mean 'recurrent'"):
        catalog.load("recurent")
    with pytest.raises(catalog.WorkloadError, match=r"expected train\.py:NAME, of a function, generator or class"):
        catalog.load("train.py")
    with pytest.raises(catalog.WorkloadError, match="did you mean 'mib_per_second'"):
        catalog.options_of("fault_native_heap", {"mib_per_secnd": 1})
    with pytest.raises(catalog.WorkloadError, match=r"mib_per_second = 'fast': expected float"):
        catalog.options_of("fault_native_heap", {"mib_per_second": "fast"})
    with pytest.raises(catalog.WorkloadError, match="heads = 3: expected a divisor"):
        catalog.options_of("transformer", {"heads": 3})
    with pytest.raises(catalog.WorkloadError, match="batch = 0: expected 1 or more"):
        catalog.options_of("recurrent", {"batch": 0})
    with pytest.raises(catalog.WorkloadError, match="precision = 'half': expected float32 or bfloat16"):
        catalog.options_of("recurrent", {"precision": "half"})


@pytest.mark.parametrize("name", NAMES)
def test_it_says_which_devices_it_runs_on(name: str) -> None:
    devices = catalog.devices_of(catalog.load(name))
    assert devices
    assert set(devices) <= {"cpu", "cuda"}
    assert catalog.describe(name)["devices"] == list(devices)
