"""The command line of a run that is a process of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from soak import start


def run_words(
    config: Path | str,
    *,
    out: Path | str | None = None,
    device: str | None = None,
    duration: str | None = None,
    trials: Iterable[str] = (),
    overrides: Iterable[str] = (),
) -> list[str]:
    """The words of `soak run` behind `soak`.

    Args:
        config: the file.
        out: folder that the run folder is made in.
        device: what every trial runs on.
        duration: of every trial, as a config writes it.
        trials: how the names of those begin that are wanted.
        overrides: `key=value`, as `--set` takes them.
    """
    options: dict[str, Iterable[object]] = {
        "--out": [out], "--device": [device], "--duration": [duration], "--trial": trials, "--set": overrides
    }  # fmt: skip
    words = [f"{name}={value}" for name, values in options.items() for value in values if value is not None]
    return ["run", *words, "--", str(config)]


def argv(words: Sequence[str], live: int) -> list[str]:
    """The whole command; what the run tells goes to the descriptor `live`."""
    subcommand, *rest = words
    return start.command("soak", subcommand, f"--live={live}", *rest)
