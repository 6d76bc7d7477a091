"""`soak.run` and `soak.exec`: what they are given, as the words of a command line."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import tomli_w

from soak.errors import UsageError
from soak.record.redaction import is_harmless
from soak.runs import launch
from soak.runs.handle import Run

Folder = str | os.PathLike[str]
Span = str | float | timedelta
"""A time: "90 s", seconds, or a timedelta."""


def run(
    config: Folder | Mapping[str, Any], *, duration: Span | None = None, device: str | None = None,
    out: Folder | None = None, trials: Iterable[str] = (), set: Mapping[str, object] | None = None,  # noqa: A002
    progress: bool | None = None, cwd: Folder | None = None, env: Mapping[str, str] | None = None,
    **overrides: object,
) -> Run:  # fmt: skip
    """Start the trials of a config in a separate process; returns once they have started.

    Args:
        config: a TOML file, or a mapping with the same structure.
        duration: replaces the limits of every trial.
        device: what every trial runs on: auto, cpu, cuda:N or a UUID.
        out: folder that the run folder is made in.
        trials: run only trials whose names begin with one of these; a string is one name.
        set: other values by their dotted keys: `{"trial.0.options.hidden": 64}`. Other users can see
            them in the process list: put secrets into the `env` of a trial, in the config.
        progress: whether to show progress; None: in a notebook and on a terminal.
        cwd: its working directory.
        env: added to the environment.
        overrides: keys of the config's `[run]` table, such as `parallel=2` or `name="nightly"`.

    Raises:
        UsageError: the config or an option is wrong; the message is that of the command line.
        SoakError: it could not start.
    """
    assigned = [*_assignments(set or {}), *_assignments(overrides, "run.")]
    with _file_of(config, Path(cwd or "").absolute()) as path:
        words = launch.run_words(
            path, out=_absolute(out), device=device, duration=_span(duration),
            trials=[trials] if isinstance(trials, str) else trials, overrides=assigned,
        )  # fmt: skip
        return Run(words, progress=progress, cwd=cwd, env=env)


def exec(  # noqa: A001  (the name of the command)
    command: Sequence[Folder], *, duration: Span | None = None, memory_limit: str | int | None = None,
    device: str | None = None, name: str | None = None, out: Folder | None = None, progress: bool | None = None,
    cwd: Folder | None = None, env: Mapping[str, str] | None = None, **options: object,
) -> Run:  # fmt: skip
    """Start any program and soak it from outside; returns once it has started.

    Args:
        command: the program and its arguments.
        duration: time limit; without it, until the program ends.
        memory_limit: "2 GiB", or bytes.
        device: the GPUs that it may use, as `soak exec --device` takes them.
        name: name of the run and its trial.
        out: folder that the run folder is made in.
        progress: as in `run`.
        cwd: its working directory.
        env: added to the environment of the program; hidden in the record.
        options: further options of `soak exec`: `stop_grace="5 s"` is `--stop-grace "5 s"`; True is a flag, a list is
            the option several times.

    Raises:
        UsageError: an option is wrong, or there is no such program.
        SoakError: it could not start.
    """
    if isinstance(command, str | bytes) or not command:
        raise UsageError('soak.exec: expected a list of strings, such as ["python", "train.py"]')
    if options.get("show_output"):
        expected = "expected it left out: what the program prints is in trials/NAME/worker.log of the run folder"
        raise UsageError(f"soak.exec: show_output = {options['show_output']!r}: {expected}")
    known = {"duration": _span(duration), "memory_limit": memory_limit, "device": device, "name": name,
             "out": _absolute(out),
             "env": [f"{key}={value}" if _shows(key) else key for key, value in (env or {}).items()]}  # fmt: skip
    words = ["exec", *_options({**known, **options}), "--", *(os.fspath(word) for word in command)]
    return Run(words, progress=progress, cwd=cwd, env={k: v for k, v in (env or {}).items() if not _shows(k)})


def _shows(variable: str) -> bool:
    """Whether everybody may see its value in the list of processes: where soak itself must not have it."""
    return not variable or "=" in variable or variable.startswith(("PYTHON", "LD_")) or is_harmless(variable)


def _options(options: Mapping[str, object]) -> Iterator[str]:
    for key, value in options.items():
        name = "--" + key.replace("_", "-")
        for one in value if isinstance(value, list | tuple) else (value,):
            if one is True:
                yield name
            elif one is not None and one is not False:
                yield f"{name}={one}"


def _span(value: Span | None) -> str | None:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    return value if value is None or isinstance(value, str) else f"{float(value):.9g} s"


def _absolute(folder: Folder | None) -> Path | None:
    """As seen from here, whatever folder the run is started in."""
    return None if folder is None else Path(folder).absolute()


@contextlib.contextmanager
def _file_of(config: Folder | Mapping[str, Any], folder: Path) -> Iterator[Path]:
    """The config as a file that may be read until the run has begun."""
    if not isinstance(config, Mapping):
        yield Path(config)
        return
    with tempfile.TemporaryDirectory(prefix="soak-") as private:
        path = Path(private) / "config.toml"
        path.write_text(_toml(_placed(config, folder)), encoding="utf-8")
        try:
            yield path
        except UsageError as error:
            # A file that nobody wrote, and that is gone by now, would only puzzle.
            raise UsageError(str(error).replace(str(path), "config")) from None


def _placed(config: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """A config whose paths and modules of own code begin in `folder`, as those of a file begin beside it."""
    run = config.get("run", {})
    return {**config, "run": {"folder": str(folder), **run}} if isinstance(run, Mapping) else config


def _toml(tables: Mapping[str, Any]) -> str:
    try:
        text = tomli_w.dumps(_plain(tables))
        text.encode()
        return text
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"the config has a value that TOML cannot hold: {error}") from error


def _plain(value: Any) -> Any:
    """What TOML knows: paths are text, what is None is left out."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return (
        os.fspath(value) if isinstance(value, os.PathLike) else _span(value) if isinstance(value, timedelta) else value
    )


def _assignments(values: Mapping[str, object], prefix: str = "") -> Iterator[str]:
    """As `--set` takes them; a mapping means its keys."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _assignments(value, f"{prefix}{key}.")
        elif value is not None:
            # As the only one of a list: a list of tables on its own would become headers of tables.
            text = _toml({"v": [value]}).strip().removeprefix("v = [").removesuffix("]")
            yield f"{prefix}{key}={text.strip().removesuffix(',')}"
