"""What plug-ins need: one way to say it, and one way to be told what of it is not there."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from soak import environments, plugins
from soak.doctor import plug_ins
from workloads import executions, sources
from workloads.needs import Lack, Needs, NeedsError, hold, installed_versions, missing_of, needs_of
from workloads.protocol.order import StreamSpec, TrialSpec
from workloads.worker.main import versions_of

NOTHING = Needs({"json": "json"}, {"c": "libc6"}, {"sh": "dash"})
"""That any machine lacks."""


def told(**parts: Any) -> list[str]:
    return [str(lack) for lack in needs_of(SimpleNamespace(**parts)).lacks()]


def test_of_what_is_there_nothing_is_said() -> None:
    assert not list(NOTHING.lacks())
    assert not told()
    hold("workload 'w'", NOTHING)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            {"REQUIRES": {"no_such": "such[a]"}},
            f"it needs no_such, which is not installed in {sys.executable}: pip install 'such[a]', or name another"
            " `python`",
        ),
        (
            {"LIBRARIES": {"no_such_library": "such"}},
            "it needs the shared library libno_such_library.so, which is not installed: apt install such",
        ),
        (
            {"PROGRAMS": {"no-such-program": "such"}},
            "it needs the program no-such-program, which is not on the PATH: apt install such",
        ),
        ({"missing": lambda: "node is v16: expected 18"}, "node is v16: expected 18"),
    ],
)
def test_each_thing_that_is_not_there_is_told_with_what_to_do(parts: dict[str, Any], said: str) -> None:
    assert told(**parts) == [said]


def test_options_may_need_more() -> None:
    module = SimpleNamespace(REQUIRES={"json": "json"}, requires=lambda options: {options: "such"})
    assert list(needs_of(module).modules) == ["json"]
    assert list(needs_of(module, "no_such").modules) == ["json", "no_such"]


def test_a_source_may_need_more_by_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sources.load("tokens")
    monkeypatch.setattr(module, "requires", lambda options: {f"of_{options.batch}": "such"}, raising=False)
    assert list(sources.needs(StreamSpec("tokens", {"batch": 3})).modules) == ["of_3"]


def test_a_module_of_a_package_that_is_not_there_is_not_there() -> None:
    assert missing_of(["no_such.part", "json.decoder", "json"]) == ["no_such.part"]


def test_of_another_interpreter_its_modules_are_asked_and_no_libraries() -> None:
    needs = Needs({"json": "json"}, {"no_such_library": "such"})
    (lack,) = needs.lacks(lambda module: False, "/opt/python")
    assert lack.said == "it needs json, which is not installed in /opt/python"


def test_programs_are_looked_for_where_the_member_looks(tmp_path: Path) -> None:
    (tmp_path / "planted").touch(0o755)
    needs = Needs(programs={"planted": "such"})
    assert not list(needs.lacks(path=str(tmp_path)))
    assert len(list(needs.lacks(path="/nowhere"))) == 1


def test_the_worker_refuses_to_start_without_it() -> None:
    with pytest.raises(NeedsError, match=r"^workload 'w': it needs no_such, which is not installed in .*: pip install"):
        hold("workload 'w'", Needs({"no_such": "such"}))
    with pytest.raises(NeedsError, match=r"^execution 'x': it needs the program no-such-program"):
        hold("execution 'x'", Needs(programs={"no-such-program": "such"}))


def test_the_doctor_tells_modules_together_and_each_thing_of_the_system_with_who_needs_it() -> None:
    web, lack = Needs(programs={"no-such-program": "such"}), Needs({"no_such": "such[a]", "nor_that": "that"})
    said = {each.group: each for each in plug_ins.findings([("server a", web), ("server b", web), ("client c", lack)])}
    assert said["system"].message == (
        "server a, server b: it needs the program no-such-program, which is not on the PATH"
    )
    assert said["system"].advice == "`apt install such`"
    assert said["frameworks"].message == "1 plug-in cannot run in this interpreter, which lacks such[a], that"
    assert {each.status for each in said.values()} == {"note"}, "soak runs what needs none of it"
    assert not list(plug_ins.findings([("server a", NOTHING)]))


def test_the_doctor_asks_every_kind_that_a_trial_runs() -> None:
    found = dict(plugins.needs())
    assert {name.split()[0] for name in found} == {"workload", "client", "server", "source", "framework", "execution"}
    assert found["server nginx"].programs == {"nginx": "nginx-light"}
    assert found["workload decode_torchcodec"].libraries == {"avcodec": "ffmpeg"}


def test_an_environment_that_has_a_module_is_named_and_its_own_interpreter_is_told_to_be_built_anew() -> None:
    assert "torchserve" in environments.holding("TorchServe")
    assert environments.holding("no-such-package") == environments.holding("") == ()
    assert environments.advice_of("nvidia-pytriton", "") == (
        '`soak env triton` builds one that has it, for python = "env:triton"'
    )
    own = str(environments.find("triton").python)
    assert environments.advice_of("nvidia-pytriton", own) == "`soak env triton --rebuild` installs it"
    assert environments.advice_of(Lack("it needs").package, "") == ""


def test_versions_are_those_that_are_installed_though_nothing_has_imported_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a_module-1.5", "another_package-2.25"):
        folder = tmp_path / f"{name}.dist-info"
        folder.mkdir()
        name, version = name.split("-")
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "tells", SimpleNamespace(__version__="3"))
    monkeypatch.setitem(sys.modules, "tells_not", SimpleNamespace(__version__=(1, 2)))
    requires = {"a_module": "a-module>=1", "another": "another-package<81", "tells": "soak[tells]",
                "tells_not": "tells-not", "no_such": "no-such"}  # fmt: skip
    wanted = {"a_module": "1.5", "another": "2.25", "tells": "3"}
    assert installed_versions(requires) == wanted
    monkeypatch.setattr(executions.find("none", "eager"), "REQUIRES", requires)
    assert versions_of(TrialSpec("planted", "none", "infer")) == wanted
    assert not {"a_module", "another"} & set(sys.modules)


def test_an_extra_of_another_package_tells_no_version() -> None:
    assert metadata.version("pytest")
    assert installed_versions({"no_such": "pytest[no_such]"}) == {}
