"""A record whose rounds are read once: what is drawn of a trial is kept when its series are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from monitors.detection.series import Series
from monitors.model import Event, Loss, MetricSpec
from monitors.samplers.worker_gpu import PEAK
from reports.outline import Outline, outline
from reports.probes import share
from reports.record import RunInfo, RunRecord, TrialInfo
from reports.thinning import buckets_for


class ReadOnce:
    """A `RunRecord` over another that does not change meanwhile. Series themselves are not kept: they are large."""

    def __init__(self, record: RunRecord) -> None:
        self._record = record
        self._drawn: dict[int, list[Outline]] = {}

    def run(self) -> RunInfo:
        """As the record has it."""
        return self._record.run()

    def trials(self) -> Sequence[TrialInfo]:
        """In the order of the plan."""
        return self._trials

    def events(self) -> Sequence[Event]:
        """Oldest first."""
        return self._events

    @cached_property
    def _trials(self) -> Sequence[TrialInfo]:
        return self._record.trials()

    @cached_property
    def _events(self) -> Sequence[Event]:
        return self._record.events()

    def series(self, trial: int) -> Sequence[Series]:
        """Every series of a trial. Reads its rounds."""
        series = self._record.series(trial)
        if trial not in self._drawn:
            judgement = next((info.judgement for info in self._trials if info.index == trial), None)
            found = {finding.series: finding for finding in (judgement.findings if judgement else ())}
            shown = [one for one in series if _is_drawn(one.metric) and len(one.t)]
            probing = share(series)
            buckets = buckets_for(len(shown) * len(self._trials))
            self._drawn[trial] = [outline(one, found.get(one.name), buckets, probing) for one in shown]
        return series

    def drawn(self, trial: int) -> Sequence[Outline]:
        """What is drawn of its judged series, and of peaks. Reads no rounds where its series were asked for before."""
        if trial not in self._drawn:
            self.series(trial)
        return self._drawn[trial]

    def loss(self, trial: int) -> Loss:
        """What is lost of a trial's samples."""
        return self._record.loss(trial)

    def damage(self) -> Sequence[str]:
        """What could not be read of all that was asked for so far."""
        return self._record.damage()


def _is_drawn(metric: MetricSpec) -> bool:
    return (metric.judged and metric.layer is not None) or metric.name == PEAK.name
