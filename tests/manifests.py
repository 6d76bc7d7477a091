"""The manifests of configs/kubernetes as tests read them, and what an API server would refuse of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate.utils as schemas
import yaml

FOLDER = Path(__file__).parents[1] / "configs" / "kubernetes"
OVERLAYS = sorted(path.parent for path in FOLDER.glob("overlays/*/kustomization.yaml"))
FIRST = (1, 31)
"""The first version of Kubernetes in which all that is used is stable: `podFailurePolicy` came last."""
Document = Mapping[str, Any]

LABELS: Document = {"type": "object", "additionalProperties": {"type": "string"}}
SECRET: Document = {
    "type": "object", "required": ["key"], "additionalProperties": False,
    "properties": {"name": {"type": "string"}, "key": {"type": "string"}},
}  # fmt: skip
SERVICE_MONITOR: Document = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": "monitoring.coreos.com/v1"},
        "kind": {"const": "ServiceMonitor"},
        "metadata": {"type": "object", "required": ["name"]},
        "spec": {
            "type": "object",
            "required": ["selector", "endpoints"],
            "additionalProperties": False,
            "properties": {
                "selector": {
                    "type": "object", "additionalProperties": False,
                    "properties": {"matchLabels": LABELS, "matchExpressions": {"type": "array"}},
                },
                "jobLabel": {"type": "string"},
                "namespaceSelector": {"type": "object"},
                "endpoints": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["port"],
                        "additionalProperties": False,
                        "properties": {
                            "port": {"type": "string"},
                            "path": {"type": "string", "pattern": "^/"},
                            "interval": {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"},
                            "scheme": {"enum": ["http", "https"]},
                            "basicAuth": {
                                "type": "object", "additionalProperties": False,
                                "properties": {"username": SECRET, "password": SECRET},
                            },
                            "tlsConfig": {"type": "object"},
                            "relabelings": {
                                "type": "array",
                                "items": {
                                    "type": "object", "additionalProperties": False,
                                    "properties": {
                                        "sourceLabels": {"type": "array", "items": {"type": "string"}},
                                        "targetLabel": {"type": "string"},
                                        "regex": {"type": "string"},
                                        "replacement": {"type": "string"},
                                        "action": {"enum": ["replace", "keep", "drop", "labelmap", "labeldrop"]},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}  # fmt: skip
"""The part of the operator's CRD that may be used here: its own schema comes with no package."""


def versions() -> list[str]:
    """Those of Kubernetes that the schemas are there for and that the manifests are written for, the oldest first."""
    all_versions: list[str] = schemas.all_versions()
    return [each for each in all_versions if tuple(map(int, each.split(".")[:2])) >= FIRST]


def refused(document: Document, version: str) -> str:
    """Why an API server of that version would not take it, unknown fields among that; empty where it would."""
    try:
        if document["kind"] == "ServiceMonitor":
            jsonschema.validate(document, SERVICE_MONITOR)
        else:
            schemas.validate(dict(document), version, strict=True)
    except jsonschema.ValidationError as error:
        return f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
    return ""


def documents(text: str) -> list[Document]:
    """All of a YAML text."""
    return [each for each in yaml.safe_load_all(text) if each]


def resources() -> list[tuple[Path, Document]]:
    """Every document that is written as a file of its own, without what kustomize makes."""
    paths = sorted(path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml")
    return [(path, document) for path in paths for document in documents(path.read_text())]


def named(of: list[Document], kind: str, name: str) -> Document:
    """The one with this kind and name; names that end with a hash of kustomize's are found without it."""
    found = [
        each for each in of
        if each["kind"] == kind and re.fullmatch(rf"{name}(-[a-z0-9]{{10}})?", each["metadata"]["name"])
    ]  # fmt: skip
    assert len(found) == 1, f"{kind} {name}: {len(found)} found"
    return found[0]


def pod_of(document: Document) -> Document | None:
    """The spec of the pods that a document makes; None for one that makes none."""
    template = document.get("spec", {}).get("template")
    return template["spec"] if template else None


def containers(pod: Document) -> Iterator[Document]:
    """All of a pod, those that come first among them."""
    yield from (*pod.get("initContainers", ()), *pod["containers"])


def probes(container: Document) -> list[Document]:
    """What the kubelet asks it."""
    return [container[name] for name in ("startupProbe", "livenessProbe", "readinessProbe") if name in container]
