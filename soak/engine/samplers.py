"""The samplers of a trial: every one that is found, each with its own state."""

from __future__ import annotations

from monitors import catalog
from monitors.model import Roots
from monitors.round import Round
from soak.engine.clock import Clock
from soak.errors import UsageError


def check() -> None:
    """Hold every sampler to the contract, before anything is started.

    Raises:
        UsageError: a sampler that is found breaks it.
    """
    try:
        catalog.all_specs()
    except catalog.CatalogError as error:
        raise UsageError(str(error)) from error


def make_round(clock: Clock, roots: Roots | None = None) -> Round:
    """A round of all samplers, fresh for one trial."""
    roots = roots or Roots()
    return Round({name: catalog.load(name)(roots) for name in catalog.names()}, clock.monotonic)
