"""Secret values in any text: as they stand, as someone wrote them with escapes, and what a cut left of them. Pure."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import quote

from monitors.text import CUT, HIDDEN, one_line, printable

_LEAST = 6
"""Characters from which a value is looked for in any text; shorter ones stand in many words."""
_PART = 4
"""Characters from which a part of one is hidden beside a cut."""
_PLAIN = re.compile(r"[A-Za-z0-9._~-]+")
_SPACE = re.compile(r"\s+")
_ANY_SPACE = r"(?:\s|(?i:\\[nrtvf]|\\x[01][0-9a-f]|\\u00[01][0-9a-f]|%[012][0-9a-f])|\+)+"
"""White space, more or less of it, or as some notation writes it: texts are put on one line before they are stored."""


def hider(values: Iterable[str]) -> Callable[[str], str] | None:
    """What puts `***` in the place of these values; None where none of them is looked for.

    Of a value of several lines each line is one too, as a message may be one line of it.
    """
    whole = {value.strip() for value in values}
    stages = [_stage(known) for known in (whole, {line.strip() for value in whole for line in value.splitlines()})]
    wanted = [stage for stage in stages if stage is not None]
    return functools.partial(_through, wanted) if wanted else None


def _through(stages: Sequence[Callable[[str], str]], text: str) -> str:
    for stage in stages:
        text = stage(text)
    return text


def _stage(values: Iterable[str]) -> Callable[[str], str] | None:
    # The longest first: one may hold another.
    known = sorted((value for value in values if len(value) >= _LEAST), key=lambda value: (-len(value), value))
    if not known:
        return None
    written = re.compile("|".join(map(_written, known)))
    shown = [one_line(value, len(value)) for value in known]
    return lambda text: _without_parts(written.sub(HIDDEN, text), shown)


def _written(value: str) -> str:
    """A pattern for a value, however much white space is in it and whichever of its characters are escaped."""
    found, at = [], 0
    while at < len(value):
        if run := _PLAIN.match(value, at):
            found.append(re.escape(run[0]))
        elif run := _SPACE.match(value, at):
            found.append(_ANY_SPACE)
        else:
            found.append(_character(value[at]))
        at = run.end() if run else at + 1
    return "".join(found)


def _character(one: str) -> str:
    """As it stands, or as Python, JSON, a URL or a shell writes it."""
    in_url = quote(one, safe="", errors="surrogatepass")
    forms = {one, ascii(one)[1:-1], json.dumps(one)[1:-1], in_url, in_url.lower()}
    if one in "\"'":
        forms |= {f"\\{one}", "'\"'\"'"}
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return f"(?:{'|'.join(map(re.escape, longest_first))})"


def _without_parts(text: str, values: Sequence[str]) -> str:
    """A text of which no piece, beside the mark of a cut, begins with the end of a value or ends with its beginning.

    values: on one line, with what is not printable as it is then shown.
    """
    if CUT not in text:
        return text
    first, *others = text.split(CUT)
    pieces = [first, *(_without_end(piece, values) for piece in others)]
    return CUT.join([*(_without_beginning(piece, values) for piece in pieces[:-1]), pieces[-1]])


def _without_end(piece: str, values: Sequence[str]) -> str:
    said = one_line(piece, len(piece))
    part = max((_overlap(value, said) for value in values), key=len)
    return re.sub(rf"\A\s*{_written(part)}", HIDDEN, printable(piece, len(piece))) if part else piece


def _without_beginning(piece: str, values: Sequence[str]) -> str:
    said = one_line(piece, len(piece))[::-1]
    part = max((_overlap(value[::-1], said) for value in values), key=len)[::-1]
    return re.sub(rf"{_written(part)}\s*\Z", HIDDEN, printable(piece, len(piece))) if part else piece


def _overlap(value: str, said: str) -> str:
    """The longest part of a value that a text begins with and that ends where one of the two does."""
    head = said[:_PART]
    at = value.find(head, 1) if len(head) == _PART else -1
    while at >= 0:
        rest = value[at:]
        if said.startswith(rest) or rest.startswith(said):
            return min(rest, said, key=len)
        at = value.find(head, at + 1)
    return ""
