"""soak's own errors: each carries the facts of one line and an exit code, and is caught once, in `cli`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from monitors.text import one_line, printable, without_credentials


class SoakError(Exception):
    """Something that ends the command, in one line a person can act on."""

    exit_code = 4

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(without_credentials(printable(message)), 2000))

    def lines(self) -> tuple[str, ...]:
        """All that it says, for a terminal: one line, or one for each thing that is wrong."""
        return (str(self),)


class UsageError(SoakError):
    """The command line or what it names is wrong; nothing was started."""

    exit_code = 2


class InterruptedEarlyError(SoakError):
    """Asked to end before there was anything to record."""

    def __init__(self, number: int) -> None:
        super().__init__("interrupted before the run began; nothing was recorded")
        self.exit_code = 128 + number


class ConfigError(UsageError):
    """A config that cannot be used."""

    def __init__(self, file: Path | str, key: str, value: object, expected: str) -> None:
        self.file, self.key, self.value, self.expected = str(file), key, value, expected
        shown = "" if value is _ABSENT else f" = {_shown(value)}"
        where = f": {one_line(key, 200)}{shown}" if key else ""
        super().__init__(f"{file}{where}: {expected}")

    @property
    def shows_value(self) -> bool:
        """Whether its text has the value."""
        return self.value is not _ABSENT

    @property
    def each(self) -> tuple[UsageError, ...]:
        """Every error that it tells of: itself, or those of `CombinedConfigError`."""
        return (self,)


MOST_TOLD = 20
"""Errors of a config that are told; of more only the number is."""


class CombinedConfigError(ConfigError):
    """Several things that are wrong with a config. As one line it tells the first, and how many there are besides."""

    def __init__(self, errors: Sequence[UsageError]) -> None:
        """errors: at least one, in the order in which they are told."""
        self._errors = tuple(errors)
        first = self._errors[0]
        self.file, self.key, self.value, self.expected = "", "", _ABSENT, str(first)
        if isinstance(first, ConfigError):
            self.file, self.key, self.value, self.expected = first.file, first.key, first.value, first.expected
        more = len(self._errors) - 1
        SoakError.__init__(self, f"{first}; and {more} more error{'s'[: more != 1]}" if more else first)

    @property
    def each(self) -> tuple[UsageError, ...]:
        """All of them."""
        return self._errors

    def lines(self) -> tuple[str, ...]:
        """One for each, up to `MOST_TOLD`."""
        told = tuple(map(str, self._errors[:MOST_TOLD]))
        left = len(self._errors) - len(told)
        return (*told, f"and {left} more error{'s'[: left != 1]}") if left else told


class Problems:
    """Gathers what is wrong with a config, so that a person is told all of it at once."""

    def __init__(self) -> None:
        self._found: list[UsageError] = []

    @property
    def any(self) -> bool:
        """Whether anything is wrong so far."""
        return bool(self._found)

    def add(self, error: ConfigError) -> None:
        """This is wrong."""
        self._found += error.each

    @contextlib.contextmanager
    def gathered(self) -> Iterator[None]:
        """Keep the error of what is done within, if there is one, and go on."""
        try:
            yield
        except ConfigError as error:
            self.add(error)

    def tell(self) -> None:
        """Go on only if nothing was wrong.

        Raises:
            ConfigError: that which was found, or CombinedConfigError with all of them.
        """
        alike = {str(error): error for error in self._found}
        found = list(alike.values())
        if len(found) == 1 and isinstance(found[0], ConfigError):
            raise found[0]
        if found:
            raise CombinedConfigError(found)


_ABSENT = object()


def _shown(value: object) -> str:
    """What Python writes for it, if that is not too long to be read."""
    try:
        return one_line(repr(value), 120)
    except (ValueError, RecursionError):  # an integer of thousands of digits; tables in tables without end
        return "a value too long to show"


def missing_key(file: Path | str, key: str, expected: str) -> ConfigError:
    """The error for a key that is not there."""
    return ConfigError(file, key, _ABSENT, expected)


class RecordError(SoakError):
    """A record that cannot be read or written."""
