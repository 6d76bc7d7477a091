"""The results as a Markdown table: what was tried, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.torture.results import Case

_TITLES = {
    "kills": "strikes at a run",
    "service": "strikes at `soak serve`",
    "records": "damaged records",
    "configs": "mutated configs",
    "traces": "mutated traces",
    "answers": "answers of Prometheus",
    "pipe": "messages of fake workers",
    "wire": "messages, decoded only",
    "neighbour": "bad neighbours",
}
_RULES = (
    "traceback", "crash", "hang", "false verdict", "pass after a kill", "silent loss", "samples lost", "gap", "orphan",
    "cgroup left", "record damaged", "exit code",
)  # fmt: skip


def markdown(cases: Sequence[Case]) -> str:
    """All tables."""
    if not cases:
        return "No results.\n"
    seeds = sorted({case.seed for case in cases})
    parts = [
        _campaigns(cases),
        _strikes(cases),
        _outcomes(cases),
        f"Seeds: {', '.join(map(str, seeds))}.\n",
        _faults(cases),
    ]
    return "\n".join(part for part in parts if part)


def _campaigns(cases: Sequence[Case]) -> str:
    rows = []
    for name, title in _TITLES.items():
        own = [case for case in cases if case.campaign == name]
        if own:
            kinds = Counter(_kind(fault) for case in own for fault in case.faults)
            said = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "none"
            rows.append((title, len(own), sum(case.tried for case in own), sum(bool(c.faults) for c in own), said))
    return _table(("what was tried", "cases", "inputs", "cases with a fault", "faults"), rows)


def _strikes(cases: Sequence[Case]) -> str:
    struck = Counter(one for case in cases for one in case.facts.get("struck", ()))
    if not struck:
        return ""
    roles = sorted({one.partition(" ")[0] for one in struck})
    manners = sorted({one.partition(" ")[2] for one in struck})
    heads = ("process", *(f"SIG{manner.replace(' ', ', SIG')}" for manner in manners))
    rows = [(role, *(struck.get(f"{role} {manner}", 0) for manner in manners)) for role in roles]
    total = [sum(struck.get(f"{role} {manner}", 0) for role in roles) for manner in manners]
    return _table(heads, [*rows, ("all", *total)]) + _numbers(cases)


def _numbers(cases: Sequence[Case]) -> str:
    lost = sorted(case.facts["lost"] for case in cases if "lost" in case.facts)
    settle = sorted(case.facts["settle"] for case in cases if "settle" in case.facts)
    said = []
    if lost:
        said.append(
            f"Lost when the supervisor was killed: at most {lost[-1]:.2f} s of samples, half of the time less than "
            f"{lost[len(lost) // 2]:.2f} s ({len(lost)} kills while trials ran)."
        )
    if settle:
        said.append(f"Everything of a run was gone at most {settle[-1]:.1f} s after its end ({len(settle)} runs).")
    grouped = sum(bool(case.facts.get("cgroups")) for case in cases)
    if grouped:
        said.append(f"Trials had cgroups of their own in {grouped} rounds at least.")
    return "\n" + " ".join(said) + "\n" if said else ""


def _outcomes(cases: Sequence[Case]) -> str:
    rows = []
    for name, title in _TITLES.items():
        told = Counter(
            str(case.facts["outcome"]) for case in cases if case.campaign == name and "outcome" in case.facts
        )
        if told:
            rows.append((title, ", ".join(f"{count} {outcome}" for outcome, count in told.most_common())))
    return _table(("what was tried", "what came of it"), rows) if rows else ""


def _faults(cases: Sequence[Case]) -> str:
    found = [case for case in cases if case.faults]
    lines = [f"- `{case.campaign} --seed {case.seed} --only {case.n}` ({case.what}): "
             f"{'; '.join(case.faults)[:300]}" for case in found[:50]]  # fmt: skip
    if len(found) > 50:
        lines.append(f"- and {len(found) - 50} more")
    return "Faults:\n\n" + "\n".join(lines) + "\n" if lines else ""


def _kind(fault: str) -> str:
    kind = fault.partition(":")[0]
    return kind if kind in _RULES else kind[:40]


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"
