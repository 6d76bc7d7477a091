"""Text from outside (messages of exceptions, names of columns, trials and files), made fit for every sink at once.

What `printable` returns can be stored by SQLite, encoded as UTF-8 and JSON, put into XML and HTML once escaped, and
written to a terminal: no lone surrogate, no control character, nothing that turns the direction of writing. What may
not stand there is shown as the escape that Python would write, so nothing is lost. Markup is no business of this
module: who prints with Rich wraps text in `rich.text.Text`.
"""

from __future__ import annotations

import re

MOST = 4000
"""Characters of a message that are kept."""

_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]"
)
_SPACE = re.compile(r"[\t\n ]+")
_ODD = re.compile(r"[^\w.+=@-]+")
_LONGEST_NAME = 160
"""Bytes of a file name: with a suffix it stays below the 255 that a file system allows."""


def printable(text: object, most: int = MOST) -> str:
    """The text of anything, every character fit for every sink; new lines and tabs stay.

    most: characters that are kept of a longer text; what was cut is said.
    """
    try:
        whole = str(text)
    except Exception as error:  # noqa: BLE001  (an exception of a stranger may fail to say what it is)
        whole = f"<{type(text).__name__} that cannot be printed: {type(error).__name__}>"
    cut = len(whole) - most
    said = _UNFIT.sub(_escaped, whole[:most])
    return f"{said}… ({cut:,} more characters)" if cut > 0 else said


def one_line(text: object, most: int = 500) -> str:
    """The same on one line, for a message, a name or a table."""
    return _SPACE.sub(" ", printable(text, most)).strip()


def file_name(text: str) -> str:
    """A name of one file or folder for any text, different for different texts.

    Plain names stay as they are. It never is empty, hidden, `.` or `..`, holds no separator, and fits a file system.
    """
    plain = _ODD.sub("_", printable(text)).lstrip(".-").encode()[:_LONGEST_NAME].decode(errors="ignore")
    if plain and plain == text:
        return plain
    import hashlib  # of four megabytes, for names that are rare

    return f"{plain or 'unnamed'}~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
