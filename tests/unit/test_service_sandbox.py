"""The sandbox of a trial: what is allowed, as paths; and a real child that holds itself to it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from soak.engine import confinement
from soak.plan.member import Member
from workloads.protocol.order import TrialSpec
from workloads.worker import boot, sandbox
from workloads.worker.sandbox import Order, SandboxError

WORKER = Member(spec=TrialSpec("a", "torch"))
LOGS = ("worker.log", "stacks.txt")


def order_of(environ: dict[str, str]) -> Order:
    return sandbox.from_text(environ[sandbox.VARIABLE])


def test_an_order_comes_back_equal() -> None:
    for order in (Order(("/tmp", "/a b/ü\n"), ("/etc/key",)), Order((), (), sockets=True)):
        assert sandbox.from_text(sandbox.to_text(order)) == order


def test_everything_but_the_hidden_is_readable() -> None:
    tree = {"/": ["/etc", "/var", "/home"], "/etc": ["/etc/hosts", "/etc/soak"], "/etc/soak": ["/etc/soak/a.toml"],
            "/var": ["/var/lib", "/var/log"], "/var/lib": ["/var/lib/soak", "/var/lib/dpkg"]}  # fmt: skip
    hidden = ["/etc/soak/key.pem", "/var/lib/soak", "/var/lib/soak/runs"]
    found = set(sandbox.readable(hidden, lambda folder: map(Path, tree[str(folder)])))
    assert found == {"/home", "/etc/hosts", "/etc/soak/a.toml", "/var/log", "/var/lib/dpkg"}


def test_nothing_hidden_needs_no_list() -> None:
    assert list(sandbox.readable([])) == []


def test_a_link_is_never_followed_to_what_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    (tmp_path / "other").symlink_to(tmp_path / "key")
    assert not {p for p in sandbox.readable([str(tmp_path / "key")]) if p.startswith(str(tmp_path))}


def test_the_record_is_beneath_no_writable_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "trials" / "a-torch"
    home = tmp_path / "home"
    order = order_of(confinement.environ(WORKER, folder, LOGS, {"HOME": str(home), "TMPDIR": str(tmp_path)}))
    record = tmp_path / "run" / "record.sqlite"
    assert not [path for path in order.writable if record.is_relative_to(path)]
    assert str(folder / "worker.log") in order.writable
    assert str(home / ".cache") in order.writable
    assert order.hidden == ()


def test_a_temporary_folder_that_holds_the_run_is_replaced(tmp_path: Path) -> None:
    environ = confinement.environ(WORKER, tmp_path / "run/trials/a", LOGS, {"TMPDIR": str(tmp_path)})
    assert environ["TMPDIR"] in order_of(environ).writable
    assert not (tmp_path / "run").is_relative_to(environ["TMPDIR"])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environ = confinement.environ(WORKER, tmp_path / "run/trials/a", LOGS, {"TMPDIR": str(elsewhere)})
    assert environ["TMPDIR"] == str(elsewhere)
    assert str(elsewhere) in order_of(environ).writable


def test_where_no_temporary_folder_is_free_the_trial_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confinement, "TEMPORARY", (str(tmp_path),))
    environ = confinement.environ(WORKER, tmp_path / "run/trials/a", LOGS, {})
    assert environ["TMPDIR"] == str(tmp_path / "run/trials/a/tmp")
    assert Path(environ["TMPDIR"]).is_dir()


def test_what_the_service_hides_is_its_own_word(tmp_path: Path) -> None:
    around = {confinement.HIDDEN: json.dumps(["/etc/soak/web.yml"])}
    worker = replace(WORKER, env={confinement.HIDDEN: "[]", sandbox.VARIABLE: "{}"})
    environ = confinement.environ(worker, tmp_path / "run/trials/a", LOGS, around)
    assert order_of(environ).hidden == ("/etc/soak/web.yml",)
    assert confinement.HIDDEN not in environ


def test_it_can_be_turned_off(tmp_path: Path) -> None:
    environ = confinement.environ(replace(WORKER, sandbox=False), tmp_path, LOGS, {"A": "b"})
    assert environ == {"A": "b"}


def test_a_command_is_in_none(tmp_path: Path) -> None:
    command = Member(argv=("true",), protocol="none", env={"C": "d"})
    assert confinement.environ(command, tmp_path, LOGS, {"A": "b"}) == {"A": "b", "C": "d"}


def test_a_kernel_without_landlock_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(order: Order) -> int:
        raise SandboxError("this kernel offers no Landlock: Function not implemented")

    monkeypatch.setattr(sandbox, "apply", without)
    monkeypatch.setattr(sandbox, "_said", "off")
    sandbox.enter(lambda name, default: sandbox.to_text(Order(("/tmp",))))
    assert sandbox.said() == "none: this kernel offers no Landlock: Function not implemented"


def test_without_an_order_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_said", "off")
    sandbox.enter(lambda name, default: default)
    assert sandbox.said() == "off"


PROBE = """
import os, sys
sys.path.insert(0, {room!r})
import json
from workloads.worker import sandbox
sandbox.enter()
def tried(act):
    try:
        act()
    except OSError:
        return "refused"
    return "done"
run, key, own = {run!r}, {key!r}, {own!r}
print(json.dumps({{
    "said": sandbox.said(),
    "write the record": tried(lambda: open(run + "/record.sqlite", "ab")),
    "truncate the record": tried(lambda: os.truncate(run + "/record.sqlite", 0)),
    "remove the record": tried(lambda: os.unlink(run + "/record.sqlite")),
    "move the record": tried(lambda: os.rename(run + "/record.sqlite", own + "/r")),
    "link the record": tried(lambda: os.link(run + "/record.sqlite", own + "/r")),
    "make a journal": tried(lambda: open(run + "/record.sqlite-journal", "wb")),
    "replace the log": tried(lambda: os.unlink(run + "/trials/a/worker.log")),
    "write the log": tried(lambda: open(run + "/trials/a/worker.log", "ab")),
    "read the key": tried(lambda: open(key)),
    "read the key by a link": tried(lambda: (os.symlink(key, own + "/l"), open(own + "/l"))),
    "read the key through the parent": tried(lambda: open(f"/proc/{{os.getppid()}}/root" + key)),
    "signal the parent": tried(lambda: os.kill(os.getppid(), 0)),
    "write own files": tried(lambda: open(own + "/x", "w").write("x")),
    "rename own files": tried(lambda: (os.mkdir(own + "/d"), os.rename(own + "/x", own + "/d/x"))),
    "read what is beside the key": tried(lambda: open(key + ".pub")),
    "read own code": tried(lambda: open(sandbox.__file__)),
    "write /dev/null": tried(lambda: open("/dev/null", "w").write("x")),
    "name a thread": tried(lambda: open("/proc/self/comm", "w").write("x")),
}}))
"""


@pytest.fixture(scope="module")
def abi() -> int:
    try:
        return sandbox.abi()
    except SandboxError as error:
        pytest.skip(str(error))


def test_a_process_is_held(tmp_path: Path, abi: int) -> None:
    run, etc, own = tmp_path / "run", tmp_path / "etc", tmp_path / "own"
    for folder in (run / "trials" / "a", etc, own):
        folder.mkdir(parents=True)
    for file in (run / "record.sqlite", run / "trials/a/worker.log", etc / "key", etc / "key.pub"):
        file.write_text("x")
    around = {**os.environ, "TMPDIR": str(own), confinement.HIDDEN: json.dumps([str(etc / "key")])}
    environ = confinement.environ(WORKER, run / "trials" / "a", LOGS, around)
    code = PROBE.format(room=str(Path(boot.__file__).parent.parent), run=str(run), key=str(etc / "key"), own=str(own))
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert seen.pop("said") == f"landlock {abi}"
    allowed = {"write the log", "write own files", "rename own files", "read what is beside the key", "read own code",
               "write /dev/null", "name a thread"}  # fmt: skip
    if abi < 6:
        seen.pop("signal the parent")
    assert seen == {name: "done" if name in allowed else "refused" for name in seen}
    assert (run / "record.sqlite").read_text() == "x"


SEND = """
import socket, sys
sys.path.insert(0, {room!r})
from workloads.worker import sandbox
sandbox.enter()
try:
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"memory of a GPU", {name!r})
    print("done")
except OSError:
    print("refused")
"""


@pytest.mark.parametrize(("has_others", "said"), [(True, "done"), (False, "refused")])
def test_only_members_beside_others_reach_abstract_sockets(
    tmp_path: Path, abi: int, has_others: bool, said: str
) -> None:
    """NCCL hands memory of a GPU from rank to rank through them."""
    if abi < 6:
        pytest.skip(f"Landlock {abi} knows nothing of abstract sockets")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind("")
        member = replace(WORKER, has_others=has_others)
        environ = confinement.environ(member, tmp_path / "run/trials/a", LOGS, os.environ)
        code = SEND.format(room=str(Path(boot.__file__).parent.parent), name=other.getsockname())
        done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said
