"""What a source is to the child that drives a workload with it, and what its module defines.

A module in `workloads/inputs/`, or one that an entry point of the group `soak.sources` names, defines

- a docstring whose first line says what it yields;
- `ITEM: str`: the kind of its items, one of `ITEMS` or a name of its own. Workloads that name no `SOURCES` take clips;
- `DOSES: Mapping[str, str]`: every dose it may count, by name, and what it is; lower_case names;
- `Options`: a frozen dataclass of its options, each with a default and a docstring line. `__post_init__` raises
  `workloads.options.OptionError` for a value that breaks a rule. Fields are numbers, texts, or tuples of these;
- `open_source(options: Options, seed: int) -> Source`: same options and seed, same items, on every machine;

and where it needs to

- `REQUIRES: Mapping[str, str]`, and whatever else of the machine it needs, as `workloads.needs` says;
- `check(options: Options) -> None`: raises `OptionError` for what this machine lacks, such as a file;
- `ESCALATES: Mapping[str, Callable[[Options, int], Options | None]]`: by dose, what makes of a stream's options those
  of one that gives one, two or four times the least of it; None where the options leave no room;
- `golden(options: Options, seed: int) -> item`: a fixed item of a shape that the workload meets anyway. Without
  it, that is the first item of a source that was opened for it alone.

It imports without numpy and without a framework; both may be imported once `open_source` is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

ITEMS = ("clip", "sequences", "audio", "tick", "request")
"""Kinds of items that more than one source or workload agrees on; `workloads.protocol.contract` says what they hold."""


class Source(Protocol):
    """An open source: an iterator of items that counts what it gave. Never sleeps; who drives it paces it."""

    def next(self) -> Any:
        """The next item.

        Raises:
            StopIteration: a bounded source has no more; the trial ends as `exhausted`.
            StreamError: it can be read no longer; the message says what and why.
        """
        ...

    def doses(self) -> Mapping[str, float]:
        """What the consumer was given so far, by the names of `DOSES`. None of them ever falls."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Paced(Source, Protocol):
    """A source whose items have a time."""

    def due(self) -> float | None:
        """Seconds after the first step at which the latest item is due; None where it is due at once."""
        ...
