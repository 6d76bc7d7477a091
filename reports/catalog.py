"""Which report formats there are: the files of `reports/formats/` and the entry points of the group `soak.formats`.

A format is a module with a docstring, `FILE` (the name of the file in the run folder) and
`render(body: dict, record: RunRecord) -> str`, where `body` is what `reports.document.build` made of the record.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import Any

from reports import formats

GROUP = "soak.formats"


def names() -> tuple[str, ...]:
    """Every format, sorted; none is imported."""
    own = {module.name for module in pkgutil.iter_modules(formats.__path__)}
    return tuple(sorted(own | {point.name for point in entry_points(group=GROUP)}))


def load(name: str) -> Any:
    """The module of that format.

    Raises:
        LookupError: there is none, or it lacks `FILE` or `render`.
    """
    own = {module.name for module in pkgutil.iter_modules(formats.__path__)}
    paths = {point.name: point.module for point in entry_points(group=GROUP)}
    paths |= {name: f"{formats.__name__}.{name}" for name in own}
    if name not in paths:
        raise LookupError(f"unknown report format {name!r}: expected one of {', '.join(names())}")
    module = importlib.import_module(paths[name])
    missing = [part for part in ("FILE", "render") if not hasattr(module, part)]
    if missing:
        raise LookupError(f"report format {name!r} ({module.__file__}) lacks {', '.join(missing)}")
    return module
