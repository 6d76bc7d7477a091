"""configs/kubernetes as kustomize makes it, its commands as a pod would run them, and doctor in namespaces."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest

from soak.judge.verdict import EXIT_CODES
from tests.installed import need
from tests.integration.conftest import Soak
from tests.loopback import free_port
from tests.patience import PATIENCE, wait_for

need("kubernetes_validate", "yaml", "apscheduler", "aiohttp", "uvicorn", "fastapi", "torch")

from tests import manifests  # noqa: E402
from tests.manifests import OVERLAYS, Document, containers, named, pod_of, probes, refused  # noqa: E402

SHORT = {'"10 min"': '"6 s"', '"2 h"': '"10 s"', "controls = true": "controls = false"}


@cache
def built(folder: Path) -> list[Document]:
    """What `kubectl apply -k` would send."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed: it builds the kustomizations")
    done = subprocess.run(["kubectl", "kustomize", folder], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return manifests.documents(done.stdout)


def overlay(name: str) -> list[Document]:
    return built(next(path for path in OVERLAYS if path.name == name))


def pod(documents: list[Document], kind: str, name: str) -> Document:
    found = pod_of(named(documents, kind, name))
    assert found
    return found


# -- what kustomize makes


@pytest.mark.parametrize("folder", OVERLAYS, ids=lambda folder: folder.name)
def test_every_version_of_the_api_takes_what_kustomize_makes(folder: Path) -> None:
    for document in built(folder):
        said = {version: refused(document, version) for version in manifests.versions()}
        assert set(said.values()) == {""}, (document["kind"], said)


@pytest.mark.parametrize("folder", OVERLAYS, ids=lambda folder: folder.name)
def test_what_kustomize_makes_is_whole(folder: Path) -> None:
    documents = built(folder)
    spaces = {each["metadata"].get("namespace") for each in documents if each["kind"] != "Namespace"}
    assert spaces == {named(documents, "Namespace", "soak")["metadata"]["name"]}
    there = {(each["kind"], each["metadata"]["name"]) for each in documents}
    for document in documents:
        found = pod_of(document)
        for volume in found["volumes"] if found and "volumes" in found else ():
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in there
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in there
        for container in containers(found) if found else ():
            assert ":" in container["image"].rpartition("/")[2], "a tag, so that it is known what runs"


def test_all_gpus_are_seen_and_none_is_reserved() -> None:
    found = pod(overlay("gpu-nodes"), "DaemonSet", "soak")
    (container,) = found["containers"]
    assert (found["hostPID"], found["runtimeClassName"]) == (True, "nvidia")
    assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"} in container["env"]
    assert not any("nvidia.com" in name for name in container["resources"]["limits"])
    assert found["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert found["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert named(overlay("gpu-nodes"), "ServiceMonitor", "soak")


def test_one_gpu_is_reserved_and_nothing_of_the_host_is_seen() -> None:
    found = pod(overlay("run-gpu"), "Job", "soak-run")
    (container,) = found["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert "hostPID" not in found
    assert not any(each["name"] == "NVIDIA_VISIBLE_DEVICES" for each in container["env"])


def test_without_a_gpu_nothing_of_one_is_asked_for() -> None:
    for name, kind, what in (("cpu", "DaemonSet", "soak"), ("run-cpu", "Job", "soak-run")):
        assert "nvidia" not in json.dumps(pod(overlay(name), kind, what))


def test_behind_a_password_the_kubelet_looks_at_the_port_alone(tmp_path: Path) -> None:
    parts = [os.path.relpath(manifests.FOLDER / part, tmp_path.resolve()) for part in
             ("base/service", "components/service-monitor", "components/password")]  # fmt: skip
    text = f"resources: [{parts[0]}]\ncomponents: [{parts[1]}, {parts[2]}]\n"
    (tmp_path / "kustomization.yaml").write_text(text)
    documents = built(tmp_path)
    found = pod(documents, "DaemonSet", "soak")
    assert [list(probe["tcpSocket"]) for probe in probes(found["containers"][0])] == [["port"]] * 3
    assert {"name": "web", "secret": {"secretName": "soak-web", "defaultMode": 0o440}} in found["volumes"]
    (endpoint,) = named(documents, "ServiceMonitor", "soak")["spec"]["endpoints"]
    assert endpoint["basicAuth"]["password"] == {"name": "soak-scrape", "key": "password"}
    assert {refused(document, manifests.versions()[-1]) for document in documents} == {""}


def test_an_overlay_that_is_planted_wrong_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [absent.yaml]\n")
    with pytest.raises(AssertionError, match=r"absent\.yaml"):
        built(tmp_path)


# -- the commands, as a pod runs them


def mounted(folder: Path, documents: list[Document], name: str, changes: dict[str, str]) -> dict[str, str]:
    """Write a ConfigMap as it is mounted; the paths of a pod, and what they are here."""
    for file, text in named(documents, "ConfigMap", name)["data"].items():
        for old, new in {**SHORT, **changes}.items():
            text = text.replace(old, new)
        (folder / file).write_text(text)
    return {"/etc/soak": str(folder), "/var/lib/soak": str(folder / "state")}


def words(container: Document, paths: dict[str, str]) -> list[str]:
    args = [str(word) for word in container["args"]]
    for old, new in paths.items():
        args = [word.replace(old, new) for word in args]
    return args


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_the_service_answers_the_probes_and_ends_on_sigterm(tmp_path: Path) -> None:
    documents, port = overlay("cpu"), free_port()
    (container,) = pod(documents, "DaemonSet", "soak")["containers"]
    state = tmp_path / "state"
    paths = mounted(tmp_path, documents, "soak-config", {"0.0.0.0:9109": f"0.0.0.0:{port}",
                                                         '"/var/lib/soak"': f'"{state}"'})  # fmt: skip
    soak = Soak(tmp_path)
    served = soak.start(*words(container, paths))
    try:
        for probe in probes(container):
            wait_for(lambda asked=probe: status_of(f"http://127.0.0.1:{port}{asked['httpGet']['path']}") == 200)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
            assert b'soak_schedule_next_run_timestamp_seconds{schedule="nightly"}' in answer.read()
        headless = urllib.request.Request(f"http://127.0.0.1:{port}/-/ready", headers={"Host": f"soak.soak.svc:{port}"})
        with urllib.request.urlopen(headless, timeout=PATIENCE) as answer:
            assert answer.status == 200
    finally:
        served.send_signal(signal.SIGTERM)
    output, _ = served.communicate(timeout=PATIENCE)
    assert served.returncode == 0, output
    assert (state / "timetable.json").exists()


@pytest.fixture
def job(tmp_path: Path) -> list[str]:
    """The command line of the run, its trial short and without a framework."""
    documents = overlay("run-cpu")
    changes = {'workload = "recurrent"\nframework = "torch"': 'workload = "lookalike_one_step"\nframework = "none"',
               'mode = "infer"\n': ""}  # fmt: skip
    paths = mounted(tmp_path, documents, "soak-run", changes)
    (container,) = pod(documents, "Job", "soak-run")["containers"]
    (tmp_path / "state").mkdir()
    return words(container, paths)


def test_a_run_of_a_pod_leaves_its_verdict_and_its_reports(tmp_path: Path, job: list[str]) -> None:
    code, output = Soak(tmp_path).run(*job)
    (folder,) = (tmp_path / "state/runs").iterdir()
    verdict = json.loads((folder / "report.json").read_text())["run"]["verdict"]
    assert code == EXIT_CODES[verdict], output
    assert verdict in ("pass", "inconclusive"), "six seconds of what does not leak"
    assert "<testsuite" in (tmp_path / "state/junit.xml").read_text()


def test_a_pod_with_a_wrong_config_is_not_tried_again(tmp_path: Path, job: list[str]) -> None:
    path = tmp_path / "run.toml"
    path.write_text(path.read_text().replace("fps", "fpz"))
    assert Soak(tmp_path).run(*job)[0] in fails(overlay("run-cpu"), "soak-run")


def test_a_pod_that_is_stopped_writes_its_report(tmp_path: Path, job: list[str]) -> None:
    path = tmp_path / "run.toml"
    path.write_text(path.read_text().replace('"6 s"', '"10 min"'))
    process = Soak(tmp_path).start(*job)
    wait_for(lambda: list(tmp_path.glob("state/runs/*/record.sqlite")))
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == EXIT_CODES["inconclusive"], output
    assert list(tmp_path.glob("state/runs/*/report.html"))


def fails(documents: list[Document], name: str) -> set[int]:
    """Exit codes that end a Job."""
    rules = named(documents, "Job", name)["spec"]["podFailurePolicy"]["rules"]
    return {code for rule in rules if rule["action"] == "FailJob" for code in rule["onExitCodes"]["values"]}


@pytest.fixture
def served() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The model server, started by the words of its Deployment, and its port."""
    (container,) = pod(overlay("model-server"), "Deployment", "model-server")["containers"]
    port = free_port()
    ports = {str(each["containerPort"]) for each in container["ports"]}
    args = [str(port) if word in ports else word for word in container["args"]]
    command = [sys.executable, *container["command"][1:], *args]
    process = subprocess.Popen(command, cwd=manifests.FOLDER.parents[1])
    try:
        for probe in probes(container):
            wait_for(lambda asked=probe: status_of(f"http://127.0.0.1:{port}{asked['httpGet']['path']}") == 200)
        yield process, port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_the_load_reaches_the_server(tmp_path: Path, served: tuple[subprocess.Popen[bytes], int]) -> None:
    documents = overlay("model-server")
    paths = mounted(tmp_path, documents, "soak-load", {"model-server:80": f"127.0.0.1:{served[1]}"})
    found = pod(documents, "Job", "soak-model-server")
    (load,) = found["initContainers"]
    code, output = Soak(tmp_path).run(*words(load, paths))
    assert code in (EXIT_CODES["pass"], EXIT_CODES["inconclusive"]), output
    (folder,) = (tmp_path / "state/runs").iterdir()
    body: dict[str, Any] = json.loads((folder / "report.json").read_text())
    doses = body["trials"][0]["doses"]
    assert doses["steps"] > 100, "two at a time for ten seconds: a step is a response"
    assert doses["request_errors"] == 0
    assert "answers_agree" in {event["kind"] for event in body["events"]}
    judged = {series["member"] for series in body["trials"][0]["series"] if series["findings"]}
    assert "client" not in judged, "its memory says nothing of the server, which is judged after it"


def load_of(folder: Path, port: int) -> list[str]:
    """The command line of the load, to a server that it soon gives up."""
    documents = overlay("model-server")
    changes = {"model-server:80": f"127.0.0.1:{port}", "give_up = 120": "give_up = 2, timeout = 1", '"2 h"': '"5 min"'}
    paths = mounted(folder, documents, "soak-load", {**changes, '"10 s"': '"5 min"'})
    (load,) = pod(documents, "Job", "soak-model-server")["initContainers"]
    return words(load, paths)


def test_a_server_that_stops_answering_fails_the_load(
    tmp_path: Path, served: tuple[subprocess.Popen[bytes], int]
) -> None:
    process, port = served
    load = Soak(tmp_path).start(*load_of(tmp_path, port))

    def asked() -> bool:
        """Two at a time: the question whether it is ready came by one."""
        found = psutil.Process(process.pid).net_connections("tcp")
        return sum(each.status == psutil.CONN_ESTABLISHED for each in found) >= 2

    wait_for(asked)
    process.kill()
    output, _ = load.communicate(timeout=PATIENCE)
    assert load.returncode == EXIT_CODES["unstable"], output
    assert load.returncode in fails(overlay("model-server"), "soak-model-server")


def test_a_server_that_never_comes_has_the_load_tried_again(tmp_path: Path) -> None:
    code, output = Soak(tmp_path).run(*load_of(tmp_path, free_port()))
    assert code == EXIT_CODES["error"], output
    assert code not in fails(overlay("model-server"), "soak-model-server")


# -- doctor, in namespaces of its own


def test_doctor_in_a_namespace_tells_what_it_cannot_see() -> None:
    alone = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a namespace of processes cannot be made here: run it as root")
    command = [*alone, sys.executable, "-P", "-m", "soak", "doctor", "--quick", "--json"]
    environ = {**os.environ, "KUBERNETES_SERVICE_HOST": "10.96.0.1", "NVIDIA_VISIBLE_DEVICES": "void"}
    done = subprocess.run(command, text=True, capture_output=True, check=False, env=environ, timeout=PATIENCE)
    assert done.returncode in (0, 4), done.stderr
    found = {each["name"]: each for each in json.loads(done.stdout)["findings"]}
    assert "a pod of Kubernetes: KUBERNETES_SERVICE_HOST is set" in found["container"]["message"]
    assert "namespace of their own" in found["container"]["message"]
    assert "cannot be seen" in found["pids"]["message"]
    assert "neither GPUs nor the driver" in found["NVIDIA_VISIBLE_DEVICES"]["message"]
