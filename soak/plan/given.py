"""Errors of a config that name the option of the command line which set what is wrong, as nobody wrote its key."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from monitors.text import one_line
from soak.errors import CombinedConfigError, ConfigError, UsageError


@dataclass(frozen=True, slots=True)
class Option:
    """An option as it was given."""

    name: str
    value: str = ""
    """Empty where it is not to be shown."""
    joint: str = " "
    """What stands between them."""


Given = Mapping[str, Option]
"""Options by the keys that they set, as `run.duration` and `trial.0.options.hidden`; by `device` that of any trial."""
_PLACE = re.compile(r"\[([0-9]+)\]")
_OF_A_TRIAL = re.compile(r"trial .*: ", re.DOTALL)


@contextlib.contextmanager
def named_by_option(given: Given) -> Iterator[None]:
    """Whatever is wrong with what an option set is told of the option, and not of a key in a file.

    Raises:
        UsageError: in place of the ConfigError.
    """
    try:
        yield
    except ConfigError as error:
        # An option may set several keys, of which each is wrong alike.
        found = list({str(each): each for each in (_named(given, each) for each in error.each)}.values())
        raise (found[0] if len(found) == 1 else CombinedConfigError(found)) from error.__cause__


def _named(given: Given, error: UsageError) -> UsageError:
    """It, or an error of the option that set its key."""
    if not isinstance(error, ConfigError):
        return error
    option = _of(given, _PLACE.sub(r".\1", _OF_A_TRIAL.sub("", error.key)))
    if option is None:
        return error
    # What an error does not show of a value may be secret.
    shown = f"{option.joint}{option.value}" if option.value and error.shows_value else ""
    return UsageError(f"{one_line(option.name + shown, 200)}: {error.expected}")


def _of(given: Given, key: str) -> Option | None:
    """The one that set the key, or a table around it."""
    parts = key.split(".")
    around = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((given[name] for name in around if name in given), None)
