"""Sums that say nothing of their own are kept, and neither judged nor drawn: of a single part, as that says the same,
and of members that are not judged too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from soak.record.formats import MemberInfo, SeriesRow

_CGROUP = "cgroup_"
"""Metrics of all that is in the cgroup of a trial begin so."""


def without_sole_sums(rows: Mapping[int, SeriesRow]) -> dict[int, SeriesRow]:
    """The same series; where one member or device alone is judged, the trial's sum of its metric is not."""
    parts = Counter(row.metric for row in rows.values() if row.judged and _is_part(row))
    return {
        place: _unjudged(row) if not _is_part(row) and parts[row.metric] == 1 else row for place, row in rows.items()
    }


def without_clients(rows: Mapping[int, SeriesRow], members: Iterable[MemberInfo]) -> dict[int, SeriesRow]:
    """The same series; where a member is not judged, nor is what the trial's cgroup holds: its memory is in there."""
    if all(member.judged for member in members):
        return dict(rows)
    return {place: _unjudged(row) if row.metric.startswith(_CGROUP) else row for place, row in rows.items()}


def _is_part(row: SeriesRow) -> bool:
    return bool(row.member or row.device)


def _unjudged(row: SeriesRow) -> SeriesRow:
    return msgspec.structs.replace(row, judged=False)
