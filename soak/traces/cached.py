"""Amounts with the page cache in them: what else a trace tells shows how much memory is held without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitors.detection.series import Series
from soak.traces import times, units

_CACHES = {"cached", "cache", "buffers", "buffer", "buff", "buffered", "cach", "buf", "kbcached", "kbbuffers"}
_WITH_CACHE = ({"usage"}, {"working", "set"}, {"current"})
"""Words of what a container uses, the pages of its files included."""
_SAME = 0.02
"""Share of the range of what is used within which it and what is free are always the same together."""
REASON = "with the page cache in it; {name} is judged"


def without_cache(series: Sequence[Series]) -> tuple[list[Series], dict[str, str]]:
    """The series, and why some of them are not judged: a column says the same without the page cache."""
    kept, ignored = _of_containers(series)
    return _of_machines(kept), ignored


def _said(one: Series) -> set[str]:
    return set(times.words(units.split(one.name)[0]))


def _of_containers(series: Sequence[Series]) -> tuple[list[Series], dict[str, str]]:
    """Without what a container uses with its files, where its anonymous memory is there too."""
    of_one = [one for one in series if _said(one) & {"container", "cgroup", "stats"} and one.metric.layer]
    bare = next((one for one in of_one if _said(one) & {"rss", "anon"} and len(one.t)), None)
    if bare is None:
        return list(series), {}
    whole = {one.name for one in of_one if any(words <= _said(one) for words in _WITH_CACHE) and one is not bare}
    return [one for one in series if one.name not in whole], dict.fromkeys(whole, REASON.format(name=bare.name))


def _of_machines(series: Sequence[Series]) -> list[Series]:
    """With the page cache taken off what is used, where that and what is free are all there is."""
    free = next((one for one in series if _said(one) & {"free", "memfree", "kbmemfree"} and len(one.t) > 2), None)
    caches = [one for one in series if _said(one) & _CACHES and not one.metric.judged and len(one.t) > 2]
    if free is None or not caches:
        return list(series)
    return [_bare(one, free, caches) if _is_rest_of(free, one) else one for one in series]


def _is_rest_of(free: Series, used: Series) -> bool:
    """Whether what is used and what is free are always as much together."""
    if not _said(used) & {"used", "memused", "kbmemused"} or not np.array_equal(free.t, used.t):
        return False
    return bool(np.ptp(used.values) > 0 and np.ptp(used.values + free.values) <= _SAME * np.ptp(used.values))


def _bare(used: Series, free: Series, caches: Sequence[Series]) -> Series:
    values = used.values.copy()
    for one in caches:
        if np.array_equal(one.t, used.t) and one.metric.unit == used.metric.unit:
            values = values - one.values
    return replace(used, values=values)
