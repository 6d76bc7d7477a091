"""Text from outside (messages of exceptions, names of columns, trials and files), made fit for every sink at once.

What `printable` returns can be stored by SQLite, encoded as UTF-8 and JSON, put into XML and HTML once escaped, and
written to a terminal: no lone surrogate, no control character, nothing that turns the direction of writing. What may
not stand there is shown as the escape that Python would write, so nothing is lost. Markup is no business of this
module: who prints with Rich wraps text in `rich.text.Text`.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

MOST = 4000
"""Characters of a message that are kept."""

CUT = "…"
"""Stands where a text was cut."""
_DEEPEST = 32
"""Levels of tables and lists in one another."""
_LONGEST = 1_000_000
"""Characters of a text in JSON: of a config or the stacks of many threads."""

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
    return f"{said}{CUT} ({cut:,} more characters)" if cut > 0 else said


def one_line(text: object, most: int = 500) -> str:
    """The same on one line, for a message, a name or a table."""
    return _SPACE.sub(" ", printable(text, most)).strip()


HIDDEN = "***"
"""Stands where something secret stood."""
_USER = re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://)(?:[^\s/@'\"<>]*|[^\s/@:'\"<>]*:[^\s'\"<>]*)@", re.IGNORECASE)
_SECRETS = "token|key|secret|passw|pwd|auth|sig|credential|session"
_PARAMETER = re.compile(rf"([?&;#][\w.%-]*(?:{_SECRETS})[\w.%-]*=)[^&;#\s'\"<>]+", re.IGNORECASE)
_HEADER = re.compile(r"\b(bearer|basic)\s+(?=[a-z+/._~-]*[0-9=])[a-z0-9+/=._~-]{8,}", re.IGNORECASE)


def without_credentials(text: str) -> str:
    """A text whose URLs name neither user nor password nor token."""
    if "://" in text:
        text = _PARAMETER.sub(rf"\1{HIDDEN}", _USER.sub(rf"\1{HIDDEN}@", text))
    return _HEADER.sub(rf"\1 {HIDDEN}", text)


def file_name(text: str) -> str:
    """A name of one file or folder for any text, different for different texts.

    Plain names stay as they are. It never is empty, hidden, `.` or `..`, holds no separator, and fits a file system.
    """
    plain = _ODD.sub("_", printable(text)).lstrip(".-").encode()[:_LONGEST_NAME].decode(errors="ignore")
    if plain and plain == text:
        return plain
    # Its seed is a SHA-512 of the text; hashlib would bring four megabytes of OpenSSL into the supervisor.
    mark = random.Random(text.encode("utf-8", "surrogatepass")).getrandbits(32)  # noqa: S311  (a name, no secret)
    return f"{plain or 'unnamed'}~{mark:08x}"


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def long_text(text: object) -> str:
    """The same of a text that may be long: a config, the stacks of many threads."""
    return printable(text, _LONGEST)


def json_value(
    value: object, finite: bool = True, clean: Callable[[str], str] = long_text, depth: int = _DEEPEST
) -> Any:
    """What JSON can hold of anything: texts and keys printable, no number that a reader chokes on.

    What is deeper than 32 levels is told as text.

    finite: whether what is no finite number is null, as JSON knows neither NaN nor infinity; Python reads both.
    clean: what every text and key goes through.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**63 else _as_float(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) or not finite else None
    if depth and isinstance(value, Mapping):
        return {clean(str(key)): json_value(item, finite, clean, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list | tuple):
        return [json_value(item, finite, clean, depth - 1) for item in value]
    return clean(printable(value))


def _as_float(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None
