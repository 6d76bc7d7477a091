"""What comes from outside the service, of any kind: an answer or one clear line, never anything else."""

from __future__ import annotations

import json
import string
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from monitors.text import one_line
from soak.errors import ConfigError
from soak.plan.quantity import Duration
from soak.service import web_config
from soak.service.config import ScheduleTable
from soak.service.connections import Connections
from soak.service.middleware import Names
from soak.service.steady import Steady
from soak.service.timetable import FILE, Timetable
from workloads.worker import sandbox

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(max_size=20)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SCALARS.filter(lambda v: v == v), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(["tls_server_config", "basic_auth_users", "cert_file", "key_file", "client_ca_file", "ann"])
LIKELY = st.recursive(SCALARS, lambda inner: st.dictionaries(KEYS, inner, max_size=4), max_leaves=12)


@given(st.binary(max_size=300) | st.text().map(str.encode) | (TREES | LIKELY).map(lambda t: yaml.dump(t).encode()))
@settings(deadline=None)
def test_a_web_config_is_one_or_one_line_says_why_not(body: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "web.yml"
        path.write_bytes(body)
        try:
            loaded, context = web_config.load(path)
        except ConfigError as error:
            said = str(error)
            assert said.startswith(f"{path}: ")
            assert said == one_line(said, 1000)
        else:
            assert context is None, "no certificate is there"
            assert loaded == web_config.WebConfig(None, {})


@given(st.binary(max_size=200) | TREES.map(lambda t: json.dumps(t, default=str, skipkeys=True).encode()))
@settings(deadline=None)
def test_any_file_of_the_state_is_read_or_put_aside(body: bytes) -> None:
    schedule = ScheduleTable("every", "c.toml", every=Duration(600.0))
    with tempfile.TemporaryDirectory() as folder:
        for name in (FILE, "clock.json"):
            (Path(folder) / name).write_bytes(body)
        made = Timetable(Path(folder))
        made.replace([schedule], lambda schedule: False, 1e9)
        assert made.next_runs() == {"every": 1e9 + 600}
        assert made.save() == ""
        steady = Steady(Path(folder), None, lambda: 1.8e9, lambda: 10.0, "boot")
        assert steady.save() == ""


@given(st.text(max_size=40))
def test_no_text_is_a_name_by_chance(host: str) -> None:
    names = Names("127.0.0.1", ["soak.example.org"], Path("/nonexistent"))
    if names.holds(host):
        assert not set(host.partition("%")[0].strip().lower()) - set(string.ascii_lowercase + string.digits + ".:[]-")


@given(st.lists(st.tuples(st.sampled_from(["enter", "leave", "asked", "answered", "sweep"]), st.sampled_from("abc"),
                          st.integers(0, 30), st.floats(0, 20))))  # fmt: skip
def test_a_door_never_holds_more_than_it_may(steps: list[tuple[str, str, int, float]]) -> None:
    class Line:
        def shutdown(self, how: int) -> None:
            """Nothing."""

    now = 0.0
    connections = Connections(16, lambda: now)
    lines: dict[tuple[str, int], Any] = {}
    for what, host, port, later in steps:
        now += later
        address = (host, port)
        if what == "enter" and address not in connections.callers:
            lines[address] = Line()
            connections.enter(address, lines[address])
        elif what == "leave" and address in lines:
            connections.leave(address, lines[address])
        elif what in ("asked", "answered"):
            getattr(connections, what)(address)
        elif what == "sweep":
            connections.sweep()
        assert len(connections.callers) <= connections.most
        for name in "abc":
            assert sum(h == name for h, _ in connections.callers) <= connections.most_of_one
    connections.close()


PARTS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(st.sets(PARTS, min_size=1, max_size=5), st.sets(PARTS, max_size=30))
def test_what_is_readable_is_all_but_the_hidden(hidden: set[str], files: set[str]) -> None:
    whole = {Path(f) for f in files} | {parent for f in (*files, *hidden) for parent in Path(f).parents}

    def listing(folder: Path) -> list[Path]:
        return [path for path in whole | {Path(h) for h in hidden} if path.parent == folder and path != folder]

    allowed = [Path(path) for path in sandbox.readable(hidden, listing)]
    for path in map(Path, files):
        away = any(path.is_relative_to(h) or Path(h).is_relative_to(path) for h in hidden)
        assert any(path.is_relative_to(each) for each in allowed) is not away
    for each in allowed:
        assert not any(Path(h).is_relative_to(each) or each.is_relative_to(h) for h in hidden)
