"""Environments of their own: what they are made of, where they are, what state they are in, and what a config says."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from soak import environments
from soak.doctor.own_environments import findings
from soak.environments import Environment, EnvironmentNameError
from soak.environments.build import NPM_OPTIONS, build, steps
from soak.errors import ConfigError, UsageError
from soak.plan.config import load
from soak.plan.plan import make_plan

TRIAL = '[run]\nduration = "1 s"\n[[trial]]\nworkload = "recurrent"\nframework = "none"\npython = {python!r}\n'


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(environments.VARIABLE, str(tmp_path / "all"))
    return tmp_path / "all"


@pytest.fixture
def definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of definitions in place of those that come with soak: Python and Node.js, and either alone."""
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "both.txt").write_text("# For both.\nnumpy==1.26.4\n")
    (folder / "both.no-deps.txt").write_text("stubborn==1\n")
    (folder / "both.package.json").write_text('{"dependencies": {"left-pad": "1.3.0"}}')
    (folder / "script.package.json").write_text('{"description": "Scripts."}')
    monkeypatch.setattr(environments, "_HERE", folder)
    return folder


def built(each: Environment, made_of: str = "") -> None:
    each.folder.mkdir(parents=True)
    each.stamp.write_text(json.dumps({"made_of": made_of or each.made_of}))


def written(folder: Path, python: str) -> Path:
    config = folder / "my.toml"
    config.write_text(TRIAL.format(python=python))
    return config


# -- those that come with soak --


@pytest.mark.parametrize("name", environments.names())
def test_each_says_what_it_is_for_and_pins_all_that_it_names(name: str) -> None:
    found = environments.find(name)
    assert 20 < len(found.about) < 140
    for file in (found.requirements, found.without_dependencies):
        lines = file.read_text(encoding="utf-8").splitlines() if file else []
        wanted = [line for line in lines if line and not line.startswith("#")]
        assert all(re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.+]+", line) for line in wanted), wanted
    if found.node_package:
        wanted = list(json.loads(found.node_package.read_text(encoding="utf-8"))["dependencies"].values())
        assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted), wanted


# -- what they are made of, and where --


def test_they_are_in_the_folder_that_is_named_or_else_in_the_home() -> None:
    assert environments.root({environments.VARIABLE: "/data/envs"}) == Path("/data/envs")
    assert environments.root({"XDG_DATA_HOME": "/data"}) == Path("/data/soak/environments")
    assert environments.root({}) == Path.home() / ".local/share/soak/environments"


@pytest.mark.usefixtures("root", "definitions")
def test_names_come_from_files_each_once() -> None:
    assert environments.names() == ("both", "script")
    assert environments.find("both").about == "For both."
    assert environments.find("script").about == "Scripts."


@pytest.mark.usefixtures("root", "definitions")
def test_an_unknown_one_names_all_and_the_nearest() -> None:
    with pytest.raises(EnvironmentNameError, match=r"'boht': expected both or script, did you mean 'both'\?"):
        environments.find("boht")


@pytest.mark.usefixtures("definitions")
def test_the_steps_make_it_and_install_what_its_files_say_in_order(
    root: Path, definitions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    folder, pip = root / "both", [str(root / "both/bin/python"), "-m", "pip", "install", "--disable-pip-version-check"]
    assert steps(environments.find("both"), "/usr/bin/python3", ["--no-index"]) == [
        ["/usr/bin/python3", "-m", "venv", str(folder)],
        [*pip, "--no-index", "--requirement", str(definitions / "both.txt")],
        [*pip, "--no-index", "--no-deps", "--requirement", str(definitions / "both.no-deps.txt")],
        ["cp", str(definitions / "both.package.json"), str(folder / "package.json")],
        ["/usr/bin/npm", "install", "--prefix", str(folder), *NPM_OPTIONS],
    ]


@pytest.mark.usefixtures("root", "definitions")
def test_without_npm_one_that_needs_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(UsageError, match="environment 'script' needs npm, which is not installed"):
        steps(environments.find("script"), sys.executable, [])
    built = environments.find("script").folder / "node_modules"
    built.mkdir(parents=True)
    with pytest.raises(UsageError, match="npm"):
        build(environments.find("script"), sys.executable, [], print)
    assert built.exists(), "what was there is not removed for what cannot be built"


# -- the state that one is in --


@pytest.mark.usefixtures("root")
def test_its_state_follows_what_is_there_and_what_it_was_built_from(definitions: Path) -> None:
    found = environments.find("both")
    assert found.state == "absent"
    found.folder.mkdir(parents=True)
    assert found.state == "absent", "an empty folder holds nothing"
    (found.folder / "bin").mkdir()
    assert found.state == "unfinished"
    found.stamp.write_text("{")
    assert found.state == "unfinished"
    found.stamp.write_text(json.dumps({"made_of": found.made_of}))
    assert found.state == "ready"
    (definitions / "both.no-deps.txt").write_text("stubborn==2\n")
    assert found.state == "outdated"


@pytest.mark.usefixtures("root", "definitions")
def test_the_doctor_tells_of_each_what_to_do() -> None:
    (absent,) = findings(map(environments.find, environments.names()), lambda python: "")
    assert (absent.status, absent.message) == (
        "note", 'not built: both, script; only trials with `python = "env:NAME"` need one',
    )  # fmt: skip
    built(environments.find("both"), "something else")
    built(environments.find("script"))
    old, ready = findings(map(environments.find, environments.names()), lambda python: "")
    assert (old.status, old.advice) == ("warning", "`soak env both --rebuild`")
    assert (ready.status, ready.name) == ("ok", "env:script")
    broken, _ = findings(map(environments.find, environments.names()), lambda python: "one that starts")
    assert (broken.status, "bin/python: expected one that starts" in broken.message) == ("broken", True)


# -- in a config --


@pytest.mark.usefixtures("definitions")
def test_a_config_names_one_by_its_name(root: Path, tmp_path: Path) -> None:
    (trial,) = make_plan(load(written(tmp_path, "env:both")))
    assert trial.members[0].python == str(root / "both/bin/python")
    assert environments.hint_of(trial.members[0].python) == "run `soak env both` first"
    assert environments.hint_of("/usr/bin/python3") == ""


@pytest.mark.usefixtures("root", "definitions")
@pytest.mark.parametrize(
    ("python", "expected"),
    [("env:boht", "did you mean 'both'"), ("env:script", "holds packages of Node.js, and no Python")],
)
def test_one_that_cannot_be_is_an_error_of_its_key(python: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"my\.toml: trial\[0\]\.python = '{python}': .*{expected}"):
        load(written(tmp_path, python))
