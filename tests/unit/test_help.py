"""Help fits the terminal: sentences are wrapped there, and lines of examples stand as they are."""

from __future__ import annotations

import pytest

from soak import cli


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("name", cli.names())
def test_sentences_of_help_are_no_wider_than_the_terminal(
    name: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    with pytest.raises(SystemExit):
        cli.parser(name).parse_args([name, "--help"])
    lines = capsys.readouterr().out.splitlines()
    sentences = [line for line in lines if not line.startswith((" ", "usage:")) and len(line.split()) > 1]
    assert max(map(len, sentences)) <= width


def test_lines_of_examples_stand_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    with pytest.raises(SystemExit):
        cli.parser("report").parse_args(["report", "--help"])
    assert "\n  soak report runs/quick-20260101T120000Z --format markdown --out -\n" in capsys.readouterr().out
