"""soak's own errors: each carries the facts of one line and an exit code, and is caught once, in `cli`."""

from __future__ import annotations

from pathlib import Path

from monitors.text import one_line, printable, without_credentials


class SoakError(Exception):
    """Something that ends the command, in one line a person can act on."""

    exit_code = 4

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(without_credentials(printable(message)), 2000))


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


_ABSENT = object()


def _shown(value: object) -> str:
    """What Python writes for it, if that is not too long to be read."""
    try:
        return one_line(repr(value), 120)
    except (ValueError, RecursionError):  # an integer of thousands of digits; tables in tables without end
        return "a value that is too long to be shown"


def missing_key(file: Path | str, key: str, expected: str) -> ConfigError:
    """The error for a key that is not there."""
    return ConfigError(file, key, _ABSENT, expected)


class RecordError(SoakError):
    """A record that cannot be read or written."""
