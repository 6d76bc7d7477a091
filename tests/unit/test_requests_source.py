"""The source of payloads: sizes, contents and doses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.errors import StreamError
from workloads.inputs import requests
from workloads.options import OptionError

SIZES = st.lists(st.integers(0, 3000), min_size=1, max_size=5).map(tuple)


@given(SIZES, st.integers(0, 2**64 - 1), st.sampled_from(["fixed", "set", "new"]))
def test_payloads_have_their_sizes_and_are_counted(sizes: tuple[int, ...], seed: int, size: str) -> None:
    options = requests.Options(size=size, sizes=sizes, new_every=3, vary=False)
    source, again = requests.open_source(options, seed), requests.open_source(options, seed)
    drawn = [source.next() for _ in range(20)]
    assert drawn == [again.next() for _ in range(20)]
    lengths = [len(payload) for payload in drawn]
    if size == "new":
        assert lengths[::3] == [sizes[0]] * 7
        assert len(set(lengths[2::3])) == 6
    else:
        assert set(lengths) <= ({sizes[0]} if size == "fixed" else set(sizes))
    assert source.doses() == {"payloads": 20, "payload_bytes": sum(lengths), "distinct_sizes": len(set(lengths))}


def test_payloads_differ_by_seed_and_by_number() -> None:
    options = requests.Options(sizes=(64,))
    one, two = requests.open_source(options, 1), requests.open_source(options, 2)
    assert len({one.next(), one.next(), two.next(), two.next()}) == 4


@given(st.integers(40, 500), st.integers(0, 2**32))
def test_json_is_an_object_of_exactly_its_size(size: int, seed: int) -> None:
    source = requests.open_source(requests.Options(form="json", size="fixed", sizes=(size,)), seed)
    for number in range(12):
        payload = source.next()
        assert len(payload) == size
        assert json.loads(payload)["index"] == number


def test_lines_of_a_file_come_in_their_order_and_again(tmp_path: Path) -> None:
    path = tmp_path / "payloads.txt"
    path.write_bytes(b"one\r\n\nthree\ntwo")
    source = requests.open_source(requests.Options(form="lines", path=str(path)), 0)
    assert source.doses()["distinct_sizes"] == 0
    assert [source.next() for _ in range(4)] == [b"one", b"three", b"two", b"one"]
    assert source.doses() == {"payloads": 4, "payload_bytes": 14, "distinct_sizes": 2}


@pytest.mark.parametrize(("data", "words"), [(b"\n\n", "holds no line"), (None, "cannot be read: No such file")])
def test_a_file_without_lines_is_told(tmp_path: Path, data: bytes | None, words: str) -> None:
    path = tmp_path / "payloads.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(StreamError, match=f"payloads.txt: {words}"):
        requests.open_source(requests.Options(form="lines", path=str(path)), 0)


def test_a_file_that_is_not_there_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"path = .*expected a file that exists"):
        requests.check(requests.Options(form="lines", path=str(tmp_path / "none")))
    requests.check(requests.Options())


@pytest.mark.parametrize(
    ("given", "words"),
    [({"form": "xml"}, 'form = .*expected "bytes" or "json" or "lines"'), ({"size": "any"}, "size = "),
     ({"sizes": ()}, r"sizes = \[\]: expected 1 to 1,000 sizes"), ({"sizes": (-1,)}, "each of 0 to"),
     ({"form": "json", "sizes": (39,)}, "each of 40 to 16777216 bytes")],
)  # fmt: skip
def test_an_option_that_cannot_be_is_told(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        requests.Options(**given)
