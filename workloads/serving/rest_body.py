"""The body of a question to TensorFlow Serving's REST API, in rows (`instances`) or columns (`inputs`), and its answer.

Reference: tensorflow.org/tfx/serving/api_rest. Values as JSON has them; binary ones (`b64`) are not read. Standard
library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class BodyError(ValueError):
    """What was asked cannot be read, or cannot be answered as it was asked."""


@dataclass(frozen=True, slots=True)
class RestBody:
    """What is asked."""

    inputs: Mapping[str, Any]
    """The value of each input; of rows, a list with the value of each row."""
    rows: int | None = None
    """How many rows were given; None for columns."""


def asked(body: object, names: Sequence[str]) -> RestBody:
    """What a body asks of a signature with inputs of these names. With one input alone its name may be left out.

    Raises:
        BodyError: it has rows and columns or neither, or other inputs than these.
    """
    if not isinstance(body, dict):
        raise BodyError(f"expected a JSON object, found {type(body).__name__}")
    given = [name for name in ("instances", "inputs") if name in body]
    if len(given) != 1:
        raise BodyError(f"expected 'instances' (rows) or 'inputs' (columns), found {' and '.join(given) or 'neither'}")
    if given == ["inputs"]:
        return RestBody(_named(body["inputs"], names, "inputs"))
    rows = body["instances"]
    if not isinstance(rows, list) or not rows:
        raise BodyError("instances: expected a list with one row or more")
    each = [_named(row, names, f"instances[{at}]") for at, row in enumerate(rows)]
    return RestBody({name: [row[name] for row in each] for name in names}, len(rows))


def _named(value: object, names: Sequence[str], where: str) -> Mapping[str, Any]:
    if isinstance(value, dict):
        if set(value) != set(names):
            raise BodyError(f"{where}: expected {_listed(names)}, found {_listed(sorted(map(str, value)))}")
        return value
    if len(names) == 1:
        return {names[0]: value}
    raise BodyError(f"{where}: expected an object with {_listed(names)}, found {type(value).__name__}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"


def answer(outputs: Mapping[str, Any], rows: int | None) -> dict[str, Any]:
    """The body of the answer. outputs: the value of each; of one output alone the name is left out.

    Raises:
        BodyError: rows were asked for, and an output has more or fewer.
    """
    if rows is None:
        return {"outputs": _told(outputs)}
    for name, value in outputs.items():
        if not isinstance(value, list) or len(value) != rows:
            raise BodyError(f"output {name!r} has no row for each of the {rows} instances: ask with 'inputs'")
    return {"predictions": [_told({name: value[at] for name, value in outputs.items()}) for at in range(rows)]}


def _told(values: Mapping[str, Any]) -> Any:
    return dict(values) if len(values) != 1 else next(iter(values.values()))
