"""Which operators each execution uses for each layer of the two models, as a page and as JSON, from what really runs.

    python -m benchmarks.operators [--execution torch/eager …]

Writes docs/operators.json and docs/operators.md. Each execution answers one clip in a process of its own, where readers
see what is dispatched, optimized or converted (`workloads/operators`). Without `--execution` all are read; what cannot
run here keeps what was known of it, or says why.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.matrix_config import shipped
from workloads import executions
from workloads.needs import missing_of

ROOT = Path(__file__).resolve().parents[1]
FACTS, PAGE = ROOT / "docs" / "operators.json", ROOT / "docs" / "operators.md"
SCHEMA = "soak.operators/1"
ARCHITECTURES = ("recurrent", "transformer")
MARK = "operators: "
"""Begins the line that a child answers with: frameworks print too."""
PATIENCE = 1800.0
"""Seconds for one execution: compilers take minutes."""
HEAD = """\
# Operators of each execution

What computes each layer of the two models, read from what really runs while a clip of 2 frames of 32 × 32 pixels is
answered: operators as they are dispatched, graphs after optimization, converted programs as they are loaded. A layer of
a part that has no module of its own is called by what it does (`mean`, `attention`, `gelu`, `residual`, `window`: the
sliding window and its mask). `whole model` stands for what cannot be told apart, as converters and compilers rename and
fuse. What only moves or names data is left out. [operators.json](operators.json) has the same in order.

Made by `python -m benchmarks.operators`."""


def asked(framework: str, execution: str) -> dict[str, Any]:
    """In this process, which must be fresh: operators by architecture, and versions."""
    from workloads.operators import recorded

    recorded.prepare(framework)
    found = {each: recorded.operators(each, framework, execution) for each in ARCHITECTURES}
    modules = executions.find(framework, execution).REQUIRES
    told = {name: getattr(sys.modules.get(name), "__version__", "") for name in modules}
    return {"operators": found, "versions": {name: version for name, version in told.items() if version}}


def entry(framework: str, execution: str) -> dict[str, Any]:
    """What is known of an execution, from a child; or why it is not."""
    module = executions.find(framework, execution)
    facts = {
        "framework": framework,
        "execution": execution,
        "executed_by": module.EXECUTED_BY,
        "tolerance": executions.tolerance_of(module),
    }
    if module.TOPOLOGY.ranks > 1:
        return {**facts, "problem": "it needs several processes"}
    if missing := missing_of(module.REQUIRES):
        return {**facts, "problem": f"{' and '.join(missing)} not installed"}
    command = [sys.executable, "-m", "benchmarks.operators", "--one", f"{framework}/{execution}"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return {**facts, "problem": f"no answer within {PATIENCE:.0f} s"}
    told = [line for line in ran.stdout.splitlines() if line.startswith(MARK)]
    if not told:
        lines = ran.stderr.strip().splitlines()
        return {**facts, "problem": lines[-1] if lines else f"exit status {ran.returncode}"}
    found: dict[str, Any] = json.loads(told[-1].removeprefix(MARK))
    if not any(layer for each in found["operators"].values() for layer, _ in each):
        return {**facts, "problem": "what runs it tells no operators"}
    return {**facts, **found}


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
