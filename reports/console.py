"""Where words for a person are printed: text is data there, whatever brackets, colons or escapes it holds."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from monitors.text import printable

_NARROWEST, _USUAL = 20, 80
"""Columns. COLUMNS=0, or a terminal without a size, would leave no room for a single word."""
_BREAKS = str.maketrans("\n\t", "  ")


def console(stderr: bool = False) -> Console:
    """A console that takes no string for markup or emoji: style is given by `Text` alone."""
    made = Console(stderr=stderr, markup=False, emoji=False)
    if made.width < _NARROWEST:
        made.width = _USUAL
    return made


def words(*parts: object, most: int = 2000) -> Text:
    """One line of parts, each as it stands and fit for a terminal.

    parts: anything, or a pair of anything and its style.
    most: characters of a part that are shown.
    """
    line = Text()
    for part in parts:
        text, style = part if isinstance(part, tuple) else (part, "")
        line.append(printable(text, most).translate(_BREAKS), style)
    return line
