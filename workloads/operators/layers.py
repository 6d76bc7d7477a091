"""The layer that is at work: known from the calls of modules, the same in every framework."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Operator = tuple[str, str]
"""Layer, and the operator's name in what runs it. Layer "" is around the model; `WHOLE` where it cannot be told."""
WHOLE = "whole model"
_AFTER = {
    "conv1": "conv1",
    "conv2": "mean",
    "attend": "attention",
    "widen": "gelu",
    "merge": "residual",
    "narrow": "residual",
}
"""What a module does by itself after it called another."""
_OWN = {"recurrent": "gru", "transformer": "window"}
"""What the whole model does by itself."""
_FIRST = ("", "stem", *_OWN.values(), "layers", "norm", "head", WHOLE)
_PARTS = (
    "conv1",
    "conv2",
    "mean",
    "project",
    "norm1",
    "attend",
    "attention",
    "merge",
    "residual",
    "norm2",
    "widen",
    "gelu",
    "narrow",
)


@dataclass
class _Frame:
    path: str
    after: str = ""
    """What it called last."""


class Layers:
    """A stack of the modules that are being called, by their paths."""

    def __init__(self, architecture: str) -> None:
        self._own = _OWN[architecture]
        self._stack: list[_Frame] = []
        self._last: dict[str, str] = {}
        """Of the nodes of a graph: what the module of a path called last."""
        self.known: dict[str, None] = {}
        """Every layer so far, in order."""

    @property
    def own(self) -> str:
        """What the whole model does by itself; it gives the state."""
        return self._own

    @property
    def path(self) -> str | None:
        """Of the innermost module, `stem.conv1`; "" of the model itself, None outside."""
        return self._stack[-1].path if self._stack else None

    def label(self, operator: str = "") -> str:
        """The layer that an operator belongs to now."""
        if not self._stack:
            return ""
        return self._part(self._stack[-1].path, self._stack[-1].after, operator)

    def placed(self, path: str, operator: str) -> str:
        """The layer of a node of a graph whose nodes come as they were called; path: of the module it comes from."""
        found = self._part(path, self._last.get(path, ""), operator)
        while path:
            path, _, leaf = path.rpartition(".")
            if leaf.isdigit():
                path, leaf = path.rpartition(".")[0], ""
            self._last[path] = leaf
        return found

    def _part(self, path: str, after: str, operator: str) -> str:
        # An activation is the convolution's, whoever calls it.
        is_activation = after.startswith("conv") and "relu" in operator.lower()
        part = after if is_activation else _AFTER.get(after, "")
        found = ".".join(filter(None, (path, part))) or self._own
        self.known[found] = None
        return found

    @contextmanager
    def within(self, path: str) -> Iterator[None]:
        """Within a call of the module of that path."""
        self._stack.append(_Frame(path))
        try:
            yield
        finally:
            self._stack.pop()
            if self._stack:
                self._stack[-1].after = path.rpartition(".")[2]

    def named_in(self, *texts: str) -> str:
        """The layer whose scope (`layers.0/attention/`) is in a name that a framework gave, the longest; or none."""
        flat = "/".join(["", *(re.sub(r"[;:]", "/", text) for text in texts), ""])
        found = [layer for layer in self.known if f"/{scope_of(layer)}/" in flat]
        return max(found, key=len, default="")


def scope_of(layer: str) -> str:
    """As the scope of a graph is written: `layers.0.attention` → `layers.0/attention`."""
    return re.sub(r"\.(?!\d)", "/", layer)


def in_order(found: Iterable[Operator]) -> list[Operator]:
    """By layers, as graphs list their nodes in any order; within one as they came."""
    return sorted(found, key=lambda one: place(one[0]))


def place(layer: str) -> tuple[int, int, int]:
    """Where a layer stands among all: by its first part, its number, and what it is there."""
    first, *rest = layer.split(".")
    number = int(rest.pop(0)) if first == "layers" and rest else 0
    return _FIRST.index(first) if first in _FIRST else len(_FIRST), number, _PARTS.index(rest[-1]) if rest else 0
