"""A run whose every text is any text at all: each report holds it, escaped, and a terminal prints it."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from dataclasses import fields, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from monitors.detection.series import Series
from monitors.judgement import Judgement
from monitors.model import Event, Finding, MetricSpec
from monitors.text import printable
from reports import catalog, document, terminal
from reports.console import console, words
from reports.record import RunInfo, TrialInfo
from soak.engine.lifecycle import Ending
from soak.engine.status import TrialStatus
from soak.plan.plan import Trial
from soak.progress import Progress
from tests.conftest import MemoryRecord
from workloads.protocol.order import TrialSpec

ANY = st.one_of(
    st.text(st.characters(), max_size=40),  # surrogates and control characters included
    st.sampled_from(
        ("[/job:localhost/replica:0]", "[red]", "[/]", ":smile:", "\x1b[31m", "caf\udce9", "<script>", "]]>", "|`\n")
    ),
)
VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(10**400), 10**400) | ANY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY, inner, max_size=3),
    max_leaves=5,
)


KNOWN = {"state": "ended", "framework": "torch", "mode": "infer", "execution": "eager", "device": "cpu"}


@st.composite
def records(draw: st.DrawFn) -> MemoryRecord:
    """One trial; whatever is a text in it is any text."""

    def texts(kind: type) -> dict[str, str]:
        return {field.name: draw(ANY) for field in fields(kind) if field.type == "str"}

    info = RunInfo(
        **texts(RunInfo), seed=1, started=1.7e9, ended=draw(st.sampled_from((None, 1.7e9, 1e300))), verdict="leak",
        environment=draw(st.dictionaries(ANY, ANY, max_size=2)),
    )  # fmt: skip
    trial = TrialInfo(
        **texts(TrialInfo) | KNOWN, index=0, seed=1, expect="pass", expect_layers=(draw(ANY),),
        settings={"options": draw(VALUES)},
        environment=draw(st.dictionaries(ANY, ANY, max_size=2)), started=1.7e9, seconds=60.0,
    )  # fmt: skip
    metric = MetricSpec(draw(ANY), "bytes", draw(ANY), "anonymous", judged=True)
    t = np.arange(20.0)
    series = Series(metric, draw(ANY), t, 1e8 + t)
    layer = draw(ANY)
    finding = Finding("trend", series.name, layer, "bytes", "leak", 0.9, False, 1e6, (0.0, 2e6), None, 1e5,
                      draw(ANY), draw(ANY), 20, 0)  # fmt: skip
    judgement = Judgement("leak", draw(ANY), 0.9, False, layer, *(draw(ANY) for _ in range(3)), False, (finding,))
    trial = replace(trial, judgement=judgement)
    event = Event(3.0, draw(ANY), draw(ANY), draw(st.sampled_from((None, 0, 7))), 1.7e9,
                  {"stacks": draw(ANY), "breaks": True, draw(ANY): draw(VALUES)})  # fmt: skip
    return MemoryRecord(info, [trial], [event], {0: [series]}, [draw(ANY)])


class Tags(HTMLParser):
    """The names of all tags, and how many scripts there are."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.scripts = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.scripts += tag == "script"


@given(records())
@settings(max_examples=25, deadline=None)
def test_every_report_holds_any_text(record: MemoryRecord) -> None:
    body = document.build(record)
    texts = {name: catalog.load(name).render(body, record) for name in catalog.names()}
    for text in texts.values():
        assert text.encode().decode() == text
        assert "\x1b" not in text
    found = json.loads(texts["json"])
    assert found["trials"][0]["name"] == body["trials"][0]["name"]
    suite = ET.fromstring(texts["junit"])
    assert suite.get("tests") == "1"
    tags = Tags(texts["html"])
    assert not {"object", "iframe", "img"} & tags.found
    assert tags.scripts == texts["html"].count('<script type="application/json"') + 1, "data, and one script: ours"
    rows = [line for line in texts["markdown"].splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert len({row.replace("\\\\", "").replace("\\|", "").count("|") for row in rows}) == 1
    shown = Console(file=io.StringIO(), width=10_000)
    terminal.print_summary(body, shown, [Path(record.info.name.replace("\0", ""))])
    assert "\x1b" not in shown.file.getvalue()  # type: ignore[attr-defined]


class Still:
    """A clock that jumps by a minute each time it is asked."""

    now = 0.0

    def monotonic(self) -> float:
        self.now += 60.0
        return self.now


@given(ANY, ANY, ANY, st.booleans())
@settings(max_examples=25, deadline=None)
def test_progress_prints_any_text_as_it_stands(name: str, reason: str, message: str, live: bool) -> None:
    out = io.StringIO()
    shown = Console(file=out, width=10_000, force_terminal=live)
    trial = Trial(0, name, TrialSpec("w", "torch"), expect="leak")
    with Progress(shown, Still()) as progress:  # type: ignore[arg-type]
        progress.begun(Path(), [trial])
        progress.started(trial)
        status = TrialStatus(name, "w", "torch", "infer", "cpu", True, "stepping", 1.0, 0.5, 1.0, 1.0, 1.0)
        progress.tick(lambda: [status], 1)
        progress.ended(trial, Ending("failed", message))
        progress.judged(trial, Judgement("pass", reason, control_passed=False))
        progress.noted(message)
    if not live:
        for text in (name, reason, message):
            assert printable(text).replace("\n", " ").replace("\t", " ") in out.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_an_encoding_lacks_is_shown_escaped(encoding: str) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace")
    Console(file=out, width=10_000).print(words("東京 [/tmp/data] \udce9 🙂"))
    out.flush()
    assert b"[/tmp/data] \\udce9" in raw.getvalue()


def test_the_console_takes_no_string_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("[red]a[/nope] :smile:")
    assert capsys.readouterr().out == "[red]a[/nope] :smile:\n"


def test_a_name_of_a_thousand_characters_leaves_the_table_readable(calm: MemoryRecord) -> None:
    calm.trial_infos[0] = replace(calm.trial_infos[0], name="x" * 1000)
    out = io.StringIO()
    terminal.print_summary(
        document.build(calm), Console(file=out, width=80, force_terminal=True, color_system=None), []
    )
    table = out.getvalue().splitlines()[:8]
    assert max(map(len, table)) <= 80
    assert "\n".join(table).count("pass") == 2


@pytest.mark.parametrize("columns", ["0", "1"])
def test_a_terminal_without_a_width_is_told_all_the_same(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    console().print(words("Pass: no leak"))
    assert capsys.readouterr().out == "Pass: no leak\n"
