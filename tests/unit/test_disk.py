"""How much room there is, and when samples thin out."""

from __future__ import annotations

import pytest

from soak.engine.disk import Room, room


@pytest.mark.parametrize(
    ("free", "before", "expected"),
    [
        (600, Room.ENOUGH, Room.ENOUGH),
        (499, Room.ENOUGH, Room.SHORT),
        (550, Room.SHORT, Room.SHORT),
        (601, Room.SHORT, Room.ENOUGH),
        (99, Room.SHORT, Room.NONE),
        (99, Room.ENOUGH, Room.NONE),
        (9999, Room.NONE, Room.NONE),
    ],
)
def test_room_is_short_until_it_has_eased_and_gone_for_good(free: float, before: Room, expected: Room) -> None:
    assert room(free, before, low=500, least=100) is expected
