"""What is secret is nowhere in a run folder: not in the record, not in a report."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.judgement import Judgement
from monitors.model import Event
from monitors.text import HIDDEN, without_credentials
from soak.cli import main
from soak.errors import UsageError
from soak.gpu.pipe import ReaderHello
from soak.plan import config
from soak.plan.plan import make_plan
from soak.record import redaction
from soak.record.store import FILE, Store
from soak.runs.foreground import _describe

TOKEN, SHORT, TRICKY, URL = "t0p-secret-token", "qq7", "pa\"ss'\\wörd\n#1", "hunter2hunter2"
CONFIG = f"""
[run]
name = "secrets"
duration = "5 s"
[[trial]]
workload = "recurrent"
framework = "torch"
options = {{ hidden = 8 }}
[trial.env]
API_TOKEN = "{TOKEN}"   # the old one was {TOKEN}-1
PIN = '{SHORT}'
MALLOC_ARENA_MAX = "2"
[trial.stream]
source = "file"
path = "rtsp://camera:{URL}@10.0.0.1/live?token=abcdefgh"
"""


def test_nothing_secret_is_in_a_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workloads.inputs.file.check", lambda options: None)
    monkeypatch.setattr("sys.argv", ["soak", "run", "c.toml", "--set", "trial.0.env.OTHER=zz9", "--set", "run.seed=1"])
    (tmp_path / "c.toml").write_text(CONFIG)
    loaded = config.load(tmp_path / "c.toml", ["trial.0.env.OTHER=zz9", "run.seed=1"])
    run = tmp_path / "run"
    run.mkdir()
    (trial,) = make_plan(loaded)
    with Store.create(run / FILE) as store:
        _describe(store, loaded, run, 1.0, ReaderHello((), "", ""))
        ended = {"state": "ended", "started": 1.0, "seconds": 1.0, "end_reason": "failed"}
        message = f"cannot log in with {TOKEN} at https://u:{URL}@host/x?api_key=abcdefgh"
        store.put_trial(0, trial.name, {**trial.facts(), **ended, "end_message": message})
        store.add_event(Event(1.0, "last_words", message, 0, 1.0, {"log": f"{message}\n{TOKEN}", TOKEN: 1}))
        store.put_judgement(0, Judgement("unstable", message))
        for key, value in {"verdict": "unstable", "reason": message, "ended": 2.0}.items():
            store.put_meta(key, value)
    formats = [part for name in ("html", "json", "markdown", "junit") for part in ("--format", name)]
    assert main(["report", str(run), *formats]) == 1
    files = [path for path in run.rglob("*") if path.is_file()]
    assert len(files) == 5
    for path in files:
        for secret in (TOKEN, SHORT, URL, "abcdefgh", "zz9"):
            assert secret.encode() not in path.read_bytes(), (path.name, secret)
    with Store.open(run / FILE) as store:
        facts, (body,) = store.meta(), store.trials()
    assert body["settings"]["env"] == {"API_TOKEN": HIDDEN, "PIN": HIDDEN, "MALLOC_ARENA_MAX": "2", "OTHER": HIDDEN}
    assert "trial.0.env.OTHER=***" in facts["command"]
    assert "run.seed=1" in facts["command"]
    told = tomllib.loads(facts["config_text"])
    assert told["trial"][0]["options"] == {"hidden": 8}
    assert told["trial"][0]["env"]["MALLOC_ARENA_MAX"] == "2"


names = st.text(st.characters(categories=("L", "N"), max_codepoint=127), min_size=1, max_size=8)
values = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@given(st.dictionaries(names, values, min_size=1, max_size=4), st.booleans())
def test_no_value_survives_in_the_text_of_a_config(env: dict[str, str], inline: bool) -> None:
    quoted = {name: '"' + "".join(f"\\U{ord(c):08x}" if c < " " or c in '"\\\x7f' else c for c in value) + '"'
              for name, value in env.items()}  # fmt: skip
    pairs = [f"{name} = {value}" for name, value in quoted.items()]
    table = f"env = {{ {', '.join(pairs)} }}" if inline else "[trial.env]\n" + "\n".join(pairs)
    text = f'[[trial]]\nworkload = "w"\n{table}\n'
    said = redaction.config(text, redaction.concealer([env]))
    told = tomllib.loads(said)
    assert set(told["trial"][0]["env"].values()) == {HIDDEN}


def test_a_value_that_is_part_of_a_key_leaves_the_text_readable() -> None:
    text = '[[trial]]\nworkload = "w"\nenv = { A = "worklo", B = "env = {" }\n'
    told = tomllib.loads(redaction.config(text, redaction.concealer([{"A": "worklo", "B": "env = {"}])))
    assert told["trial"] == [{"workload": "w", "env": {"A": HIDDEN, "B": HIDDEN}}]


def test_a_value_that_is_written_with_escapes_is_taken_out_too() -> None:
    text = f'[[trial]]\nenv = {{ A = "\\u0074{TOKEN[1:]}" }}\n'
    assert TOKEN[1:] not in redaction.config(text, redaction.concealer([{"A": TOKEN}]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://user:pw@host:9090/x", "http://***@host:9090/x"),
        ("http://token@host/", "http://***@host/"),
        ("at https://u:p/a@ss@host/y, then", "at https://***@host/y, then"),
        ("https://h/x?a=1&access_token=abc&b=2", "https://h/x?a=1&access_token=***&b=2"),
        ("https://h/x?X-Amz-Signature=abc", "https://h/x?X-Amz-Signature=***"),
        ("Authorization: Bearer abc123def456", "Authorization: Bearer ***"),
        ("http://localhost:9090/api?query=up", "http://localhost:9090/api?query=up"),
        ("a@b.example wrote to [/job:localhost/replica:0]", "a@b.example wrote to [/job:localhost/replica:0]"),
        ("basic operations of bearer networks", "basic operations of bearer networks"),
    ],
)
def test_urls_name_no_user_password_or_token(text: str, said: str) -> None:
    assert without_credentials(text) == said
    assert str(UsageError(text)) == said


def test_variables_of_members_are_hidden_too() -> None:
    text = f'[[trial]]\n[[trial.member]]\nname = "server"\nenv = {{ KEY = "{TOKEN}", OMP_NUM_THREADS = "2" }}\n'
    (trial,) = tomllib.loads(redaction.config(text, str))["trial"]
    assert trial["member"] == [{"name": "server", "env": {"KEY": HIDDEN, "OMP_NUM_THREADS": "2"}}]


def test_a_command_line_keeps_what_is_no_secret() -> None:
    words = ["run", "--set=trial.0.env.TOKEN=abc", "--set", "trial.1.env={A='b'}", "--set", "trial.0.env.OMP_NUM=2",
             "--set", "trial.0.options.hidden=8", "--out", "/tmp/environment=x", "--env", "PIN=qq7", "--env=A=b=c",
             "--env=B", "--env", "OMP_NUM_THREADS=2"]  # fmt: skip
    assert shlex.join(redaction.command(words, str)) == shlex.join(
        ["run", "--set=trial.0.env.TOKEN=***", "--set", "trial.1.env=***", "--set", "trial.0.env.OMP_NUM=2",
         "--set", "trial.0.options.hidden=8", "--out", "/tmp/environment=x", "--env", "PIN=***", "--env=A=***",
         "--env=B", "--env", "OMP_NUM_THREADS=2"]
    )  # fmt: skip
