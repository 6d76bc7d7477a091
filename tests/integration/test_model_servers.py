"""Servers of models and their clients: real processes, answers held to NumPy's by the clients themselves."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.installed import need
from tests.loopback import free_port, is_open
from tests.patience import wait_for
from workloads import catalog, server_catalog, sources
from workloads.load.model_client import WrongAnswerError
from workloads.protocol.contract import Setup
from workloads.protocol.order import StreamSpec

pytestmark = pytest.mark.framework
SETUP = Setup("client", "none", "infer", "eager", 0, 3)
STREAM = StreamSpec("synthetic", {"height": 12, "width": 12, "clip_frames": [3]})


class RunningServer:
    """A server that comes with soak, and its ports by their names; its own is `port`."""

    def __init__(self, name: str, options: Mapping[str, Any], python: str = "") -> None:
        start = server_catalog.start_of(name, options, python)
        text = " ".join((*start.command, start.ready))
        names = {part.partition("}")[0] for part in text.split("{port")[1:]}
        self.ports = {name.removeprefix(":") or "port": free_port() for name in names}
        self.url = start.ready if start.ready != "port" else ""
        for name, port in self.ports.items():
            placeholder = "{port}" if name == "port" else f"{{port:{name}}}"
            start = server_catalog.Start(
                tuple(word.replace(placeholder, str(port)) for word in start.command), start.ready
            )
            self.url = self.url.replace(placeholder, str(port))
        self.process = subprocess.Popen(start.command, start_new_session=True)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, "the server ended"
        if not self.url:
            return is_open(self.ports["port"])
        try:
            with urllib.request.urlopen(self.url) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def at(self, name: str = "port") -> str:
        return f"127.0.0.1:{self.ports[name]}"

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait()


@contextmanager
def running(name: str, **options: Any) -> Iterator[RunningServer]:
    server = RunningServer(name, options)
    try:
        wait_for(server.is_ready)
        yield server
    finally:
        server.process.kill()
        server.process.wait()


@contextmanager
def client(kind: str, stream: StreamSpec = STREAM, **options: Any) -> Iterator[Callable[[Callable[..., bool]], Any]]:
    """A function that has the client send until what it counts is as is wanted, and returns that."""
    made = catalog.options_of(kind, {"interval": 0.05, "concurrency": 2, **options})
    workload = catalog.load(kind).build(SETUP, made)
    source = sources.open_source(stream, 0)

    def until(wanted: Callable[[Mapping[str, float]], bool]) -> Mapping[str, float]:
        found: dict[str, Mapping[str, float]] = {}

        def sent() -> bool:
            workload.step(source)
            found["last"] = workload.counters()
            return wanted(found["last"])

        wait_for(sent, every=0.0)
        return found["last"]

    try:
        yield until
    finally:
        workload.close()


def answered(count: int) -> Callable[[Mapping[str, float]], bool]:
    return lambda counters: counters["responses"] >= count


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1 to 3 of the model."""
    need("tensorflow", "tensorflow_serving", "grpc", "uvicorn", "aiohttp")
    folder = tmp_path_factory.mktemp("base")
    code = (
        "import sys; from pathlib import Path; from workloads.serving import tensorflow_model as made\n"
        "from workloads.serving.options import ServedModel\n"
        "for version in (1, 2, 3): made.export(ServedModel(), version, Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, cwd=Path(__file__).parents[2])
    return folder


@pytest.fixture(scope="module")
def serving(base: Path) -> Iterator[RunningServer]:
    with running("tensorflow_serving", base_path=str(base), poll_seconds=0.1) as server:
        yield server
        assert server.end() == 0


def where(serving: RunningServer, protocol: str) -> dict[str, Any]:
    return {"address": serving.at("rest" if protocol == "rest" else "port"), "protocol": protocol}


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
@pytest.mark.parametrize("asked", [{}, {"version": 2}, {"labels": ["stable", "canary"]}])
def test_tensorflow_serving_answers_as_numpy_does(serving: RunningServer, protocol: str, asked: Any) -> None:
    with client("tensorflow_serving_client", **where(serving, protocol), **asked, check_every=1) as until:
        found = until(answered(20))
    assert found["request_errors"] == 0


def test_a_version_that_is_put_into_the_folder_is_served_until_it_is_taken_away(
    serving: RunningServer, base: Path
) -> None:
    shutil.copytree(base / "3", base.parent / "coming")
    (base.parent / "coming").rename(base / "4")
    # Its client waits until that version is served. It has the weights of another, which are not compared.
    with client("tensorflow_serving_client", address=serving.at(), version=4, check_every=0) as until:
        assert until(answered(3))["request_errors"] == 0
        shutil.rmtree(base / "4")
        until(lambda counters: counters["request_errors_status_4xx"] >= 1)


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_versions_are_swapped_without_a_lost_request(serving: RunningServer, protocol: str) -> None:
    manager = {"model_service": serving.at()} if protocol == "rest" else {}
    swaps = {"versions": [1, 2, 3], "swap_every": 0.01, "labels": ["stable", "canary"], "check_every": 1}
    with client("tensorflow_serving_client", **where(serving, protocol), **swaps, **manager) as until:
        found = until(lambda counters: counters["swaps"] >= 4)
    assert found["request_errors"] == 0
    assert found["responses"] >= 4


def test_each_version_has_weights_of_its_own(serving: RunningServer) -> None:
    """A client that takes all versions for the first must see that they are not."""
    with (
        pytest.raises(WrongAnswerError, match=r"differs by .* from what the model's weights give"),
        client("tensorflow_serving_client", **where(serving, "grpc"), seed=2) as until,
    ):
        until(answered(3))


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_what_is_not_served_is_an_error_of_the_client(serving: RunningServer, protocol: str) -> None:
    with client("tensorflow_serving_client", **where(serving, protocol), labels=["no_such_label"]) as until:
        found = until(lambda counters: counters["request_errors"] >= 3)
    assert found["request_errors_status_4xx"] == found["request_errors"] == found["responses"]


FRAME = [[[0, 128, 255]] * 12] * 12
STATE = [0.25] * 32


def predicted(serving: RunningServer, body: Any) -> tuple[int, Any]:
    """Status and answer of REST."""
    url = f"http://{serving.at('rest')}/v1/models/recurrent:predict"
    try:
        with urllib.request.urlopen(url, json.dumps(body).encode()) as told:
            return told.status, json.load(told)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_rest_answers_rows_as_it_does_columns(serving: RunningServer) -> None:
    status, rows = predicted(serving, {"instances": [{"clip": FRAME, "state": STATE}]})
    assert status == 200, rows
    status, columns = predicted(serving, {"inputs": {"clip": [FRAME], "state": [STATE]}})
    assert status == 200, columns
    assert rows["predictions"] == [{name: values[0] for name, values in columns["outputs"].items()}]
    assert set(rows["predictions"][0]) == {"prediction", "state"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"inputs": [FRAME, [STATE]]}, "inputs: expected an object with clip, state, found list"),
        ({"instances": [{"clip": FRAME}]}, "expected clip, state, found clip"), ({}, "found neither"),
        # Two rows have two states, and the model has one.
        ({"instances": [{"clip": FRAME, "state": STATE}] * 2}, ""), ({"inputs": {"clip": ["x"], "state": [STATE]}}, ""),
    ],
)  # fmt: skip
def test_rest_tells_what_it_cannot_read(serving: RunningServer, body: Any, said: str) -> None:
    status, told = predicted(serving, body)
    assert status == 400
    assert said in told["error"]
    assert told["error"]


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_clients_that_vanish_leave_a_server_that_answers(serving: RunningServer, protocol: str) -> None:
    with client("tensorflow_serving_client", **where(serving, protocol), abandon_every=2) as until:
        found = until(lambda counters: counters.get("abandoned", 0) >= 8)
        found = until(answered(int(found["responses"]) + 10))
    assert found["request_errors"] == 0


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_more_concurrency_opens_more_connections(serving: RunningServer, protocol: str) -> None:
    steps = {"concurrency_steps": [1, 4], "concurrency_seconds": 0.3}
    with client("tensorflow_serving_client", **where(serving, protocol), **steps) as until:
        found = until(lambda counters: counters["connections"] >= 4)
    assert found["concurrency"] in (1, 4)


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_fastapi_answers_as_numpy_does_through_loads_new_shapes_and_clients_that_vanish(framework: str) -> None:
    need("fastapi", framework, "uvicorn", "aiohttp")
    stream = StreamSpec("synthetic", {**STREAM.options, "clip_length": "new", "clip_new_every": 2})
    load = {"swap_every": 0.05, "abandon_every": 4, "check_every": 1, "protocol": "http"}
    with running("fastapi", framework=framework) as server:
        with client("kserve_client", stream, address=server.at(), **load) as until:
            found = until(lambda counters: counters["swaps"] >= 2 and counters.get("abandoned", 0) >= 2)
        assert found["request_errors"] == 0
        assert server.end() == 0


@pytest.fixture
def two_behind_nginx() -> Iterator[tuple[RunningServer, RunningServer, RunningServer]]:
    need("uvicorn", "aiohttp")
    if shutil.which("nginx") is None and not os.environ.get("CI"):
        pytest.skip("nginx is not installed")
    with running("http_echo") as one, running("http_echo", fail_every=1) as two:
        upstreams = [one.at(), two.at()]
        with running("nginx", upstreams=upstreams) as front:
            yield one, two, front


def test_nginx_spreads_the_requests(two_behind_nginx: tuple[RunningServer, RunningServer, RunningServer]) -> None:
    _, _, front = two_behind_nginx
    made = catalog.options_of("http_client", {"url": f"http://{front.at()}/", "interval": 0.05, "concurrency": 1})
    workload = catalog.load("http_client").build(SETUP, made)
    source = sources.open_source(StreamSpec("requests", {"sizes": [64]}), 0)
    while (found := workload.counters())["responses"] < 40:
        workload.step(source)
    workload.close()
    # By turns: one server answers all of its requests with an error, the other none.
    assert found["request_errors_status_5xx"] == pytest.approx(found["responses"] / 2, abs=1)
    assert front.end() == 0


ENVIRONMENTS = Path(os.environ.get("SOAK_ENVIRONMENTS", "~/.local/share/soak/environments")).expanduser()
TRIAL = """
[run]
name = "t"
duration = "{seconds} s"
sample_interval = "0.5 s"
start_deadline = "2 min"
[stream]
height = 12
width = 12
clip_frames = [3]
[[trial]]
name = "served"
{members}
"""
SERVER = '[[trial.member]]\nname = "{name}"\nserver = "{kind}"\npython = "{python}"\n'
CLIENT = '[[trial.member]]\nname = "client"\nworkload = "kserve_client"\noptions = {{ {options} }}\n'
FOREIGN = {
    "mlserver": ("kserve", 'address = "127.0.0.1:{server.port}", swap_every = 2.0'),
    "kserve": ("kserve", 'address = "127.0.0.1:{server.port:http}", protocol = "http", swap_every = 2.0'),
    "triton": ("triton", 'address = "127.0.0.1:{server.port}", swap_every = 4.0'),
    "pytriton": ("triton", 'address = "127.0.0.1:{server.port:http}", protocol = "http"'),
    "torchserve": ("torchserve", 'address = "127.0.0.1:{nginx.port}", protocol = "http", timeout = 50.0'),
}


@pytest.mark.slow  # each has an environment of its own, of a gigabyte or more, which CI does not build
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_server_of_another_environment_answers_and_leaves_nothing_behind(soak: Any, kind: str) -> None:
    need("aiohttp", "grpc")
    environment, options = FOREIGN[kind]
    python = ENVIRONMENTS / environment / "bin" / "python"
    if not python.exists():
        pytest.skip(f"there is no environment {environment}: soak env {environment}")
    members = SERVER.format(name="server", kind=kind, python=python)
    if kind == "torchserve":
        if not (shutil.which("java") and shutil.which("nginx")):
            pytest.skip("java or nginx is not installed")
        front = 'options = { upstreams = ["127.0.0.1:{server.port}"], paths = "torchserve" }\n'
        members += '[[trial.member]]\nname = "nginx"\nserver = "nginx"\n' + front
    members += CLIENT.format(options=options)
    config = soak.config(TRIAL.format(seconds=20, members=members))
    _, output = soak.run("run", config)
    (trial,) = soak.report()["trials"]
    assert trial["end_reason"] == "finished", output
    (told,) = trial["serving"]["clients"]
    assert told["responses"] > 0
    assert not told["errors"], output
    assert any(event["kind"] == "answers_agree" for event in soak.report()["events"])
    # What a trial starts begins in the folder of the run, Java and the stubs of Triton too.
    assert not list(_working_in(soak.folder)), "a process of the trial outlived it"


def _working_in(folder: Path) -> Iterator[str]:
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdecimal() and (process / "cwd").readlink().is_relative_to(folder.resolve()):
                yield (process / "cmdline").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mlserver", "kserve", "triton", "pytriton", "torchserve"])
def test_a_server_of_another_environment_listens_on_loopback_alone(kind: str) -> None:
    environment, _ = FOREIGN[kind]
    python = ENVIRONMENTS / environment / "bin" / "python"
    if not python.exists():
        pytest.skip(f"there is no environment {environment}: soak env {environment}")
    if kind == "torchserve" and not shutil.which("java"):
        pytest.skip("java is not installed")
    server = RunningServer(kind, {}, str(python))
    try:
        # One port is open before the others are.
        wait_for(lambda: server.is_ready() and all(map(is_open, server.ports.values())))
        top = psutil.Process(server.process.pid)
        found = [each for one in (top, *top.children(recursive=True)) for each in one.net_connections("inet")]
        addresses = {each.laddr.ip for each in found if each.status == psutil.CONN_LISTEN}
        assert addresses <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
        assert addresses
    finally:
        # All of it, as a trial does: TorchServe's launcher alone would leave Java.
        os.killpg(server.process.pid, signal.SIGTERM)
        server.process.wait()


@pytest.mark.slow  # a minute of soaking
def test_growth_by_the_swap_is_found_and_told_for_each_swap(soak: Any) -> None:
    need("tensorflow", "tensorflow_serving", "aiohttp", "grpc", "uvicorn")
    leak = 2**22
    members = (
        '[[trial.member]]\nname = "server"\nserver = "tensorflow_serving"\n'
        f"options = {{ leak_bytes_per_swap = {leak} }}\n"
        '[[trial.member]]\nname = "client"\nworkload = "tensorflow_serving_client"\n'
        'options = { address = "127.0.0.1:{server.port}", rate = 20.0, versions = [1, 2, 3], swap_every = 0.5 }\n'
    )
    code, output = soak.run("run", soak.config(TRIAL.format(seconds=60, members=members)))
    (trial,) = soak.report()["trials"]
    assert (code, trial["verdict"]) == (1, "leak"), output
    (growth,) = trial["serving"]["growth"]
    # What loading a SavedModel leaves until it is collected and malloc returns it comes on top.
    assert growth["per_dose"]["swaps"]["rate"] == pytest.approx(leak, rel=0.15), output
    assert "a swap" in output
