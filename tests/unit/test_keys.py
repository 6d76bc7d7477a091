"""Every key of a config is described, from the code and nowhere else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from soak import keys
from soak.commands import list as listing
from soak.plan.config_tables import RunTable, TrialTable
from soak.plan.quantity import Size

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
ROWS = {row["key"]: row for row in keys.describe()}


def test_every_key_says_what_it_is() -> None:
    assert [name for name, row in ROWS.items() if not row["about"]] == []
    expected = {f"run.{field.name}" for field in dataclasses.fields(RunTable)}
    expected |= {f"trial.{field.name}" for field in dataclasses.fields(TrialTable)}
    assert expected <= ROWS.keys()


@pytest.mark.parametrize(
    ("key", "takes", "default"),
    [
        ("run.duration", 'time, such as "90 s"', ""),
        ("run.low_disk", 'size, such as "2 GiB"', '"512 MiB"'),
        ("judge.min_rate", 'rate, such as "1 MiB/h"', '"1 MiB/h"'),
        ("run.repeats", "number from 1 to 1,000", "1"),
        ("trial.mode", '"train", "infer", or a list of these', '"infer"'),
        ("run.probes", 'true, false or "half"', "true"),
        ("schedule.config", "text", "required"),
        ("stream.source", "text", '"synthetic"'),
    ],
)
def test_what_a_key_takes_is_said_as_people_write_it(key: str, takes: str, default: str) -> None:
    assert (ROWS[key]["takes"], ROWS[key]["default"]) == (takes, default)


def test_a_docstring_of_several_lines_is_one_sentence() -> None:
    @dataclasses.dataclass
    class Table:
        """Of a test."""

        room: Size = Size(1)
        """How much
        there is."""
        other: int = 0

    assert keys.texts_of(Table) == {"room": "How much there is."}


def test_the_page_is_that_of_this_code() -> None:
    assert PAGE.read_text() == keys.page(), "python -m soak.keys > docs/configuration.md"


def test_keys_are_listed_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    assert listing.run(argparse.Namespace(kind="keys", json=False)) == 0
    told = capsys.readouterr().out
    assert "run.sample_interval" in told
    assert listing.run(argparse.Namespace(kind=None, json=True)) == 0
    assert "run.sample_interval" not in capsys.readouterr().out
