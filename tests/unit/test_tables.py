"""Tables of a terminal: nothing is cut, split or left out at any width."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from reports.tables import Column, print_table

COLUMNS = (
    Column("trial"), Column("verdict"), Column("P(leak)", right=True), Column("growth", right=True),
    Column("why", prose=True),
)  # fmt: skip
SENTENCE = "growth of 1.5 GiB/h that was seen in every third of the trial and in no other layer of its memory"
ROWS = (
    ("recurrent-tensorflow-train-graph", "leak in host_heap", "0.993", "1.54 GiB/h", SENTENCE),
    ("clean", "pass", "0.012", "–", "nothing grows"),
)


def printed(width: int | None, rows: object = ROWS) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=width or 80, force_terminal=width is not None, no_color=True, color_system=None)
    print_table(COLUMNS, rows, console)  # type: ignore[arg-type]
    return file.getvalue().splitlines()


def test_where_there_is_room_cells_stand_below_their_headings() -> None:
    heading, first, second = printed(200)
    assert [heading.index(name) for name in ("trial", "verdict", "why")] == [
        first.index(cell) for cell in ("recurrent", "leak", "growth")
    ]
    assert heading.index("P(leak)") + len("P(leak)") == first.index("0.993") + len("0.993"), (
        "numbers stand to the right"
    )
    assert second.endswith("nothing grows")


def test_a_sentence_is_wrapped_between_two_words_before_anything_else_moves() -> None:
    heading, *lines = printed(120)
    assert "P(leak)" in heading
    assert all(len(line) <= 120 for line in lines)
    at = heading.index("why")
    assert " ".join(line[at:].strip() for line in lines[:-1]) == SENTENCE


@pytest.mark.parametrize("width", [40, 60, 80])
def test_without_room_a_row_is_a_block_with_every_value(width: int) -> None:
    lines = printed(width)
    assert "recurrent-tensorflow-train-graph" in lines, "no name is split"
    text = "\n".join(lines)
    for pair in (
        "verdict: leak in host_heap",
        "P(leak): 0.993",
        "growth: 1.54 GiB/h",
        "verdict: pass",
        "P(leak): 0.012",
    ):
        assert pair in text
    assert SENTENCE in re.sub(r"\s+", " ", text)
    assert all(len(line) <= width for line in lines)


def test_in_a_pipe_one_row_is_one_line() -> None:
    assert len(printed(None)) == 3
    assert SENTENCE in printed(None)[1]


CELL = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=30)


@given(st.integers(20, 200), st.lists(st.tuples(CELL, CELL, CELL, CELL, CELL), min_size=1, max_size=4))
def test_no_cell_is_ever_cut(width: int, rows: list[tuple[str, ...]]) -> None:
    text = "\n".join(printed(width, rows))
    for row in rows:
        assert all(cell in text for cell in row)
