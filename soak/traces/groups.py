"""Rows of several entities in one source, each a trace of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from monitors.detection.series import Floats
from monitors.text import one_line
from soak.errors import UsageError
from soak.traces.columns import Trace, listed
from soak.traces.reading import TraceBuilder

Key = tuple[str, ...]
_MOST = 5_000
"""Entities of one source."""
_FEWEST = 8
"""Samples below which an entity is told in a note, where others have more."""


class Groups:
    """Takes the rows of a source, and gives each to the builder of its entity."""

    def __init__(self, source: str, names: Sequence[str], make: Callable[[Key], TraceBuilder]) -> None:
        """names: what tells entities apart; none where there is one. make: the builder of a new entity."""
        self._source, self._names, self._make = source, names, make
        self._builders: dict[Key, TraceBuilder] = {}
        self._lost: Counter[str] = Counter()
        self.rows = 0
        self.notes: list[str] = []

    def add(self, t: Floats, columns: Sequence[Floats], keys: Sequence[Key]) -> None:
        """Take rows. t: seconds, shape (n,). keys: the entity of each row; empty where there is one."""
        self.rows += len(t)
        if not self._names:
            self._builder(()).add(t, columns)
            return
        places: dict[Key, list[int]] = {}
        for place, key in enumerate(keys):
            places.setdefault(key, []).append(place)
        for key, chosen in places.items():
            rows = np.array(chosen)
            self._builder(key).add(t[rows], [column[rows] for column in columns])

    def lose(self, rows: int, why: str) -> None:
        """Count rows of which nobody knows whose they are."""
        if rows:
            self._lost[why] += rows

    def _builder(self, key: Key) -> TraceBuilder:
        if key not in self._builders:
            if len(self._builders) == _MOST:
                names = listed(self._names)
                raise UsageError(f"{self._source}: more than {_MOST:,} entities by {names}; expected fewer: --group-by")
            self._builders[key] = self._make(key)
        return self._builders[key]

    def traces(self) -> list[Trace]:
        """One for each entity."""
        builders = self._builders or {(): self._make(())}
        for builder in builders.values():
            for why, count in self._lost.items():
                share = builder.taken / self.rows if self.rows else 1.0
                builder.lose(round(count * share), why)
            builder.notes += self.notes
        if len(builders) == 1:
            return [next(iter(builders.values())).trace()]
        few = [key for key, builder in builders.items() if builder.taken < _FEWEST]
        if len(few) == len(builders):
            few = []
        traces = [
            replace(builder.trace(), source=f"{self._source}: {self._said(key)}")
            for key, builder in builders.items()
            if key not in few
        ]
        if few:
            said = f"left out, with fewer than {_FEWEST} samples each: {listed(map(self._said, few))}"
            traces[0] = replace(traces[0], notes=(*traces[0].notes, said))
        return traces

    def _said(self, key: Key) -> str:
        return one_line(" ".join(f"{name}={value}" for name, value in zip(self._names, key, strict=True)), 200)
