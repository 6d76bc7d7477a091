"""Every key of a config and of a service's config, described from the code that reads them: for `soak list keys`.

What a key means is the docstring below it in its table. `python -m soak.keys > docs/configuration.md` writes the
page.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from soak.plan.config_tables import JudgeTable, RunTable, TrialTable
from soak.plan.member_table import MemberTable
from soak.plan.quantity import Duration, Interval, Rate, Size

_QUANTITIES: Mapping[Any, str] = {
    Duration: 'time, such as "90 s"', Interval: 'time, such as "60 s", or 0 for none', Size: 'size, such as "2 GiB"',
    Rate: 'rate, such as "1 MiB/h"', bool: "true, false", str: "text", int: "number", float: "number",
}  # fmt: skip


def describe() -> list[dict[str, Any]]:
    """One row a key: its place, what it takes, its default (empty: none), and what it is about."""
    found = [row for place, table in _tables() for row in _rows(place, table)]
    return [*(row for row in found if row["key"].startswith(_FIRST)), _STREAM,
            *(row for row in found if not row["key"].startswith(_FIRST))]  # fmt: skip


_FIRST = ("run.", "judge.")


_STREAM = {
    "key": "stream.source", "takes": "text", "default": '"synthetic"',
    "about": "What steps read: a name of `soak list sources`, which shows the other keys of `[stream]`, its options.",
}  # fmt: skip


def _tables() -> Iterator[tuple[str, type]]:
    from soak.service.config import ConditionsTable, RetentionTable, ScheduleTable, ServiceTable

    yield from (("run", RunTable), ("judge", JudgeTable), ("trial", TrialTable), ("trial.member", MemberTable))
    yield from (("service", ServiceTable), ("conditions", ConditionsTable), ("retention", RetentionTable))
    yield "schedule", ScheduleTable


def _rows(place: str, table: type) -> Iterator[dict[str, str]]:
    hints, said = get_type_hints(table, include_extras=True), texts_of(table)
    for field in dataclasses.fields(table):
        yield {
            "key": f"{place}.{field.name}", "takes": takes(hints[field.name]), "default": _default(field),
            "about": said.get(field.name, ""),
        }  # fmt: skip


def texts_of(table: type) -> dict[str, str]:
    """The docstrings below the fields of a dataclass, each in one line."""
    (body,) = ast.parse(inspect.cleandoc(inspect.getsource(table))).body
    assert isinstance(body, ast.ClassDef)
    found, name = {}, ""
    for statement in body.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
        elif name and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            found[name] = " ".join(str(statement.value.value).split())
        else:
            name = ""
    return found


def takes(hint: Any) -> str:
    """A type, as people write its values in TOML."""
    if hint in _QUANTITIES:
        return _QUANTITIES[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return takes(inner[0]) + _bounds(inner[1:])
    if origin is Literal:
        return ", ".join(f'"{word}"' for word in inner)
    if origin is list:
        return "tables" if get_origin(inner[0]) is dict else f"list of {takes(inner[0])}"
    if origin is dict:
        return "table of texts" if inner[1] is str else "table"
    kinds = [one for one in inner if one is not type(None)]
    lists = [one for one in kinds if get_origin(one) is list and get_args(one)[0] in kinds]
    said = " or ".join(takes(one) for one in kinds if one not in lists)
    return f"{said}, or a list of these" if lists else said


def _bounds(constraints: tuple[Any, ...]) -> str:
    for each in constraints:
        if isinstance(each, msgspec.Meta):
            low, high = (each.gt if each.ge is None else each.ge), (each.lt if each.le is None else each.le)
            if low is not None or high is not None:
                return f" from {low:,g}" + (f" to {high:,g}" if high is not None and high < 1e9 else "")
    return ""


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        return "required"
    value = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    if value is None or value == "" or value == [] or value == {}:
        return ""
    return _written(value)


def _written(value: Any) -> str:
    from monitors.units import format_duration, format_rate, format_value

    if isinstance(value, Duration | Interval):
        return f'"{format_duration(value)}"' if value else "0"
    if isinstance(value, Size):
        return f'"{format_value(value, "bytes")}"'
    if isinstance(value, Rate):
        return f'"{format_rate(value, "bytes")}"'
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


_INTRO = """# Every key of a config

Made from the code: `soak list keys` prints the same, `soak list keys --json` for programs. `soak check FILE` names
every key of a file that is wrong. A time, size or rate is text with a unit; a time may also be a number of seconds.
"""
_TITLES = {
    "run": "A run's config: `soak run FILE`", "service": "The service's config: `soak serve FILE`",
}  # fmt: skip


def page() -> str:
    """All of it, as Markdown."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for row in describe():
        tables.setdefault(row["key"].rpartition(".")[0], []).append(row)
    return "\n".join([_INTRO, *(line for place, rows in tables.items() for line in _section(place, rows))])


def _section(place: str, rows: list[dict[str, Any]]) -> Iterator[str]:
    if place in _TITLES:
        yield f"## {_TITLES[place]}\n"
    brackets = ("[[", "]]") if place in ("trial", "trial.member", "schedule") else ("[", "]")
    yield f"### `{brackets[0]}{place}{brackets[1]}`\n"
    yield "| key | takes | default | |"
    yield "| --- | --- | --- | --- |"
    for row in rows:
        default = f"`{row['default']}`" if row["default"] and row["default"] != "required" else row["default"]
        yield f"| `{row['key'].rpartition('.')[2]}` | {row['takes']} | {default} | {row['about']} |"
    yield ""


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
