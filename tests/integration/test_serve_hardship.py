"""A real service in hard times: it lives, says what is wrong, loses nothing, and comes back by itself."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import pytest

from soak.record.store import FILE, Store
from tests.integration.serving import CLEAN, Served, wait_for

NEVER = '[[schedule]]\nname = "never"\nconfig = "clean.toml"\nat = 2099-01-01T00:00:00Z\n'
AGAIN = '[[schedule]]\nname = "again"\nconfig = "clean.toml"\nback_to_back = true\npause = "1 s"\n'
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    service = Served(tmp_path)
    service.run_config("clean", CLEAN, seconds=3)
    yield service
    if service.process is not None:
        service.process.send_signal(signal.SIGCONT)
        assert service.stop() == 0, service.log()
    assert "Traceback" not in service.log() if (tmp_path / "log").exists() else True


def ended(state: Path, name: str, started: float) -> Path:
    folder = state / "runs" / f"{name}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(started))}"
    folder.mkdir(parents=True)
    with Store.create(folder / FILE) as store:
        for key, value in {"started": started, "ended": started + 1, "verdict": "pass", "reason": "fine"}.items():
            store.put_meta(key, value)
    (folder / "report.html").write_text("<p>")
    return folder


def problem(served: Served, kind: str) -> Callable[[], bool]:
    return lambda: f'soak_problem{{kind="{kind}"}} 1.0' in served.get("/metrics")


def no_problem(served: Served, kind: str) -> Callable[[], bool]:
    return lambda: f'soak_problem{{kind="{kind}"}} 0.0' in served.get("/metrics")


def test_damaged_runs_are_listed_as_such_and_the_others_as_they_are(served: Served) -> None:
    folders = [ended(served.state, "night", time.time() - n * 3600) for n in range(6)]
    (folders[0] / FILE).write_bytes(b"garbage")
    (folders[1] / FILE).unlink()
    (folders[2] / FILE).unlink()
    (folders[2] / FILE).mkdir()
    served.config(NEVER)
    served.start()
    wait_for(lambda: "soak_archive_damaged_runs 3.0" in served.get("/metrics"), 20)
    listed = {run["id"]: run for run in served.json("/api/v1/runs")}
    assert [bool(listed[folder.name]["damage"]) for folder in folders] == [True] * 3 + [False] * 3
    assert "record is damaged" in served.get("/reports/")
    assert folders[1].name in served.get("/")
    assert served.log().count("record is damaged") >= 1
    (folders[3] / FILE).write_bytes(b"garbage")
    wait_for(lambda: "soak_archive_damaged_runs 4.0" in served.get("/metrics"), 30)
    assert all(folder.exists() for folder in folders)


def test_no_web_config_stops_it_and_none_of_them_starts_it(served: Served) -> None:
    web = served.folder / "web.yml"
    good = f"basic_auth_users: {{ann: {bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}}}\n"
    web.write_text(good)
    served.config(NEVER, service='web_config = "web.yml"')
    served.start(wait=False)

    def asked() -> str:
        token = base64.b64encode(b"ann:secret").decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{served.port}/metrics", headers={"Authorization": f"Basic {token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    wait_for(asked, 30)
    for text in (good + "yes: x\n", "\0"):
        web.write_text(text)
        wait_for(lambda: 'soak_problem{kind="web_config"} 1.0' in asked(), 20)
        web.write_text(good)
        wait_for(lambda: 'soak_problem{kind="web_config"} 0.0' in asked(), 20)
    web.unlink()
    web.mkdir()
    wait_for(lambda: 'soak_problem{kind="web_config"} 1.0' in asked(), 20)
    assert "the web config was not reloaded" in served.log()
    assert served.stop() == 0
    done = subprocess.run(
        [sys.executable, "-P", "-m", "soak", "serve", "--config", str(served.folder / "soak.toml")],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"soak: {web}: ")
    assert done.stderr.count("\n") == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "soak", folder], check=False).returncode
    ):
        pytest.skip("needs to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.framework
def test_a_full_disk_is_lived_through_from_the_start_and_meanwhile(served: Served, small_disk: Path) -> None:
    served.state = small_disk / "state"
    path = served.folder / "clean.toml"
    path.write_text(path.read_text().replace("[run]", '[run]\nlow_disk = "1 KiB"\nmin_free_disk = "1 B"'))
    served.config(AGAIN, conditions="")
    text = (served.folder / "soak.toml").read_text().replace('free_disk = "1 MiB"', 'free_disk = "1 B"')
    (served.folder / "soak.toml").write_text(text)
    fill(small_disk)
    served.start()
    wait_for(problem(served, "state"), 20)
    assert "No space left on device" in served.json("/api/v1/status")["problem"]
    (small_disk / "filler").unlink()
    wait_for(no_problem(served, "state"), 20)
    wait_for(served.runs, 100)
    fill(small_disk)
    wait_for(problem(served, "state"), 60)
    served.kill()
    served.start()
    wait_for(problem(served, "state"), 20)
    (small_disk / "filler").unlink()
    wait_for(no_problem(served, "state"), 60)
    before = {run["id"] for run in served.runs()}
    wait_for(lambda: {run["id"] for run in served.runs()} - before, 200)


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass


def test_a_read_only_disk_is_lived_through(served: Served, small_disk: Path) -> None:
    served.state = small_disk / "state"
    served.config(NEVER)
    served.start()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert served.stop() == 0
    served.start()
    wait_for(problem(served, "state"), 20)
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    wait_for(no_problem(served, "state"), 20)


def answered(request: urllib.request.Request) -> int:
    """The status; 0 without an answer."""
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def raw(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=5)


def test_idle_dripping_and_slow_connections_keep_nobody_out(served: Served) -> None:
    served.config(NEVER)
    served.start()
    held = [raw(served) for _ in range(220)]
    assert "soak is healthy" in served.get("/-/healthy")
    for connection in held:
        connection.close()
    held = [raw(served) for _ in range(150)]
    for connection in held:
        with contextlib.suppress(OSError):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
    assert "soak_up 1.0" in served.get("/metrics")

    def dripped() -> bool:
        for connection in held:
            with contextlib.suppress(OSError):
                connection.sendall(b"X: y\r\n")
        return len([c for c in held if is_open(c)]) == 0

    wait_for(dripped, 30)
    slow = []
    for _ in range(60):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", served.port))
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        slow.append(connection)
    assert "soak is healthy" in served.get("/-/healthy")
    for connection in (*held, *slow):
        connection.close()
    wait_for(lambda: "soak_http_connections 1.0" in served.get("/metrics"), 40)


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(100) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_guesses_by_the_hundred_keep_no_user_waiting(served: Served) -> None:
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(10)).decode()
    (served.folder / "web.yml").write_text(f"basic_auth_users: {{ann: {hashed}}}\n")
    served.config(NEVER, service='web_config = "web.yml"')
    served.start(wait=False)

    def asked(password: str) -> int:
        token = base64.b64encode(f"ann:{password}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{served.port}/-/healthy", headers={"Authorization": f"Basic {token}"}
        )
        return answered(request)

    def guessed(password: str) -> int:
        # A client that a busy machine holds up between its connection and its request is cut, and asks again.
        return next(filter(None, (asked(password) for _ in range(5))), 0)

    wait_for(lambda: asked("secret") == 200, 30)
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        guesses = [pool.submit(guessed, f"wrong{n}") for n in range(200)]
        while not all(guess.done() for guess in guesses):
            assert asked("secret") == 200, "who is known is never in the queue"
        answers = {guess.result() for guess in guesses}
    assert answers <= {401, 429}
    assert 401 in answers


def open_files(served: Served) -> int:
    return len(list(Path(f"/proc/{served.pid}/fd").iterdir()))


@pytest.mark.framework
def test_without_descriptors_it_lives_and_a_run_waits(served: Served) -> None:
    served.config(AGAIN)
    served.config('[[schedule]]\nname = "soon"\nconfig = "clean.toml"\nevery = "5 s"\n')
    served.start()
    soft, hard = resource.prlimit(served.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(served.pid, resource.RLIMIT_NOFILE, (open_files(served) + 1, hard))
    held = []
    for _ in range(10):
        with contextlib.suppress(OSError):
            held.append(raw(served))
    wait_for(lambda: "no more files can be opened" in served.log(), 30)
    assert served.process is not None
    assert served.process.poll() is None
    resource.prlimit(served.pid, resource.RLIMIT_NOFILE, (soft, hard))
    for connection in held:
        connection.close()
    wait_for(lambda: served.answers("/-/ready"), 30)
    wait_for(no_problem(served, "descriptors"), 40)
    wait_for(served.runs, 120)


def test_a_foreign_name_is_refused(served: Served) -> None:
    served.config(NEVER, service='hosts = ["soak.example.org"]')
    served.start()
    for host, status in (("evil.example", 421), ("soak.example.org", 200), (socket.gethostname(), 200), ("[::1]", 200)):
        request = urllib.request.Request(f"http://127.0.0.1:{served.port}/metrics", headers={"Host": host})
        assert answered(request) == status
    assert "'evil.example'" in served.log()


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed: apt-get install faketime")
def test_a_clock_that_is_years_ahead_deletes_nothing(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    folders = [ended(served.state, "night", now - n * 86400) for n in range(11)]
    served.config('[[schedule]]\nname = "often"\nconfig = "clean.toml"\ncron = "0 0 1 1 *"\n' + NEVER)
    served.start()
    assert served.stop() == 0
    for jump in ("+2y", "-2y"):
        monkeypatch.setenv("LD_PRELOAD", str(FAKETIME))
        monkeypatch.setenv("FAKETIME", jump)
        monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        served.start()
        monkeypatch.delenv("LD_PRELOAD")
        wait_for(problem(served, "clock"), 20)
        assert "no run is deleted for its age" in served.json("/api/v1/status")["problem"]
        assert served.json("/api/v1/status")["running"] == []
        assert served.stop() == 0
    assert all(folder.exists() for folder in folders)
    assert " deleted: " not in served.log()
    served.start()
    wait_for(no_problem(served, "clock"), 20)
    assert served.json("/api/v1/status")["problems"] == []


def test_listening_for_others_without_a_web_config_is_said_everywhere(served: Served) -> None:
    path = served.config(NEVER)
    path.write_text(path.read_text().replace("127.0.0.1:", "0.0.0.0:"))
    served.start()
    assert problem(served, "exposed")()
    assert "without a web_config" in served.json("/api/v1/status")["problem"]
    assert "without a web_config" in served.log()
    shown = subprocess.run(
        [sys.executable, "-P", "-m", "soak", "status", "--url", f"http://127.0.0.1:{served.port}"],
        text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert "problem:" in shown.stdout
    planned = subprocess.run(
        [sys.executable, "-P", "-m", "soak", "install", "--dry-run", "--config", path],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert planned.stderr.startswith("warning: it listens on 0.0.0.0:"), planned.stderr


@pytest.mark.framework
def test_a_trial_can_neither_read_keys_nor_write_records(served: Served) -> None:
    key = served.folder / "server.key"
    key.write_text("secret")
    web = served.folder / "web.yml"
    web.write_text("{}\n")
    served.run_config("clean", CLEAN, seconds=20)
    served.config(AGAIN, service='web_config = "web.yml"')
    old = ended(served.state, "night", 1.7e9)
    served.start()
    pid = wait_for(lambda: worker(served), 40)
    order = json.loads(
        dict(entry.split("=", 1) for entry in Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in entry)[
            "SOAK_SANDBOX"
        ]
    )
    assert str(web) in order["hidden"]
    assert str(served.state / "runs") in order["hidden"]
    assert not [path for path in order["writable"] if (old / FILE).is_relative_to(path)]
    assert re.search(r"^NoNewPrivs:\s1$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)


def worker(served: Served) -> int:
    """The worker of the trial that runs, once it is in its sandbox."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes()
            parents = str(served.state).encode()
            held = b"NoNewPrivs:\t1" in (entry / "status").read_bytes()
            if b"boot.py" in command and held and parents in (entry / "environ").read_bytes():
                return int(entry.name)
    return 0
