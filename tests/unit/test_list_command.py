"""What `soak list` prints fits a narrow terminal."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import pytest

from reports.tables import LEAST_PROSE
from soak.commands import list as listing
from soak.plugins import PLUGINS
from tests.planting import Planted
from workloads import frameworks

KINDS = ["clients", "executions", "frameworks", "servers", "sources", "workloads"]
HEADINGS = {
    "clients": "name about options installed", "executions": "name about framework requires installed",
    "frameworks": "name about installed install", "servers": "name about options installed",
    "sources": "name about item options installed", "workloads": "name about options frameworks",
}  # fmt: skip


def listed(kind: str, as_json: bool) -> int:
    return listing.run(argparse.Namespace(kind=kind, json=as_json))


def on_a_terminal(kind: str, columns: int, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of `soak list KIND`, without its styles."""
    patch.setenv("COLUMNS", str(columns))
    patch.setenv("FORCE_COLOR", "1")
    assert listed(kind, as_json=False) == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_fits_a_terminal(
    kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    title, headings, *rows = on_a_terminal(kind, 132, monkeypatch, capsys)
    assert title == kind
    assert headings.split() == HEADINGS[kind].split()
    after = headings.split()[2]
    assert headings.index(after) - headings.index("about") >= LEAST_PROSE, "a sentence takes a few lines"
    if kind == "workloads":
        named = {word.strip(",") for row in rows for word in row[headings.index("frameworks") :].split()}
        assert named <= set(frameworks.names()), "no word is broken"


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("kind", KINDS)
def test_a_narrow_terminal_shows_all_that_a_wide_one_shows(
    kind: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = set(" ".join(on_a_terminal(kind, columns, monkeypatch, capsys)).split())
    wide = set(" ".join(on_a_terminal(kind, 1000, monkeypatch, capsys)[2:]).split())
    assert wide <= words


@pytest.mark.parametrize("kind", KINDS)
def test_as_json_each_tells_what_it_requires_and_its_options(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(kind, as_json=True) == 0
    rows = json.loads(capsys.readouterr().out)[kind]
    assert rows
    for row in rows:
        assert 5 < len(row["about"]) < 120
        assert len(row["requires"]) == len(row["install"])
        assert isinstance(row["installed"], bool)
        assert ("options" in row) is (kind not in ("executions", "frameworks"))
    if kind == "clients":
        (http,) = (row for row in rows if row["name"] == "http_client")
        assert (http["requires"], http["install"]) == (["aiohttp"], ["soak[clients]"])
        assert (http["options"]["concurrency"], http["options"]["verify_tls"]) == (8, True)
    if kind == "sources":
        assert {row["name"]: row["requires"] for row in rows}["file"] == ["av"]


def test_one_of_somebody_elses_that_is_broken_says_so_and_hides_no_other(tmp_path: Path) -> None:
    planted = Planted(tmp_path)
    groups = ("clients", "executions", "frameworks", "servers", "sources", "workloads")
    planted.install("broken", {f"soak.{group}": {"lame": "lame"} for group in groups}, {"lame": '"""Nothing."""\n'})
    ran = planted.run("-m", "soak", "list", "--json")
    assert ran.returncode == 0, ran.stderr
    for group, rows in json.loads(ran.stdout).items():
        if group in groups:
            (lame,) = (row for row in rows if row["name"] == "lame")
            assert "lacks" in lame["about"]
            assert len(rows) > 1
    assert planted.run("-m", "soak", "list").returncode == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("this is = no Python", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import no_such_module", "No module named 'no_such_module'"),
    ],
)
def test_one_of_somebody_elses_that_cannot_be_imported_is_told_with_its_reason(
    text: str, said: str, tmp_path: Path
) -> None:
    planted = Planted(tmp_path)
    points = {f"soak.{kind}": {"lame": "lame:DETECTOR"} for kind in sorted(PLUGINS)}
    planted.install("broken", points, {"lame": text})
    ran = planted.run("-m", "soak", "list", "--json")
    assert ran.returncode == 0, ran.stderr
    for rows in json.loads(ran.stdout).values():
        (lame,) = (row for row in rows if row["name"] == "lame")
        assert said in lame["about"]
        assert len(rows) > 1
    assert planted.run("-m", "soak", "list").returncode == 0
    config = tmp_path / "soak.toml"
    config.write_text('[run]\nduration = "5 s"\n[[trial]]\ncommand = ["true"]\n')
    checked = planted.run("-m", "soak", "check", str(config))
    assert checked.returncode == 2, "every trial is sampled by every sampler"
    assert said in checked.stderr


def test_a_broken_one_ends_no_config_that_does_not_use_it(tmp_path: Path) -> None:
    planted = Planted(tmp_path)
    kinds = sorted(set(PLUGINS) - {"samplers"})
    planted.install("broken", {f"soak.{kind}": {"lame": "lame"} for kind in kinds}, {"lame": "1 / 0"})
    config = tmp_path / "soak.toml"
    config.write_text('[run]\nduration = "5 s"\n[[trial]]\ncommand = ["true"]\n')
    checked = planted.run("-m", "soak", "check", str(config))
    assert checked.returncode == 0, checked.stderr
