"""What the clients of a trial saw of its servers, and what each server's memory grew by: requests, latencies, doses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from monitors.detection.series import Series
from monitors.model import Finding
from monitors.units import format_duration, format_per_dose, format_value

_ERRORS = "request_errors_"
_HOLDS = ("total", "anonymous", "host_heap")
"""Layers that say what a server holds, the first of which there is."""
_SHOWN = ("requests", "swaps", "distinct_shapes", "connections", "abandoned")
"""Doses that growth is shown for each of, in this order."""


def of_trial(series: Sequence[Series], findings: Sequence[Finding]) -> dict[str, Any] | None:
    """Each client with what became of its requests, and the growth of each server; None without a client."""
    by_member: dict[str, dict[str, Series]] = {}
    for one in series:
        if len(one.t) and not one.label:
            by_member.setdefault(one.member, {})[one.metric.name] = one
    clients = [_client(member, found) for member, found in by_member.items() if "responses" in found]
    if not clients:
        return None
    names = {client["member"] for client in clients}
    return {"clients": clients, "growth": list(_growth(findings, names))}


def _client(member: str, found: Mapping[str, Series]) -> dict[str, Any]:
    answered = found["responses"]
    seconds = float(answered.t[-1] - answered.t[0])
    errors = {name.removeprefix(_ERRORS): _last(one) for name, one in found.items() if name.startswith(_ERRORS)}
    return {
        "member": member,
        "requests": _last(found.get("requests")),
        "responses": _last(answered),
        "per_second": float(answered.values[-1] - answered.values[0]) / seconds if seconds > 0 else None,
        "latency_p50_seconds": _last(found.get("request_latency_overall_p50_seconds")),
        "latency_p99_seconds": _last(found.get("request_latency_overall_p99_seconds")),
        "errors": {kind: count for kind, count in errors.items() if count},
    }


def _last(series: Series | None) -> float | None:
    return None if series is None else float(series.values[-1])


def _growth(findings: Sequence[Finding], clients: set[str]) -> Iterator[dict[str, Any]]:
    """Of each server, by the first layer of those that say what it holds and have a rate for each dose."""
    members = dict.fromkeys(finding.member for finding in findings if finding.member and finding.member not in clients)
    for member in members:
        own = [f for f in findings if f.member == member and not f.device and f.rate_per_dose]
        best = min((f for f in own if f.layer in _HOLDS), key=lambda f: _HOLDS.index(f.layer), default=None)
        if best is not None:
            each = {name: {"rate": one.rate, "ci95": list(one.ci95)} for name, one in best.rate_per_dose.items()}
            yield {"member": member, "layer": best.layer, "unit": best.unit, "per_dose": each}


def said(trial: Mapping[str, Any]) -> Iterator[str]:
    """It in sentences; none without a client."""
    found = trial["serving"]
    if found is None:
        return
    for client in found["clients"]:
        yield _said_of(client)
    for growth in found["growth"]:
        told = [_rate(growth, dose) for dose in _SHOWN if dose in growth["per_dose"]]
        if told:
            yield f"{growth['member']} ({growth['layer']}), as if all growth were by one of them: {', '.join(told)}"


def _said_of(client: Mapping[str, Any]) -> str:
    parts = [f"{client['responses']:,.0f} responses"]
    if client["per_second"] is not None:
        parts.append(f"{client['per_second']:,.4g} a second")
    latencies = ((name, client[f"latency_{name}_seconds"]) for name in ("p50", "p99"))
    parts += [f"{name} {format_duration(latency)}" for name, latency in latencies if latency is not None]
    errors = ", ".join(f"{count:,.0f} {kind.replace('_', ' ')}" for kind, count in client["errors"].items())
    parts.append(f"errors: {errors}" if errors else "no errors")
    return f"{client['member'] or 'client'}: {', '.join(parts)}"


def _rate(growth: Mapping[str, Any], dose: str) -> str:
    rate, unit = growth["per_dose"][dose], growth["unit"]
    low, high = (format_value(bound, unit) for bound in rate["ci95"])
    return f"{format_per_dose(rate['rate'], unit, dose)} ({low} to {high})"
