"""The samplers of a trial: every one that is found, each with its own state."""

from __future__ import annotations

from monitors.round import Round

from monitors import catalog
from monitors.model import Roots
from soak.clock import Clock


def make_round(clock: Clock, roots: Roots | None = None) -> Round:
    """A round of all samplers, fresh for one trial."""
    roots = roots or Roots()
    return Round({name: catalog.load(name)(roots) for name in catalog.names()}, clock.monotonic)
