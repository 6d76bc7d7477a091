"""What a run of servers under load has shown, as a page: fast, right, how much memory, and what it grows by.

    python -m benchmarks.serving [--note TEXT] RUN [RUN…] > docs/serving.md

Made from records alone, with the report that soak makes of them; versions are those of this machine, or those that
`soak/environments` pins for servers that have an environment of their own.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import notes
from monitors.units import format_duration, format_value
from reports import document
from soak.record.reader import open_record

SETTLED = 2 / 3
"""Of a trial, after which memory is steady; the median of the rest is told."""
MEMORY = ("total_bytes", "anonymous_bytes")
ENVIRONMENTS = Path(__file__).parents[1] / "soak" / "environments"
PACKAGES = {
    "tensorflow_serving": ("tensorflow-serving-api", "tensorflow-cpu"), "fastapi": ("fastapi", "uvicorn"),
    "http_echo": ("uvicorn",), "grpc_echo": ("grpcio",), "mlserver": ("mlserver", "torch"),
    "kserve": ("kserve", "torch"), "triton": ("nvidia-pytriton", "torch"), "pytriton": ("nvidia-pytriton", "torch"),
    "torchserve": ("torchserve", "torch"),
}  # fmt: skip
"""Whose versions are told of a server; nginx is none of Python's."""
DOSES = ("requests", "swaps", "distinct_shapes", "connections", "abandoned")
COLUMNS = {
    "trial": "---", "servers": "---", "responses/s": "---:", "p50": "---:", "p99": "---:", "errors": "---",
    "answers off by": "---", "doses": "---", "growth a request": "---", "growth a swap": "---",
    "growth a new shape": "---", "memory": "---:", "verdict": "---",
}  # fmt: skip
LEGEND = """\
*answers off by*: the largest difference of the first three answers from what the model's weights give, computed by
NumPy, as a part of the largest value; later ones are compared too, and a wrong one is an error. *doses*: what was
soaked. *growth*: of the total memory of the process tree of each server (or of the layer that is named), with its 95 %
interval, as if all growth were by that dose alone. *memory*: of the servers, the median of the last third. Latencies
are of the whole trial; in a closed loop they count from when a request was sent, and a request that waits while soak
itself has the model unloaded (`hold`) counts that time. *planted*: the trial is a control, of which it is known
beforehand what it is to be."""


@dataclass(frozen=True, slots=True)
class ServingRow:
    """A trial as a report has it, the memory of its servers in bytes by member, and what its run says."""

    trial: Mapping[str, Any]
    memory: Mapping[str, float]
    agreed: str
    run: Mapping[str, Any]


def rows_of(folder: Path) -> Iterator[ServingRow]:
    """Those trials of a run that have a client."""
    record = open_record(folder)
    body = document.build(record)
    for trial in body["trials"]:
        if trial["serving"]:
            yield ServingRow(trial, memory_of(record.series(trial["index"]), trial), _agreed(body, trial), body["run"])


def _agreed(body: Mapping[str, Any], trial: Mapping[str, Any]) -> str:
    said = (e["message"] for e in body["events"] if e["trial"] == trial["index"] and e["kind"] == "answers_agree")
    return next((message.partition(" give by ")[2].partition(" at most")[0] for message in said), "")


def memory_of(series: Sequence[Any], trial: Mapping[str, Any]) -> dict[str, float]:
    """Of each member but the clients: the median of the last third of what it holds."""
    clients = {client["member"] for client in trial["serving"]["clients"]}
    found: dict[str, float] = {}
    for metric in reversed(MEMORY):
        for one in series:
            if one.metric.name == metric and one.member and one.member not in clients and len(one.t):
                late = one.values[one.t >= one.t[0] + SETTLED * (one.t[-1] - one.t[0])]
                found[one.member] = float(np.median(late))
    return found


def page(rows: Sequence[ServingRow], told: Sequence[str] = ()) -> str:
    """The whole page, in Markdown. told: what is to be said of the machine besides."""
    table = [joined(COLUMNS), joined(COLUMNS.values()), *(joined(map(_cell, _cells(row))) for row in rows)]
    onednn = notes.without_onednn(row.trial["environment"] for row in rows)
    parts = ["# Servers of models under load", _said(rows), *onednn, *filter(None, told), LEGEND, "\n".join(table)]
    parts += ["## Versions", _versions(rows), "## Verdicts", _verdicts(rows), "## Again", _again(rows)]
    return "\n\n".join(parts) + "\n"


def _said(rows: Sequence[ServingRow]) -> str:
    if not rows:
        return "No trial of these runs has a client."
    runs = {row.run["id"]: row.run for row in rows}
    machine = next(iter(runs.values()))["environment"]
    spans = sorted(row.trial["seconds"] or 0.0 for row in rows)
    count = Counter(row.trial["verdict"] or "no verdict" for row in rows)
    when = ", ".join(datetime.fromtimestamp(run["started"], UTC).date().isoformat() for run in runs.values())
    long = format_duration(spans[len(spans) // 2])
    cpus = f"{machine.get('cpus', '?')} CPUs of {machine.get('cpu', 'an unknown processor')}"
    return (
        f"{len(rows)} trial{'s'[: len(rows) != 1]} of {long} (median) on {cpus}, {when}, "
        f"by soak {next(iter(runs.values()))['soak_version']}. "
        f"Verdicts: {', '.join(f'{number} {verdict}' for verdict, number in count.most_common())}. "
        "How it works, and how to soak a server of your own: [servers.md](servers.md)."
    )


def _cells(row: ServingRow) -> Iterator[str]:
    trial, client = row.trial, row.trial["serving"]["clients"][0]
    yield trial["name"]
    yield ", ".join(sorted({member["server"] for member in servers_of(trial)}))
    yield "–" if client["per_second"] is None else f"{client['per_second']:,.3g}"
    for name in ("p50", "p99"):
        latency = client[f"latency_{name}_seconds"]
        yield "–" if latency is None else format_duration(latency)
    yield ", ".join(f"{count:,.0f} {kind.replace('_', ' ')}" for kind, count in client["errors"].items()) or "none"
    yield row.agreed or "not compared"
    doses = {"requests": client["requests"], **trial["doses"]}
    yield ", ".join(f"{doses[name]:,.0f} {name.replace('_', ' ')}" for name in DOSES if (doses.get(name) or 0) > 1)
    yield _growth(trial, "requests")
    yield _growth(trial, "swaps")
    yield _growth(trial, "distinct_shapes")
    yield ", ".join(f"{name} {format_value(value, 'bytes')}" for name, value in sorted(row.memory.items())) or "–"
    yield _verdict(trial)


def _verdict(trial: Mapping[str, Any]) -> str:
    """With what was planted, so that nobody takes a leak that is there on purpose for one of the server's."""
    verdict, control = trial["verdict"] or "no verdict", trial["control"]
    if control is None:
        return str(verdict)
    return f"{verdict} ({'as' if control['passed'] else 'not as'} planted: {control['expect']})"


def _growth(trial: Mapping[str, Any], dose: str) -> str:
    told = []
    for growth in trial["serving"]["growth"]:
        if dose in growth["per_dose"]:
            rate = growth["per_dose"][dose]
            low, high = (format_value(bound, growth["unit"]) for bound in rate["ci95"])
            layer = "" if growth["layer"] == "total" else f", {growth['layer']}"
            told.append(f"{growth['member']} {format_value(rate['rate'], growth['unit'])} ({low} to {high}){layer}")
    return "; ".join(told) or "–"


def servers_of(trial: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    """Each member that is a server of soak's: `server`, and `environment` where it has one of its own."""
    for member in trial["settings"].get("members", ()):
        words = [str(word) for word in member["command"]]
        module = next((word for word in words if word.startswith("workloads.servers.")), "")
        name = module.rpartition(".")[2] or next((Path(word).stem for word in words if "/servers/" in word), "")
        if name:
            yield {"server": name, "environment": _environment_of(words[0])}


def _environment_of(python: str) -> str:
    """The name of the environment that an interpreter belongs to, where soak pins one of that name."""
    name = Path(python).parent.parent.name
    return name if (ENVIRONMENTS / f"{name}.txt").is_file() else ""


def _versions(rows: Sequence[ServingRow]) -> str:
    each = {(s["server"], s["environment"]) for row in rows for s in servers_of(row.trial)}
    lines = [joined((name, _version(name, environment))) for name, environment in sorted(each)]
    return "\n".join([joined(("server", "versions")), joined(("---", "---")), *lines])


def _version(name: str, environment: str) -> str:
    pins = ENVIRONMENTS / f"{environment}.txt"
    pinned = dict(line.split("==") for line in pins.read_text().split() if "==" in line) if pins.is_file() else {}
    told = (f"{package} {pinned.get(package) or _installed(package)}" for package in PACKAGES.get(name, ()))
    return ", ".join(told) or "that of the system"


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed here"


def _verdicts(rows: Sequence[ServingRow]) -> str:
    lines = [f"- **{row.trial['name']}**: {_verdict(row.trial)}: {row.trial['reason'] or '–'}" for row in rows]
    return "\n".join(lines)


def _again(rows: Sequence[ServingRow]) -> str:
    commands = "\n".join(dict.fromkeys(str(row.run["command"]) for row in rows))
    said = "`make serving` runs `configs/serving.toml` and makes this page. This one was made of"
    return f"{said}\n\n```console\n{commands}\n```"


def joined(cells: Any) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "/")


def main() -> None:
    """Print the page of some runs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", nargs="+", type=Path, help="folder of a run")
    notes.add_option(parser)
    given = parser.parse_args()
    rows = [row for folder in given.run for row in rows_of(folder)]
    sys.stdout.write(page(sorted(rows, key=lambda row: str(row.trial["name"])), given.notes))


if __name__ == "__main__":
    main()
