"""No secret value, and no part of one that says anything, is in a text that was concealed, whatever was done to it."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

from hypothesis import example, given
from hypothesis import strategies as st

from monitors.text import one_line, printable
from soak.engine.worker_log import WorkerLog
from soak.record.redaction import concealer

LETTERS = "GHJKLPgh"
"""Of values: no text around them has any, and no escape."""
INSIDE = f"{LETTERS}019 \t\n\r\"'\\$%/+=é€😀\x1b\u200e"
AROUND = st.text("wyz ,:\n\t", max_size=40)
"""Shares no letter with a value, so that nothing is hidden by chance."""
secrets = st.text(INSIDE, min_size=6, max_size=40).filter(lambda text: len(text.strip()) >= 6)
PASSPHRASE, SPACES, KEY = "correct horse battery staple", " two  spaces\tand a tab ", "-----BEGIN-----\nGHJ0\nKLP19G\n"

WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str, "on one line": lambda text: one_line(text, 10_000), "printable": printable, "repr": repr,
    "ascii": ascii, "JSON": json.dumps, "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False),
    "URL": lambda text: quote(text, safe=""), "form": quote_plus, "shell": shlex.quote,
}  # fmt: skip


def conceal(secret: str, text: str) -> str:
    return concealer([{"TOKEN": secret}])(text)


def letters(text: str) -> str:
    """What of it says anything: no space, no escape."""
    return "".join(one for one in text if one.isalnum())


@given(secrets, AROUND, AROUND, st.sampled_from(sorted(WRITTEN)))
@example(SPACES, "it is ", "", "on one line")
@example("G\"H'J\\K", "", "", "repr")
def test_a_value_is_hidden_however_it_is_written(secret: str, before: str, after: str, how: str) -> None:
    said = conceal(secret, f"{before}{WRITTEN[how](secret)}{after}")
    assert set(said) & set(LETTERS) == set(), "nor a part of it"


@given(secrets, AROUND, AROUND)
def test_a_text_may_be_put_on_one_line_before(secret: str, before: str, after: str) -> None:
    said = conceal(secret, one_line(f"{before}{secret}{after}", 10_000))
    assert set(said) & set(LETTERS) == set()


@given(secrets, AROUND, AROUND, st.integers(1, 100))
@example(PASSPHRASE, "it is ", " and more", 40)
@example(KEY, "it is ", " and more", 30)
def test_the_end_of_a_log_may_begin_within_it(secret: str, before: str, after: str, kept: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = WorkerLog(Path(folder, "worker.log"))
        os.write(log.fd, f"{before}{secret}{after}".encode())
        said = conceal(secret, log.tail(kept))
        log.close()
    assert_little_is_left(secret, said)


@given(secrets, AROUND, AROUND, st.integers(0, 100))
@example(PASSPHRASE, "it is ", "", 20)
def test_a_long_text_may_have_been_cut_within_it(secret: str, before: str, after: str, kept: int) -> None:
    whole = f"{before}{secret}{after}"
    for cut in (printable, one_line):
        said, _, _ = conceal(secret, cut(whole, kept)).partition(" more characters)")
        assert_little_is_left(secret, said.rpartition("(")[0] if "(" in said else said)


def assert_little_is_left(secret: str, said: str) -> None:
    """Up to three characters of it may stay beside a cut."""
    parts = {secret[at : at + 4] for at in range(len(secret) - 3)}
    assert [part for part in parts if part.isalnum() and part in said] == []


@given(st.text("xyzGHJ \n\t…", max_size=60), secrets)
def test_what_holds_no_value_stays_as_it_is(text: str, secret: str) -> None:
    if "…" not in text and letters(secret)[:3] not in text:
        assert conceal(secret, text) == text
