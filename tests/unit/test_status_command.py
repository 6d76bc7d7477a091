"""`soak status` asks whatever listens there: no answer of it is more than one clear line."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import threading
from collections.abc import Iterator

import pytest

from soak import cli


@contextlib.contextmanager
def listening(answer: bytes) -> Iterator[str]:
    """A server that says exactly this, and the URL of it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(answer)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def whole(body: bytes) -> bytes:
    return b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_in_a_pipe_a_problem_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    problem = ("the disk of runs is nearly full " * 8).strip()
    body = {"now": 1.0, "problems": [problem], "running": [], "schedules": [],
            "waiting": [{"schedule": "night", "reason": problem}]}  # fmt: skip
    with listening(whole(json.dumps(body).encode())) as url:
        assert cli.main(["status", "--url", url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"problem: {problem}", f"waiting: night, {problem}"]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"junk\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
        b"HTTP/1.0 500 \x1b[2J[/b]\r\n\r\n",
        whole(b"\xff"),
        whole(b"{}"),
        whole(b"[]"),
        whole(b"null"),
        whole(b"[" * 100_000),
        whole(b'{"now": 1e999, "problems": [], "running": [], "waiting": [], "schedules": [{}]}'),
        whole(b'{"now": 1, "problems": ["[/x]"], "running": [1], "waiting": [], "schedules": []}'),
    ],
)
def test_what_is_no_answer_is_one_line(answer: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    with listening(answer) as url:
        assert cli.main(["status", "--url", url]) == 4
    out, errors = capsys.readouterr()
    assert not out
    assert errors.count("\n") == 1
    assert errors.startswith(f"soak: {url}: ")
    assert "\x1b" not in errors


@pytest.mark.parametrize("user", ["me", "\udcff\x1b[2J"])
def test_no_password_is_a_usage_error(
    user: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SOAK_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("getpass.getpass", lambda said: input(said))
    assert cli.main(["status", "--url", "http://127.0.0.1:1", "--user", user]) == 2
    out, errors = capsys.readouterr()
    assert "no password was given" in errors
    assert "\x1b" not in out + errors


def test_a_user_of_any_name_may_ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SOAK_PASSWORD", "\udcff")
    assert cli.main(["status", "--url", "http://127.0.0.1:1", "--user", "\udcff"]) == 4
    assert "no soak service answers there" in capsys.readouterr().err
