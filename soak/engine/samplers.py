"""The samplers of a run: each one read once for what it is about, be that the node, a trial, a member or a device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from monitors import catalog
from monitors.model import Event, MetricSpec, Roots, Sample, SamplerScope, Target
from monitors.round import Round, RoundResult, together
from soak.engine.clock import Clock
from soak.engine.sums import Sums
from soak.errors import UsageError
from workloads.protocol import wire

MakeRound = Callable[[SamplerScope], Round]
"""A round of all samplers of one scope, fresh for what they are to read."""


def check() -> None:
    """Hold every sampler to the contract, before anything is started.

    Raises:
        UsageError: a sampler that is found breaks it.
    """
    try:
        catalog.all_specs()
    except catalog.CatalogError as error:
        raise UsageError(str(error)) from error


def rounds_of(clock: Clock, roots: Roots | None = None) -> MakeRound:
    """Makes rounds of the samplers that are found, by scope."""
    there = roots or Roots()

    def make(scope: SamplerScope) -> Round:
        loaded = {name: catalog.load(name) for name in catalog.names()}
        chosen = {name: found(there) for name, found in loaded.items() if found.scope == scope}
        return Round(chosen, clock.monotonic)

    return make


@dataclass(frozen=True, slots=True)
class DeviceTarget:
    """One device of a member. label: what tells its series apart; empty where the trial has a single device."""

    uuid: str
    label: str
    target: Target


@dataclass(frozen=True, slots=True)
class MemberTarget:
    """One member. label: what tells its series apart; empty where the trial has a single member."""

    name: str
    label: str
    judged: bool
    target: Target
    devices: tuple[DeviceTarget, ...] = ()


@dataclass(frozen=True, slots=True)
class TrialTarget:
    """What may be sampled of a trial in one round."""

    whole: Target
    members: tuple[MemberTarget, ...]


class TrialRounds:
    """The samplers of one trial, with a state of their own for each member and device."""

    def __init__(self, make: MakeRound) -> None:
        self._make = make
        self._rounds: dict[tuple[SamplerScope, str, str], Round] = {}
        self._sums = Sums()
        self._unjudged: dict[MetricSpec, MetricSpec] = {}
        """Specs of judged metrics → the same for a member that is only recorded."""

    def take(self, target: TrialTarget, now: float, node: RoundResult) -> RoundResult:
        """One round. node: what was read of the machine in this round, for every trial."""
        results = [node, self._take(("trial", "", ""), target.whole, now)]
        parts: list[Sample] = []
        read: set[str] = set()
        for member in target.members:
            found = list(self._of_member(member, now, read))
            results += found
            if member.judged:
                parts += (sample for result in found for sample in result.samples)
        if any(member.label or member.devices[1:] for member in target.members):
            there = {member.label for member in target.members}
            results.append(RoundResult(self._sums.take(parts, there, now), (), {}))
        return together(results)

    def probed(self, target: TrialTarget, now: float, answers: Mapping[str, wire.Probe]) -> RoundResult:
        """What members found when they were probed, with their steps and doses of then. answers: by member."""
        results: list[RoundResult] = []
        parts: list[Sample] = []
        asked = [member for member in target.members if member.name in answers]
        for member in asked:
            answer = answers[member.name]
            probed = replace(member.target, probe=answer.stages, probe_seconds=answer.seconds)
            scopes: tuple[SamplerScope, ...] = ("beat", "probe")
            results += (self._told(self._take((scope, member.name, ""), probed, now), member, "") for scope in scopes)
            parts += results[-1].samples
        if any(member.label for member in asked) and all(m.name in answers for m in target.members if m.judged):
            # Of all that are judged, or none; all were asked for the same moment, so no part is late.
            results.append(RoundResult(Sums().take(parts, {member.label for member in asked}, now), (), {}))
        return together(results)

    def _of_member(self, member: MemberTarget, now: float, read: set[str]) -> Iterator[RoundResult]:
        """What it holds, and its devices. read: devices that were read as a whole in this round."""
        for scope in ("member", "beat") if member.target.beat_number else ("member",):
            yield self._told(self._take((scope, member.name, ""), member.target, now), member, "")
        for device in member.devices:
            held = self._take(("member_device", member.name, device.uuid), device.target, now)
            yield self._told(held, member, device.label)
            if device.uuid not in read:
                read.add(device.uuid)
                found = self._take(("device", "", device.uuid), device.target, now)
                yield self._told(found, replace(member, label="", judged=True), device.label)

    def _take(self, key: tuple[SamplerScope, str, str], target: Target, now: float) -> RoundResult:
        if key not in self._rounds:
            self._rounds[key] = self._make(key[0])
        return self._rounds[key].take(target, now)

    def _told(self, result: RoundResult, member: MemberTarget, device: str) -> RoundResult:
        """With the labels of what it is about."""
        if member.judged and not member.label and not device:
            return result
        samples = [
            Sample(
                sample.metric if member.judged else self._recorded(sample.metric),
                sample.value, sample.label, member.label, sample.device or device,
            )
            for sample in result.samples
        ]  # fmt: skip
        return RoundResult(samples, _named(result.events, member.label, device), result.health)

    def _recorded(self, metric: MetricSpec) -> MetricSpec:
        """The metric of a member that is not judged."""
        if metric.judged and metric not in self._unjudged:
            self._unjudged[metric] = replace(metric, judged=False)
        return self._unjudged.get(metric, metric)


def _named(events: Iterable[Event], member: str, device: str) -> Sequence[Event]:
    about = ", ".join(name for name in (member, device) if name)
    if not about:
        return tuple(events)
    data: Mapping[str, object] = {"member": member, "device": device}
    return [replace(e, message=f"{about}: {e.message}", data={**e.data, **data}) for e in events]
