"""Rows around what cannot be read: every whole row comes, no other, and it ends."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from soak.record.damage import checksum, round_checksum, whole_rounds
from soak.record.salvage import Row, salvaged


class HoleError(Exception):
    """A page that cannot be read."""


class Table:
    """Rows 0 to `count`, of which some raise, and some are not whole and say a wrong id."""

    def __init__(self, count: int, holes: set[int], false: dict[int, int]) -> None:
        self.count, self.holes, self.false, self.reads = count, holes, false, 0

    def read(self, low: int, one: bool) -> Iterator[Row]:
        self.reads += 1
        for number in range(max(0, low), self.count):
            if number in self.holes:
                raise HoleError
            yield (self.false.get(number, number), number not in self.false)
            if one:
                return


@given(st.integers(0, 300), st.sets(st.integers(0, 299)), st.dictionaries(st.integers(0, 299), st.integers(0, 2**60)))
def test_every_whole_row_is_found_and_no_other(count: int, holes: set[int], false: dict[int, int]) -> None:
    table = Table(count, holes, false)
    found = [row[0] for row in salvaged(table.read, lambda row: row[1], HoleError)]
    assert set(found) == set(range(count)) - holes - set(false)


def test_a_table_that_cannot_be_read_at_all_ends_soon() -> None:
    table = Table(10**9, set(range(1)), {})
    table.read = lambda low, one: (_ for _ in ()).throw(HoleError())  # type: ignore[method-assign]
    assert list(salvaged(table.read, lambda row: True, HoleError)) == []


def test_a_long_hole_is_leapt_over() -> None:
    table = Table(200_000, set(range(1000, 199_000)), {})
    assert len(list(salvaged(table.read, lambda row: True, HoleError))) == 2000
    assert table.reads < 200


@given(*[st.integers(-(2**63), 2**63 - 1)] * 3, st.floats(allow_nan=False), st.binary(max_size=64))
def test_the_checksum_of_a_round_is_that_of_its_row(number: int, trial: int, n: int, t: float, data: bytes) -> None:
    row = (number, trial, n, t, data)
    crc = round_checksum(*row)
    assert crc == checksum("round", *row)
    assert whole_rounds([(*row, crc), (*row, 1 ^ crc)]) == [(number, n, t, data)]
