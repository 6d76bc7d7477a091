"""Finds a user's own code by its name: `package.module:thing` or `path/file.py:thing`. Standard library only."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from workloads.modules import ModuleError
from workloads.options import nearest

_REFERENCE = re.compile(r"(?P<place>[^:]+):(?P<name>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)")


class UserCodeError(ModuleError):
    """A user's code that cannot be found, imported or driven; the message names where and what was expected."""


def split(reference: str) -> tuple[str, str]:
    """The file or module, and the name in it.

    Raises:
        UserCodeError: it is no such reference.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise UserCodeError(f"{reference!r}: expected package.module:thing or path/file.py:thing")
    return match["place"], match["name"]


def is_file(place: str) -> bool:
    """Whether it is a file of Python, and not a module."""
    return place.endswith(".py")


def check(reference: str, folder: str, here: bool = True) -> None:
    """See, without importing anything, that a file or module is there, is Python, and defines the name.

    Args:
        reference: as in a config.
        folder: where a path begins; modules are looked for there first.
        here: whether it will run in this environment. In another, a module that is not in the folder may be there.

    Raises:
        UserCodeError: it is not, or does not. Of a module in another folder, only that its package is not installed.
    """
    place, name = split(reference)
    path = Path(folder, place) if is_file(place) else _module_file(place, folder)
    if path is None:
        if here and not _installed(place.partition(".")[0]):
            raise _not_there(place, folder)
        return
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except OSError as error:
        near = sorted(path.parent.glob("*.py"))[:20] if path.parent.is_dir() else []
        hint = f"; {nearest(path.name, [each.name for each in near])}" if near else ""
        raise UserCodeError(f"{path}: {(error.strerror or 'cannot be read').lower()}{hint}") from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two: nested too deeply
        raise _failed(str(path), error) from error
    first, bound = name.partition(".")[0], _bound_names(tree)
    if bound is not None and first not in bound:
        raise UserCodeError(f"{path} defines no {first!r}: {nearest(first, sorted(bound))}")


def _module_file(name: str, folder: str) -> Path | None:
    """The file of a module that lies in the folder."""
    base = Path(folder, *name.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _installed(package: str) -> bool:
    """Whether it can be imported; finding one that lies in no other imports nothing."""
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _not_there(name: str, folder: str) -> UserCodeError:
    return UserCodeError(f"no module named {name!r} in {folder} or the environment")


def _bound_names(tree: ast.Module) -> set[str] | None:
    """Names that a file binds anywhere outside functions and classes; None where only running it can tell."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name == "__getattr__":
                return None
            found.add(node.name)
            continue
        if isinstance(node, ast.alias):
            if node.name == "*":
                return None
            found.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        waiting.extend(ast.iter_child_nodes(node))
    return found


def find(reference: str, folder: str) -> Any:
    """Import what is named.

    Args:
        reference: as in a config.
        folder: where a path begins; modules are looked for there first.

    Raises:
        UserCodeError: there is no such file, module or name, or importing it failed.
    """
    place, name = split(reference)
    found: Any = _file(Path(folder, place)) if is_file(place) else _module(place, folder)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UserCodeError(f"{place} has no {part!r} (from {reference!r})") from None
    return found


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UserCodeError(f"{path}: no such file")
    sys.path.insert(0, str(path.parent))
    name = path.stem if path.stem not in sys.modules else f"soaked_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserCodeError(f"{path}: not a file of Python")
    module = importlib.util.module_from_spec(spec)
    # Where pickle and dataclasses look for it.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _failed(str(path), error) from error
    return module


def _module(name: str, folder: str) -> ModuleType:
    if folder:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise _not_there(error.name, folder) from error
        raise _failed(name, error) from error
    except Exception as error:
        raise _failed(name, error) from error


def _failed(what: str, error: Exception) -> UserCodeError:
    """An import that raised, with the line of the user's that did."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        place = f"{error.filename}, line {error.lineno}"
    else:
        ours = ("<frozen", __file__, str(ast.__file__))
        lines = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(ours)]
        place = f"{lines[-1].filename}, line {lines[-1].lineno}" if lines else what
    return UserCodeError(f"importing {what} failed at {place}: {type(error).__name__}: {error}")
