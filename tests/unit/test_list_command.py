"""What `soak list` prints fits a narrow terminal."""

from __future__ import annotations

import argparse

import pytest

from soak.commands import list as listing
from workloads import frameworks


@pytest.mark.parametrize("kind", ["workloads", "clients"])
def test_a_table_of_workloads_fits_a_narrow_terminal(
    kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert listing.run(argparse.Namespace(kind=kind, json=False)) == 0
    _, headings, *rows = capsys.readouterr().out.splitlines()
    assert headings.split() == ["name", "about", "frameworks"]
    about = headings.index("frameworks") - headings.index("about")
    assert about >= 30, "a sentence takes a few lines, not one a word"
    named = {word.strip(",") for row in rows for word in row[headings.index("frameworks") :].split()}
    assert named <= set(frameworks.names()), "no word is broken"
