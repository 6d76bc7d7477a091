"""Which operators each execution uses for each layer of the two models, as a page and as JSON, from what really runs.

    python -m benchmarks.operators [--execution torch/eager …]

Writes docs/operators.json and docs/operators.md. Each execution answers one clip in a process of its own, where readers
see what is dispatched, optimized or converted (`workloads/operators`). Without `--execution` all are read; what cannot
run here keeps what was known of it, or says why.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.matrix_config import shipped
from workloads import executions, frameworks
from workloads.needs import installed_versions, missing_of

ROOT = Path(__file__).resolve().parents[1]
FACTS, PAGE = ROOT / "docs" / "operators.json", ROOT / "docs" / "operators.md"
SCHEMA = "soak.operators/1"
ARCHITECTURES = ("recurrent", "transformer")
MARK = "operators: "
"""Begins the line that a child answers with: frameworks print too."""
PATIENCE = 1800.0
"""Seconds for one execution: compilers take minutes."""
_HOST = "127.0.0.1"
HEAD = """\
# Operators of each execution

What computes each layer of the two models, read from what really runs while a clip of 2 frames of 32 × 32 pixels is
answered: operators as they are dispatched, graphs after optimization, converted programs as they are loaded. A layer of
a part that has no module of its own is called by what it does (`mean`, `attention`, `gelu`, `residual`, `window`: the
sliding window and its mask). `whole model` stands for what cannot be told apart, as converters and compilers rename and
fuse. What only moves or names data is left out. Of several ranks or workers one alone is read.
[operators.json](operators.json) has the same in order.

Made by `python -m benchmarks.operators`."""


def asked(framework: str, execution: str, *architectures: str) -> dict[str, Any]:
    """In this process, which must be fresh: operators by architecture, and versions."""
    from workloads.operators import recorded

    recorded.prepare(framework)
    found = {each: recorded.operators(each, framework, execution) for each in architectures}
    return {"operators": found, "versions": versions_of(executions.find(framework, execution))}


def versions_of(module: Any) -> dict[str, str]:
    """Of what an execution requires here, and of a runtime that is no package of Python."""
    runtime = frameworks.load(module.EXECUTED_BY)
    told = runtime.environment() if getattr(runtime, "RUNS_ONLY", False) else {}
    return {**installed_versions(module.REQUIRES), **told}


def entry(framework: str, execution: str) -> dict[str, Any]:
    """What is known of an execution, from a child; or why it is not."""
    module = executions.find(framework, execution)
    facts = {
        "framework": framework,
        "execution": execution,
        "executed_by": module.EXECUTED_BY,
        "tolerance": executions.tolerance_of(module),
    }
    if module.TOPOLOGY.roles:
        return {**facts, "problem": "other processes run its steps, and tell none of their operators"}
    if missing := missing_of(module.REQUIRES):
        return {**facts, "problem": f"{' and '.join(missing)} not installed"}
    # A process becomes a rank once.
    parts = [[each] for each in ARCHITECTURES] if module.TOPOLOGY.ranks > 1 else [ARCHITECTURES]
    found: dict[str, Any] = {"operators": {}}
    for part in parts:
        told = _told([framework, execution, *part], alone() if module.TOPOLOGY.ranks > 1 else {})
        if "problem" in told:
            return {**facts, **told}
        found = {"operators": {**found["operators"], **told["operators"]}, "versions": told["versions"]}
    if not any(layer for each in found["operators"].values() for layer, _ in each):
        return {**facts, "problem": "what runs it tells no operators"}
    return {**facts, **found}


def _told(words: Sequence[str], environ: Mapping[str, str]) -> dict[str, Any]:
    """What `asked` tells in a child with these variables, or `problem`."""
    command = [sys.executable, "-m", "benchmarks.operators", "--one", "/".join(words)]
    # What is taken from a cache is not compiled, and so not seen.
    with tempfile.TemporaryDirectory() as cache:
        given = {**os.environ, **environ, "TORCHINDUCTOR_CACHE_DIR": cache}
        try:
            ran = subprocess.run(
                command, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE, check=False, env=given
            )
        except subprocess.TimeoutExpired:
            return {"problem": f"no answer within {PATIENCE:.0f} s"}
    told = [line for line in ran.stdout.splitlines() if line.startswith(MARK)]
    if not told:
        lines = ran.stderr.strip().splitlines()
        return {"problem": lines[-1] if lines else f"exit status {ran.returncode}"}
    found: dict[str, Any] = json.loads(told[-1].removeprefix(MARK))
    return found


def alone() -> dict[str, str]:
    """The environment of a process that is the only rank, and the only worker, of a trial of several."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(2)]
        for one in sockets:
            one.bind((_HOST, 0))
        master, worker = (one.getsockname()[1] for one in sockets)
    cluster = {"cluster": {"worker": [f"{_HOST}:{worker}"]}, "task": {"type": "worker", "index": 0}}
    return {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": _HOST, "MASTER_PORT": str(master),
            "TF_CONFIG": json.dumps(cluster)}  # fmt: skip


def by_layer(operators: Iterable[Sequence[str]]) -> dict[str, str]:
    """Layer → its operators in words, each once with how often it is there; equal layers of a transformer once."""
    counted: dict[str, Counter[str]] = {}
    for layer, operator in operators:
        if layer:
            counted.setdefault(layer, Counter())[operator] += 1
    words = {layer: ", ".join(map(_times, each.items())) for layer, each in counted.items()}
    merged: dict[str, str] = {}
    for layer, said in words.items():
        first, _, rest = layer.partition(".")
        number, _, part = rest.partition(".")
        alike = [words.get(f"layers.{n}.{part}") for n in range(_layers(words))]
        same = first == "layers" and number.isdigit() and set(alike) == {said}
        merged.setdefault(f"layers.N.{part}" if same else layer, said)
    return merged


def _times(one: tuple[str, int]) -> str:
    return one[0] if one[1] == 1 else f"{one[0]} ×{one[1]}"


def _layers(words: Iterable[str]) -> int:
    return 1 + max((int(name.split(".")[1]) for name in words if name.startswith("layers.")), default=0)


def page(facts: Mapping[str, Any]) -> str:
    """The whole page, in Markdown."""
    parts = [HEAD]
    for architecture in ARCHITECTURES:
        parts += [f"## {architecture}", _table(facts["executions"], architecture)]
    rows = [
        _row((_name(one), one["executed_by"], f"{one['tolerance']:.0e}", _versions(one))) for one in facts["executions"]
    ]
    head = [_row(("execution", "executed by", "tolerance", "versions")), _row(["---"] * 4)]
    said = (
        "How far outputs may be from those of PyTorch in eager mode, as a part of the largest value: held by"
        " `tests/integration/test_parity_of_executions.py`, and in each trial for the first answer."
    )
    return "\n\n".join([*parts, "## Tolerances", said, "\n".join([*head, *rows])]) + "\n"


def _table(entries: Sequence[Mapping[str, Any]], architecture: str) -> str:
    """For each layer the operators, with the executions that use the same."""
    layers: dict[str, dict[str, list[str]]] = {}
    for one in entries:
        for layer, said in by_layer(one.get("operators", {}).get(architecture, ())).items():
            layers.setdefault(layer, {}).setdefault(said, []).append(_name(one))
    ordered = sorted(layers, key=_order)
    lines = [_row((f"`{layer}`", said, ", ".join(names))) for layer in ordered for said, names in layers[layer].items()]
    return "\n".join([_row(("layer", "operators", "executions")), _row(["---"] * 3), *lines])


def _order(layer: str) -> tuple[Any, ...]:
    from workloads.operators.layers import place

    return place(layer.replace("layers.N", "layers.0"))


def _name(one: Mapping[str, Any]) -> str:
    return f"{one['framework']} {one['execution']}"


def _versions(one: Mapping[str, Any]) -> str:
    if "problem" in one:
        return f"operators not read: {one['problem']}"
    return ", ".join(f"{name} {version}" for name, version in one["versions"].items())


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(' '.join(cell.replace('|', '/').split()) for cell in cells)} |"


def written(facts: Mapping[str, Any]) -> str:
    """As JSON, an execution a line."""
    lines = ",\n".join(json.dumps(one) for one in facts["executions"])
    return f'{{"schema": "{facts["schema"]}", "executions": [\n{lines}\n]}}\n'


def main() -> None:
    """Read, and write both files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--execution", action="append", default=[], help="framework/execution; by default all")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(MARK + json.dumps(asked(*options.one.split("/"))), flush=True)
        return
    before = json.loads(FACTS.read_text())["executions"] if FACTS.exists() else []
    known = {(one["framework"], one["execution"]): one for one in before}
    entries = []
    for framework, execution, _ in shipped():
        way, found = (framework, execution), known.get((framework, execution))
        if found is None or not options.execution or f"{framework}/{execution}" in options.execution:
            read = entry(*way)
            print(f"{framework} {execution}: {read.get('problem', 'read')}", file=sys.stderr)
            found = read if found is None or "problem" not in read or "problem" in found else found
        entries.append(found)
    facts = {"schema": SCHEMA, "executions": entries}
    FACTS.write_text(written(facts))
    PAGE.write_text(page(facts))


if __name__ == "__main__":
    main()
