"""The manifests of configs/kubernetes: an API server takes them, they agree with each other, and with what soak is."""

from __future__ import annotations

import copy
import json
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from soak import cli
from soak.errors import UsageError
from soak.judge.verdict import EXIT_CODES
from soak.plan import config
from soak.plan.plan import make_plan
from soak.plan.quantity import parse_size
from tests.installed import need
from workloads import catalog, server_catalog
from workloads.serving.options import NAME

need("kubernetes_validate", "yaml", "apscheduler")

from soak.service import config as service_config  # noqa: E402
from tests import manifests  # noqa: E402
from tests.manifests import FOLDER, Document, containers, named, pod_of, probes, refused  # noqa: E402

VERSIONS = [manifests.versions()[at] for at in (0, -1)]
"""The oldest and the newest; those between are tried once, on what kustomize makes (tests/integration)."""

ALL = manifests.resources()
DOCUMENTS = [document for _, document in ALL]
MAKERS = [document for document in DOCUMENTS if pod_of(document)]
JOBS = [document for document in DOCUMENTS if document["kind"] == "Job"]
DAEMONS = named(DOCUMENTS, "DaemonSet", "soak")
BASE = FOLDER / "base"


def ids(document: Document) -> str:
    return f"{document['kind']}-{document['metadata']['name']}"


def soak_container() -> Document:
    (found,) = [each for each in DAEMONS["spec"]["template"]["spec"]["containers"] if each["name"] == "soak"]
    return found


# -- an API server takes them


def test_all_kinds_that_are_promised_are_there() -> None:
    kinds = {document["kind"] for document in DOCUMENTS}
    assert kinds >= {
        "DaemonSet", "Job", "Deployment", "Service", "HorizontalPodAutoscaler", "ServiceMonitor", "NetworkPolicy",
        "Namespace", "PersistentVolumeClaim",
    }  # fmt: skip


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_the_api_takes_it(document: Document) -> None:
    assert {version: said for version in VERSIONS if (said := refused(document, version))} == {}


def wrong(kind: str, name: str, change: Callable[[Any], None]) -> Document:
    document = copy.deepcopy(named(DOCUMENTS, kind, name))
    change(document)
    return document


def set_at(path: str, value: object) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        *before, last = path.split("/")
        for key in before:
            document = document[int(key) if key.isdigit() else key]
        document[last] = value

    return change


POD = "spec/template/spec"


@pytest.mark.parametrize(
    ("kind", "name", "path", "value", "said"),
    [
        ("DaemonSet", "soak", f"{POD}/hostPid", True, "hostPid"),
        ("DaemonSet", "soak", f"{POD}/terminationGracePeriodSeconds", "3 min", "terminationGracePeriodSeconds"),
        ("DaemonSet", "soak", f"{POD}/containers/0/ports/0/containerPort", "9109", "containerPort"),
        ("DaemonSet", "soak", f"{POD}/containers/0/livenessProbe/http", {"path": "/"}, "livenessProbe"),
        ("Job", "soak-run", "spec/podFailurePolicy/rules/1/onExitCodes/values", ["1"], "values"),
        ("Job", "soak-run", "spec/podFailurePolicy/rules/0/onPodConditions/0/kind", "DisruptionTarget", "kind"),
        ("HorizontalPodAutoscaler", "model-server", "spec/targetCPUUtilizationPercentage", 60, "targetCPU"),
        ("Service", "model-server", "spec/ports/0/targetport", "http", "targetport"),
        ("Deployment", "model-server", "spec/selector", {"app": "model-server"}, "selector"),
        ("NetworkPolicy", "soak", "spec/ingress/0/from/0/namespaceselector", {}, "namespaceselector"),
        ("ServiceMonitor", "soak", "spec/endpoints/0/interval", 15, "interval"),
        ("ServiceMonitor", "soak", "spec/endpoints/0/targetport", "http", "targetport"),
    ],
)
def test_a_field_that_is_planted_wrong_is_refused(kind: str, name: str, path: str, value: object, said: str) -> None:
    document = wrong(kind, name, set_at(path, value))
    for version in VERSIONS:
        assert said in refused(document, version)


@pytest.mark.parametrize("kind", ["Deployment", "ServiceMonitor"])
def test_a_field_that_is_missing_is_refused(kind: str) -> None:
    document = wrong(kind, "model-server" if kind == "Deployment" else "soak", lambda it: it["spec"].pop("selector"))
    assert all("selector" in refused(document, version) for version in VERSIONS)


# -- they agree with each other


@pytest.mark.parametrize("document", [each for each in MAKERS if each["kind"] != "Job"], ids=ids)
def test_a_selector_selects_its_own_pods(document: Document) -> None:
    labels = document["spec"]["template"]["metadata"]["labels"]
    assert document["spec"]["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("document", [each for each in DOCUMENTS if each["kind"] == "Service"], ids=ids)
def test_a_service_leads_to_named_ports_of_pods(document: Document) -> None:
    selector = document["spec"]["selector"].items()
    pods = [pod_of(each) for each in MAKERS if selector <= each["spec"]["template"]["metadata"]["labels"].items()]
    assert len(pods) == 1, "one kind of pod is behind it"
    names = {port["name"] for pod in pods if pod for each in containers(pod) for port in each.get("ports", ())}
    assert {port["targetPort"] for port in document["spec"]["ports"]} <= names


@pytest.mark.parametrize("document", MAKERS, ids=ids)
def test_what_is_mounted_and_asked_is_there(document: Document) -> None:
    pod = pod_of(document)
    assert pod
    volumes = {volume["name"] for volume in pod.get("volumes", ())}
    mounted = {mount["name"] for each in containers(pod) for mount in each.get("volumeMounts", ())}
    assert mounted == volumes, "every volume is used, and none is missing"
    for container in containers(pod):
        ports = {port["name"] for port in container.get("ports", ())}
        assert {probe["httpGet"]["port"] for probe in probes(container)} <= ports


def test_the_autoscaler_and_the_monitor_find_what_they_are_for() -> None:
    target = named(DOCUMENTS, "HorizontalPodAutoscaler", "model-server")["spec"]["scaleTargetRef"]
    deployment = named(DOCUMENTS, target["kind"], target["name"])
    assert target["apiVersion"] == deployment["apiVersion"]
    assert "replicas" not in deployment["spec"], "it would be set back with every `kubectl apply`"
    cpu = [each["resources"]["requests"].get("cpu") for each in deployment["spec"]["template"]["spec"]["containers"]]
    assert all(cpu), "utilisation is of what is requested"
    monitor, service = named(DOCUMENTS, "ServiceMonitor", "soak")["spec"], named(DOCUMENTS, "Service", "soak")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {each["port"] for each in monitor["endpoints"]} <= {each["name"] for each in service["spec"]["ports"]}


def test_the_network_policy_is_of_the_service_and_lets_its_port_in() -> None:
    policy = named(DOCUMENTS, "NetworkPolicy", "soak")["spec"]
    labels = DAEMONS["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    names = {port["name"] for port in soak_container()["ports"]}
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == names


# -- no pod has more rights than it needs


@pytest.mark.parametrize("document", MAKERS, ids=ids)
def test_pods_are_restricted(document: Document) -> None:
    pod = pod_of(document)
    assert pod
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(pod):
        held = container["securityContext"]
        assert (held["allowPrivilegeEscalation"], held["readOnlyRootFilesystem"]) == (False, True)
        assert held["capabilities"]["drop"] == ["ALL"]
        assert (held.get("runAsUser") == 0) == (container["name"] == "own-state"), "one alone is root, for a chown"
        assert held["capabilities"].get("add", []) == (["CHOWN"] if container["name"] == "own-state" else [])
        limits, requests = container["resources"]["limits"], container["resources"]["requests"]
        assert limits["memory"] == requests["memory"], "what may be taken is there"
        assert "cpu" not in limits, "throttling is measured as latency"


# -- they agree with soak


@pytest.mark.parametrize("document", [DAEMONS, *JOBS], ids=ids)
def test_soak_takes_the_command_lines(document: Document) -> None:
    pod = pod_of(document)
    assert pod
    lines = [container["args"] for container in containers(pod) if "command" not in container]
    assert lines
    for line in lines:
        given = vars(cli.parser(line[0]).parse_args(line))
        where = given.get("config")
        if where is not None:
            written = [mount for each in containers(pod) for mount in each["volumeMounts"] if mount["name"] == "config"]
            assert Path(where).parent == Path(written[0]["mountPath"])
            assert list(BASE.glob(f"*/{Path(where).name}")), f"{where} is a file of a ConfigMap"


def test_a_wrong_option_of_soak_would_be_seen(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.parser("serve").parse_args([*soak_container()["args"], "--listen", "0.0.0.0"])
    assert "--listen" in capsys.readouterr().err


@pytest.fixture(params=["base/service", "overlays/cpu"])
def mounted(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder that a pod of the service has at /etc/soak: the files of the overlay over those of the base."""
    for folder in (BASE / "service", FOLDER / request.param):
        for path in folder.glob("*.toml"):
            (tmp_path / path.name).write_text(path.read_text())
    return tmp_path


def test_the_service_takes_its_config_and_is_reached_by_probes_and_prometheus(mounted: Path) -> None:
    loaded = service_config.load(mounted / "soak.toml")
    assert not loaded.loopback, "the kubelet asks by the address of the pod"
    ports = [port["containerPort"] for port in soak_container()["ports"]]
    assert ports == [loaded.address[1]]
    assert {probe["httpGet"]["path"] for probe in probes(soak_container())} == {"/-/healthy", "/-/ready"}
    state = next(mount for mount in soak_container()["volumeMounts"] if mount["name"] == "state")
    assert Path(loaded.service.state) == Path(state["mountPath"])
    service = named(DOCUMENTS, "Service", "soak")["metadata"]["name"]
    assert f"{service}.soak.svc" in loaded.service.hosts


def test_a_key_that_the_service_does_not_have_would_be_seen(mounted: Path) -> None:
    path = mounted / "soak.toml"
    path.write_text(path.read_text().replace("max_wait", "max_weight"))
    with pytest.raises(UsageError, match="max_weight"):
        service_config.load(path)


RUNS = sorted(path for path in FOLDER.rglob("*.toml") if path.name != "soak.toml")


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.name)
def test_a_run_is_planned_from_its_config(path: Path) -> None:
    assert make_plan(config.load(path))


@pytest.mark.parametrize(
    ("path", "kind", "name"), [("service/node.toml", "DaemonSet", "soak"), ("run/run.toml", "Job", "soak-run")]
)
def test_a_trial_is_ended_before_its_container_is_killed(path: str, kind: str, name: str) -> None:
    loaded = config.load(BASE / path)
    pod = pod_of(named(DOCUMENTS, kind, name))
    assert pod
    (memory,) = [each["resources"]["limits"]["memory"] for each in pod["containers"]]
    shm = next(volume for volume in pod["volumes"] if volume["name"] == "shm")["emptyDir"]["sizeLimit"]
    room = parse_size(f"{memory[:-2]} GiB") - parse_size(f"{shm[:-2]} GiB")
    limits = [trial["memory_limit"] for trial in tomllib.loads((BASE / path).read_text())["trial"]]
    assert all(parse_size(limit) * loaded.run.parallel < room for limit in limits)
    assert pod["terminationGracePeriodSeconds"] >= 2 * loaded.run.stop_grace, "a report is written after the trial"


@pytest.mark.parametrize("document", JOBS, ids=ids)
def test_a_verdict_is_not_tried_again_and_an_error_is(document: Document) -> None:
    pod = pod_of(document)
    assert pod
    assert pod["restartPolicy"] == "Never", "a policy of failures needs it"
    disrupted, *rules = document["spec"]["podFailurePolicy"]["rules"]
    assert (disrupted["action"], disrupted["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")
    by_action = {rule["action"]: set(rule["onExitCodes"]["values"]) for rule in rules}
    errors = {EXIT_CODES["error"], EXIT_CODES["invalid"]}
    verdicts = {*EXIT_CODES.values()} - errors - {EXIT_CODES["pass"]}
    assert by_action == {"FailJob": verdicts | {UsageError.exit_code, 128 + 9}, "Count": errors}
    names = {container["name"] for container in containers(pod)}
    assert {name for rule in rules if (name := rule["onExitCodes"].get("containerName"))} <= names


def load_client() -> Any:
    *_, member = tomllib.loads((BASE / "model-server/load.toml").read_text())["trial"][0]["member"]
    assert member["name"] == "client"
    return member


def test_the_memory_of_the_client_decides_nothing() -> None:
    """Where that were inconclusive, the Job would end before the server is judged."""
    (trial,) = make_plan(config.load(BASE / "model-server/load.toml"))
    assert [member.name for member in trial.members if member.judged] == ["still"]
    still, client = trial.members
    assert (still.argv, client.name) == (("sleep", "infinity"), "client")


def test_the_load_goes_to_the_service_of_the_server() -> None:
    member = load_client()
    service = named(DOCUMENTS, "Service", "model-server")
    (port,) = service["spec"]["ports"]
    assert member["options"]["address"] == f"{service['metadata']['name']}:{port['port']}"
    assert member["options"]["allow_remote"]
    job = named(DOCUMENTS, "Job", "soak-model-server")["spec"]["template"]["spec"]
    query = job["containers"][0]["args"]
    deployment = named(DOCUMENTS, "Deployment", "model-server")
    names = [each["name"] for each in deployment["spec"]["template"]["spec"]["containers"]]
    selected = re.search(r'pod=~"(?P<pod>[^"]+)",container="(?P<container>[^"]+)"', " ".join(query))
    assert selected
    assert re.fullmatch(selected["pod"], f"{deployment['metadata']['name']}-6c9f4d7b9-x2x7z")
    assert selected["container"] in names
    assert query[query.index("--range") + 1] == "2h"
    assert config.load(BASE / "model-server/load.toml").run.duration == 7200.0


def test_the_server_is_one_of_a_model_that_the_client_asks_by_its_protocol() -> None:
    (container,) = named(DOCUMENTS, "Deployment", "model-server")["spec"]["template"]["spec"]["containers"]
    member = load_client()
    (module,) = (word for word in container["command"] if word.startswith("workloads.servers."))
    server = server_catalog.load(module.rpartition(".")[2])
    words = container["args"]
    made = server.Options(**json.loads(words[words.index("--options") + 1]))
    asked = catalog.options_of(member["workload"], member["options"])
    assert (asked.seed, asked.stem, asked.hidden, asked.model) == (made.seed, made.stem, made.hidden, NAME)
    assert words[words.index("--host") + 1] == "0.0.0.0"  # the pods are asked by their addresses
    paths = {probe["httpGet"]["path"] for probe in probes(container)}
    assert paths == {server.READY, f"/v2/models/{NAME}/ready"}
    arguments = dict(rest.partition("=")[::2] for name, rest in instructions(STAGES[1]) if name == "ARG")
    assert {"serving", made.framework} <= set(arguments["EXTRAS"].split(",")), "the image has what it runs on"


def test_the_load_grows_and_opens_connections() -> None:
    """A pod that the autoscaler adds gets new connections alone."""
    member = load_client()
    steps = member["options"]["concurrency_steps"]
    assert steps == sorted(set(steps))
    assert len(steps) > 1
    assert member["options"]["concurrency_seconds"] > 4, "as long as an idle connection is kept"


# -- the image


STAGES = re.split(r"(?m)^FROM ", (FOLDER / "Containerfile").read_text())
INSTRUCTIONS = ["ARG", "COPY", "RUN", "ENV", "WORKDIR", "USER", "EXPOSE", "ENTRYPOINT", "CMD"]


def instructions(stage: str) -> list[tuple[str, str]]:
    """Each with its words, comments left out and lines that go on joined."""
    lines = [line for line in stage.splitlines()[1:] if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest) for line in joined.splitlines() if line.strip() for name, _, rest in [line.partition(" ")]]


def test_the_image_has_two_stages_of_known_instructions() -> None:
    _, build, final = STAGES
    assert build.splitlines()[0].endswith(" AS build")
    assert {name for stage in (build, final) for name, _ in instructions(stage)} <= set(INSTRUCTIONS)


def test_the_image_is_built_from_all_that_a_wheel_is_made_of() -> None:
    copied = {word for name, rest in instructions(STAGES[1]) if name == "COPY" for word in rest.split()[:-1]}
    root = FOLDER.parents[1]
    assert all((root / path).exists() for path in copied)
    project = tomllib.loads((root / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["shared-data"], "pyproject.toml", project["project"]["readme"], "LICENSE"}
    assert needed <= copied
    arguments = dict(rest.partition("=")[::2] for name, rest in instructions(STAGES[1]) if name == "ARG")
    assert set(arguments["EXTRAS"].split(",")) <= set(project["project"]["optional-dependencies"])


def test_the_image_runs_soak_as_the_user_of_the_pods() -> None:
    final = dict(instructions(STAGES[2]))
    user, group = final["USER"].split(":")
    for document in MAKERS:
        pod = pod_of(document)
        assert pod
        assert pod["securityContext"]["runAsUser"] == int(user)
        assert pod["securityContext"]["runAsGroup"] == int(group)
    assert final["ENTRYPOINT"].endswith('"soak"]')
    assert int(final["EXPOSE"]) == soak_container()["ports"][0]["containerPort"]
    environment = dict(word.split("=", 1) for word in shlex.split(final["ENV"]))
    assert "NVIDIA_VISIBLE_DEVICES" not in environment, "every pod of the image would have every GPU"
    assert environment["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"
