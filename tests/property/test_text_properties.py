"""All of Unicode through the one place that cleans text, into every sink."""

from __future__ import annotations

import json
import sqlite3
import xml.etree.ElementTree as ET
from io import StringIO
from xml.sax.saxutils import escape

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from monitors.text import file_name, json_value, one_line, printable

ANY = st.text(st.characters(), max_size=300)  # surrogates and control characters included


@given(ANY)
def test_what_is_printable_fits_every_sink(text: str) -> None:
    said = printable(text)
    assert said.encode().decode() == said
    assert json.loads(json.dumps(said)) == said
    assert msgspec.json.decode(msgspec.json.encode(said)) == said
    assert ET.fromstring(f"<a>{escape(said)}</a>").text in (said, None)
    with sqlite3.connect(":memory:") as db:
        assert db.execute("SELECT ?", (said,)).fetchone() == (said,)
    db.close()
    console = Console(file=StringIO(), width=10_000)
    console.print(Text(said))
    assert "\x1b" not in console.file.getvalue()  # type: ignore[attr-defined]


@given(ANY)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert printable(printable(text)) == printable(text)
    assert "\n" not in one_line(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers(-(10**400), 10**400) | ANY | st.binary(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY | st.integers(), inner, max_size=4),
    )
)
def test_any_value_becomes_strict_json(value: object) -> None:
    found = json_value(value)
    assert json.loads(json.dumps(found, allow_nan=False).encode()) == found
    assert msgspec.json.decode(msgspec.json.encode(found)) == found
    assert json_value(found) == found


def test_json_of_any_depth_and_any_number() -> None:
    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]
    assert json.dumps(json_value(deep))
    assert json_value([10**5000, float("nan"), 2**63, -(2**63), True]) == [None, None, 2.0**63, -(2**63), True]
    assert repr(json_value(float("inf"), finite=False)) == "inf"


@given(ANY, ANY)
def test_file_names_stay_in_their_folder_and_apart(one: str, other: str) -> None:
    name = file_name(one)
    assert "/" not in name
    assert name not in ("", ".", "..")
    assert not name.startswith(".")
    assert len(name.encode()) <= 255 - len(".sqlite-journal")
    assert "\x00" not in name
    if one != other:
        assert name != file_name(other)


def test_plain_text_stays_as_it_is() -> None:
    assert printable("grün, 東京, 🙂\n\tindented [/job:localhost/replica:0]") == (
        "grün, 東京, 🙂\n\tindented [/job:localhost/replica:0]"
    )
    assert file_name("recurrent-torch-2") == "recurrent-torch-2"
    assert file_name("[/job:localhost]") != "[/job:localhost]"


def test_what_does_not_fit_is_shown_not_lost() -> None:
    assert printable("caf\udce9 \x1b[31m\x00") == "caf\\udce9 \\x1b[31m\\x00"
    assert printable("x" * 5000, most=10) == "xxxxxxxxxx… (4,990 more characters)"


def test_an_exception_that_cannot_say_what_it_is() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert printable(MuteError()) == "<MuteError that cannot be printed: ValueError>"
