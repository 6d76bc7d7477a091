"""Sums of a single part say again what that part says: they are kept, and neither judged nor drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from soak.record.formats import SeriesRow


def without_sole_sums(rows: Mapping[int, SeriesRow]) -> dict[int, SeriesRow]:
    """The same series; where one member or device alone is judged, the trial's sum of its metric is not."""
    parts = Counter(row.metric for row in rows.values() if row.judged and _is_part(row))
    return {
        place: _unjudged(row) if not _is_part(row) and parts[row.metric] == 1 else row for place, row in rows.items()
    }


def _is_part(row: SeriesRow) -> bool:
    return bool(row.member or row.device)


def _unjudged(row: SeriesRow) -> SeriesRow:
    return msgspec.structs.replace(row, judged=False)
