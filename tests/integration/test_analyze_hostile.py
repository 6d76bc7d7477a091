"""`soak analyze` on what strangers wrote, damaged or never meant for it: one line, the right code, nothing silent."""

from __future__ import annotations

import http.server
import json
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from soak.cli import main
from soak.record.store import FILE, Store
from soak.traces import parquet_process
from tests.torture import traces

LEAK = "".join(f"{10 * i},{300_000_000 + 20_000 * i}\n" for i in range(360))
SOAK = (sys.executable, "-P", "-m", "soak")


def analyze(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[Any], list[str]]:
    """Exit code, objects on standard output, lines on standard error."""
    capsys.readouterr()
    code = main(["analyze", "--json", *words])
    said = capsys.readouterr()
    return code, [json.loads(line) for line in said.out.splitlines()], said.err.splitlines()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("make", [traces.csv_file, traces.parquet_file])
def test_any_file_is_judged_or_refused_and_none_called_its_opposite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[random.Random], traces.Case], seed: int
) -> None:
    case = make(random.Random(seed))
    (tmp_path / case.name).write_bytes(case.content)
    code, told, errors = analyze(capsys, str(tmp_path / case.name))
    if code == 2:
        assert (told, len(errors)) == ([], 1)
        return
    ((verdict,), _) = [one["verdict"] for one in told], code
    assert code == {"pass": 0, "leak": 1, "inconclusive": 3}[verdict]
    assert errors == []
    assert {case.truth, verdict} != {"pass", "leak"}, case.done


def test_a_reader_of_parquet_that_dies_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1")
    for code, said in (
        ("import os; os.kill(os.getpid(), 11)", f"died of it ({signal.SIGSEGV.name})"),
        ("raise MemoryError('so\\nmuch')", "ended with 1: much"),
    ):
        monkeypatch.setattr(parquet_process, "COMMAND", (sys.executable, "-c", code))
        assert analyze(capsys, str(path)) == (2, [], [f"soak: {path}: damaged: the reader of Parquet {said}"])


def test_parquet_is_read_elsewhere_and_refused_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 no")
    code, told, errors = analyze(capsys, str(path))
    assert (code, told, len(errors)) == (2, [], 1)
    assert errors[0].startswith(f"soak: {path}: damaged, or cannot be read as Parquet: ")


def test_names_of_columns_are_shown_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["[/job:localhost/replica:0]", "[bold]x[/bold]_bytes", "\u202eevil", '"two\nlines"', "y" * 300]
    rows = "".join(f"{10 * i}" + f",{i % 7}" * len(names) + "\n" for i in range(200))
    (tmp_path / "x.csv").write_text(",".join(["t", *names]) + "\n" + rows)
    assert main(["analyze", str(tmp_path / "x.csv")]) in (0, 3)
    out = capsys.readouterr().out
    for shown in ("[/job:localhost/r", "[bold]x[/bold]_b", "\\u202eevil", "two lines"):
        assert shown in out
    _, (body,), _ = analyze(capsys, str(tmp_path / "x.csv"), "--column", "*")
    assert body["series"][0]["name"] == names[0]


def test_what_is_lost_is_said_in_both_outputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.csv"
    path.write_text("t,rss_bytes\n" + LEAK.replace("\n", "\n?,5\n"))
    code, (body,), _ = analyze(capsys, str(path))
    assert (code, body["verdict"]) == (3, "inconclusive")
    assert body["reason"].startswith(
        "rss_bytes: 50 % of the samples could not be read; in the rest: anonymous: sustained growth"
    )
    assert body["notes"] == ["360 of 720 rows left out: their time cannot be read"]
    main(["analyze", str(path)])
    assert "note: 360 of 720 rows left out: their time cannot be read" in capsys.readouterr().out


def test_a_run_of_which_nothing_was_started_has_no_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store.create(tmp_path / FILE).close()
    code, told, errors = analyze(capsys, str(tmp_path))
    assert (code, told) == (2, [])
    assert errors == [f"soak: {tmp_path}: no trial of this run was started; there is nothing to judge"]


def test_a_reader_that_goes_away_leaves_the_verdict_its_code(tmp_path: Path) -> None:
    (tmp_path / "leak.csv").write_text("t,rss_bytes\n" + LEAK)
    for words in (["--json"], []):
        process = subprocess.Popen(
            [*SOAK, "analyze", "leak.csv", *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
        process.stderr.close()
        assert process.wait(60) == 1
        assert b"Traceback" not in errors
        assert b"Exception" not in errors


class _Server(http.server.ThreadingHTTPServer):
    """Answers every request with one body."""

    status, body, headers = 200, b"", {}

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[tuple[str, str | None]] = []
        self.headers: dict[str, str] = {}

    def handle_error(self, *_: Any) -> None:
        """Nothing: who asked may go away in the middle of an answer, and what is printed here is read as its own."""


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        self.rfile.read(int(self.headers["Content-Length"]))
        server.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(server.status)
        for name, value in {"Content-Length": str(len(server.body)), **server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(server.body)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "headers", "said"),
    [
        (200, b"<html>no</html>", {}, "not valid JSON"),
        (200, b"{}", {"Content-Length": "900"}, "the answer was cut: 2 of 900 bytes"),
        (302, b"", {"Location": "http://127.0.0.1:1/elsewhere"}, "a redirect, which is not followed"),
        (307, b"", {"Location": "http://127.0.0.1:1/elsewhere"}, "a redirect, which is not followed"),
        (401, b"\x1b[31m[/x]", {}, "refused the query 'x': HTTP 401"),
        (400, b'{"status": "error", "error": "parse error [/x]"}', {}, "HTTP 400: parse error [/x]"),
        (503, b"", {}, "HTTP 503"),
    ],
)
def test_answers_that_are_none_are_one_line_without_secrets(
    server: _Server, capsys: pytest.CaptureFixture[str], status: int, body: bytes, headers: dict[str, str], said: str
) -> None:
    server.status, server.body, server.headers = status, body, headers
    url = f"http://user:secret@127.0.0.1:{server.server_port}/below/"
    code, told, errors = analyze(capsys, "--prometheus", url, "--query", "x")
    assert (code, told, len(errors)) == (2, [], 1)
    assert said in errors[0]
    assert errors[0].isprintable()
    assert "secret" not in errors[0]
    assert server.asked == [("/below/api/v1/query_range", "Basic dXNlcjpzZWNyZXQ=")]


def test_a_huge_answer_is_not_taken_in(
    server: _Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soak.traces.prometheus.MOST_BODY", 1 << 20)
    server.body = b" " * (1 << 22)
    code, _, errors = analyze(capsys, "--prometheus", f"http://127.0.0.1:{server.server_port}", "--query", "x")
    assert code == 2
    assert "an answer of more than 1,048,576 bytes" in errors[0]
