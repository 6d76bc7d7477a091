"""Which devices a program would see under CUDA_VISIBLE_DEVICES."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.gpu import Device
from soak.gpu.reader import visible

CARD = "GPU-cccccccc"
DEVICES = [
    Device("cuda:0", "GPU-aaaaaaaa", "H200", "0000:01:00"),
    Device("cuda:1", "GPU-aabbbbbb", "H200", "0000:02:00"),
    Device("cuda:2", "MIG-11111111", "H200 MIG 1g", "0000:03:00", parent=CARD),
    Device("cuda:3", "MIG-22222222", "H200 MIG 1g", "0000:03:00", parent=CARD),
]
A, B, ONE, TWO = (device.uuid for device in DEVICES)


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (None, [A, B, ONE, TWO]),
        ("", []),
        (" ", []),
        ("0", [A]),
        ("1,0", [B, A]),
        (" 1 , 0 ", [B, A]),
        ("2", [ONE, TWO]),
        ("2,0", [ONE, TWO, A]),
        (B, [B]),
        ("GPU-aaa", [A]),
        ("GPU-aab,GPU-aaa", [B, A]),
        (TWO, [TWO]),
        ("MIG-2,MIG-1", [TWO, ONE]),
        (CARD, [ONE, TWO]),
        (f"{A},1", [A, B]),
    ],
)
def test_devices_are_seen_in_the_order_in_which_they_are_named(said: str | None, seen: list[str]) -> None:
    assert [device.uuid for device in visible(DEVICES, said)] == seen


@pytest.mark.parametrize(
    "bad", ["-1", "3", "7", "GPU-zz", "GPU-aa", "GPU-", "G", "aaaaaaaa", "none", "", "²", "9" * 5000]
)
def test_nothing_is_seen_after_an_entry_that_names_no_device(bad: str) -> None:
    assert visible(DEVICES, bad) == []
    assert [device.uuid for device in visible(DEVICES, f"1,{bad},0")] == [B]


@pytest.mark.parametrize("said", ["0,0", "1,0,1", f"0,{A}", f"{TWO},{TWO}", f"2,{ONE}"])
def test_nothing_is_seen_where_a_device_is_named_twice(said: str) -> None:
    assert visible(DEVICES, said) == []


def test_devices_are_numbered_anew() -> None:
    assert [device.name for device in visible(DEVICES, "2,0")] == ["cuda:0", "cuda:1", "cuda:2"]


@given(st.text() | st.lists(st.sampled_from(["0", "1", "2", "-1", A, ONE, "GPU-a", "x", " ", ""])).map(",".join))
def test_whatever_is_said_each_device_is_seen_at_most_once(said: str) -> None:
    seen = visible(DEVICES, said)
    assert len({device.uuid for device in seen}) == len(seen)
    assert {device.uuid for device in seen} <= {A, B, ONE, TWO}
