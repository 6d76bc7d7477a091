"""Which sources there are: the files of `workloads/inputs/`, and the entry points of the group `soak.sources`.

Their options are read, checked and filled in here without opening anything, and without numpy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from workloads import inputs
from workloads.modules import ModuleError, Modules
from workloads.needs import Needs, needs_of
from workloads.options import OptionError, make, plain
from workloads.protocol.order import StreamSpec
from workloads.protocol.source import Source

GROUP = "soak.sources"
DEFAULT = "synthetic"
STEM = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
"""Names of doses and of items: they become names of metrics."""


class SourceError(ModuleError):
    """A source that does not exist, breaks the contract, or was given options it does not have."""


_SOURCES = Modules("source", (inputs,), GROUP, ("ITEM", "DOSES", "Options", "open_source"), SourceError)


def names() -> tuple[str, ...]:
    """Every source, sorted."""
    return tuple(_SOURCES.paths())


def load(name: str) -> Any:
    """The module of that source, held to the contract of `workloads.protocol.source`.

    Raises:
        SourceError: there is none, it cannot be imported, a part is missing, or a dose has no name of a metric.
    """
    module = _SOURCES.load(name)
    wrong = [dose for dose in (module.ITEM, *module.DOSES) if not STEM.fullmatch(dose)]
    if wrong:
        raise SourceError(f"source {name!r}: {wrong[0]!r} is not a lower_case name of a dose or an item")
    return module


def spec_of(name: str, given: Mapping[str, Any]) -> StreamSpec:
    """A source with these options, checked, and every other at its default.

    Raises:
        SourceError: there is no such source.
        OptionError: an option that it does not have, or a value that it cannot have; a file that is not there.
    """
    module = load(name)
    options = make(module.Options, given)
    if hasattr(module, "check"):
        module.check(options)
    return StreamSpec(name, plain(options))


def options_of(spec: StreamSpec) -> Any:
    """The source's `Options`.

    Raises:
        SourceError: there is no such source, or an option is wrong.
    """
    try:
        return make(load(spec.source).Options, spec.options)
    except OptionError as error:
        raise SourceError(f"source {spec.source!r}: {error}") from error


def filled(spec: StreamSpec) -> dict[str, Any]:
    """Every option of the source, as JSON has them: those that are left out in the spec at their defaults.

    Raises:
        SourceError: as `options_of`.
    """
    return plain(options_of(spec))


def open_source(spec: StreamSpec, seed: int) -> Source:
    """Open a source.

    Raises:
        SourceError: as `options_of`.
        StreamError: what it reads is not there, or is not what it should be.
    """
    source: Source = load(spec.source).open_source(options_of(spec), seed)
    return source


def golden(spec: StreamSpec, seed: int) -> Any:
    """An item that is the same whenever it is asked for, and that the running source does not lose."""
    module, options = load(spec.source), options_of(spec)
    if hasattr(module, "golden"):
        return module.golden(options, seed)
    source = module.open_source(options, seed)
    try:
        return source.next()
    finally:
        source.close()


def describe(name: str) -> dict[str, Any]:
    """Name, purpose, kind of item, doses, requirements and options of a source, for people."""
    return _SOURCES.describe(name, lambda module: {"item": module.ITEM, "doses": list(module.DOSES)})


def yielding(item: str) -> tuple[str, ...]:
    """The sources whose items are of this kind."""
    return tuple(name for name, module in _SOURCES.usable().items() if item == module.ITEM)


def needs(spec: StreamSpec) -> Needs:
    """What it needs of the worker's interpreter and of the machine."""
    return needs_of(load(spec.source), options_of(spec))
