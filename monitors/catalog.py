"""Which samplers there are: the files of `monitors/samplers/` and the entry points of the group `soak.samplers`.

Naming them imports none of them; loading one imports that one and holds it to the contract of `monitors.model.Sampler`.
"""

from __future__ import annotations

import functools
import importlib
import math
import pkgutil
import re
from importlib.metadata import EntryPoint, entry_points
from typing import Any, get_args

from monitors import samplers
from monitors.model import LAYERS, MetricSpec, Roots, Sampler, SamplerScope, Unit

GROUP = "soak.samplers"

_STEM = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SUFFIXES = {"bytes": "_bytes", "seconds": "_seconds", "ratio": "_ratio"}


class CatalogError(ValueError):
    """A sampler that does not exist or breaks the contract. Names the sampler and says what was expected."""


def names() -> tuple[str, ...]:
    """Every sampler, sorted."""
    return tuple(sorted(_own_names() | _entry_points().keys()))


def load(name: str) -> type[Sampler]:
    """The sampler of that name.

    Raises:
        CatalogError: there is none, two share the name, it cannot be imported, or it breaks the contract.
    """
    foreign = _entry_points().get(name)
    if name in _own_names():
        if foreign is not None:
            raise CatalogError(f"sampler {name!r}: the entry point {foreign.value!r} takes the name of a built-in one")
        found = _attribute(name)
    elif foreign is not None:
        found = _foreign(name, foreign)
    else:
        raise CatalogError(f"sampler {name!r}: there is none; known are {', '.join(names())}")
    check(name, found)
    sampler: type[Sampler] = found
    return sampler


def all_specs() -> dict[str, MetricSpec]:
    """The metrics of all samplers, by metric name.

    Raises:
        CatalogError: as `load`, or two samplers claim one metric.
    """
    specs: dict[str, MetricSpec] = {}
    owners: dict[str, str] = {}
    for name in names():
        for spec in load(name).specs:
            if spec.name in owners:
                raise CatalogError(f"sampler {name!r}: metric {spec.name!r} belongs to {owners[spec.name]!r} already")
            specs[spec.name], owners[spec.name] = spec, name
    return specs


def scopes() -> dict[str, SamplerScope]:
    """What each metric is about, by metric name.

    Raises:
        CatalogError: as `load`.
    """
    return {spec.name: found.scope for found in map(load, names()) for spec in found.specs}


def check(name: str, found: Any) -> None:
    """Hold a sampler to the contract, as far as that can be seen without sampling.

    Raises:
        CatalogError: it breaks it.
    """
    if not isinstance(found, type):
        raise CatalogError(f"sampler {name!r}: SAMPLER is {found!r}, expected a class")
    if not callable(getattr(found, "sample", None)):
        raise CatalogError(f"sampler {name!r}: {found.__name__} has no method sample(target)")
    specs = getattr(found, "specs", None)
    if not isinstance(specs, tuple) or not specs or not all(isinstance(spec, MetricSpec) for spec in specs):
        raise CatalogError(f"sampler {name!r}: {found.__name__}.specs is {specs!r}, expected a tuple of MetricSpec")
    for spec in specs:
        _check_spec(name, spec)
    if getattr(found, "scope", None) not in get_args(SamplerScope):
        said = f"{found.__name__}.scope is {getattr(found, 'scope', None)!r}"
        raise CatalogError(f"sampler {name!r}: {said}, expected one of {', '.join(get_args(SamplerScope))}")
    if len({spec.name for spec in specs}) < len(specs):
        raise CatalogError(f"sampler {name!r}: {found.__name__}.specs names a metric twice")
    _check_instance(name, found)


def _check_instance(name: str, found: type) -> None:
    try:
        interval = found(Roots()).interval
    except (TypeError, AttributeError) as error:
        raise CatalogError(f"sampler {name!r}: cannot be made of Roots alone with an interval: {error}") from error
    if not isinstance(interval, int | float) or not 0 <= interval < math.inf:
        raise CatalogError(f"sampler {name!r}: interval is {interval!r}, expected seconds, 0 or more")


def _check_spec(name: str, spec: MetricSpec) -> None:
    problem = None
    suffix = _SUFFIXES.get(spec.unit, "")
    if not _STEM.fullmatch(spec.name) or spec.name.startswith("soak_"):
        problem = "its name is not a lower_case stem without the prefix soak_"
    elif spec.unit not in get_args(Unit):
        problem = f"its unit is {spec.unit!r}, expected one of {', '.join(get_args(Unit))}"
    elif not spec.name.endswith(suffix):
        problem = f"its unit is {spec.unit}, so its name ends in {suffix}"
    elif spec.layer is not None and spec.layer not in LAYERS:
        problem = f"its layer is {spec.layer!r}, expected one of {', '.join(LAYERS)}"
    elif spec.judged and spec.layer is None:
        problem = "it is judged, so it needs a layer"
    elif not spec.help.strip():
        problem = "it has no help"
    if problem:
        raise CatalogError(f"sampler {name!r}: metric {spec.name!r}: {problem}")


def _own_names() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(samplers.__path__)}


@functools.cache  # every installed distribution is looked into: milliseconds
def _entry_points() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise CatalogError(f"sampler {point.name!r}: both {other.value!r} and {point.value!r} claim the name")
    return found


def _attribute(name: str) -> Any:
    try:
        module = importlib.import_module(f"{samplers.__name__}.{name}")
    except Exception as error:  # a plug-in may fail in any way
        raise CatalogError(f"sampler {name!r}: it cannot be imported: {type(error).__name__}: {error}") from error
    try:
        return module.SAMPLER
    except AttributeError as error:
        raise CatalogError(f"sampler {name!r}: {module.__file__} defines no SAMPLER") from error


def _foreign(name: str, point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:  # a plug-in may fail in any way
        said = f"entry point {point.value!r} cannot be loaded: {type(error).__name__}: {error}"
        raise CatalogError(f"sampler {name!r}: {said}") from error
