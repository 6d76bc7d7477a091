"""A claim in words: `SIDE [MEASURE] [at least] [N%] lower|higher|less|more|slower|faster|steadier than SIDE`."""

from __future__ import annotations

import difflib
import json
import math
import re
from typing import NamedTuple

from monitors.comparison.measures import named
from monitors.comparison.model import Claim, Direction, Measure

GRAMMAR = "SIDE [MEASURE] [N%] lower|higher|less|more|slower|faster|steadier than SIDE"
_EXAMPLE = "`tensorflow 62% lower than torch`"
_DIRECTIONS: dict[str, Direction] = {"lower": "lower", "less": "lower", "fewer": "lower", "higher": "higher",
                                     "more": "higher"}  # fmt: skip
_PACES = {"faster": 1, "quicker": 1, "slower": -1}
_WORDS = (*_DIRECTIONS, *_PACES, "steadier")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(rf"\s*({_QUOTED}|[0-9][0-9.e+\-]*\s*%|[^\s\"]+)")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)\s*%")
_VERSION = re.compile(r"v?[0-9][0-9A-Za-z.+_\-]*")
_SILENT = ("is", "has", "uses", "a", "by")


class _Token(NamedTuple):
    text: str
    quoted: bool


def parse(text: str) -> Claim:
    """Read a claim such as `tensorflow 62% lower than torch`, or `"torch 2.12" throughput slower than "torch 2.13"`.

    Without a measure it is of the leak probability; `faster` and `slower` of throughput, `steadier` of how memory
    varies. A side is one word, words in double quotes, or a word and a version; the measure may also stand before
    `than`.

    Raises:
        ValueError: it is none; says what was expected, and the nearest word that is known.
    """
    tokens = _tokens(text)
    than = [i for i, token in enumerate(tokens) if not token.quoted and token.text.lower() == "than"]
    if len(than) != 1:
        raise _wrong(text, "`than` once, between what is claimed and the second side")
    left, right = tokens[: than[0]], tokens[than[0] + 1 :]
    second, rest = _side(text, right, "second")
    if rest:
        raise _wrong(text, f"nothing after the second side, not `{_joined(rest)}`")
    first, rest = _side(text, left, "first")
    before, percent, word, after = _parts(text, rest)
    if before and after:
        raise _wrong(text, f"one measure, not both `{_joined(before)}` and `{_joined(after)}`")
    measure, direction = _meant(text, word, _joined(before or after))
    if not math.isfinite(percent):
        raise _wrong(text, "a number that is smaller")
    if direction == "lower" and percent >= 100:
        raise _wrong(text, "less than 100% lower: nothing can be lower than nothing")
    return Claim(first, measure.name, percent, direction, second)


def show(claim: Claim) -> str:
    """The claim in words that `parse` reads back."""
    amount = f" {_plain(claim.percent)}%" if claim.percent else ""
    measure = named(claim.measure).words
    return f"{_as_side(claim.first)} {measure}{amount} {claim.direction} than {_as_side(claim.second)}"


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if not found:
            raise _wrong(text, 'a second `"` where a name in quotes ends')
        at, quoted = found.end(), found[1].startswith('"')
        tokens.append(_Token(_unquoted(text, found[1]) if quoted else found[1], quoted))
    return tokens


def _unquoted(text: str, quoted: str) -> str:
    try:
        return str(json.loads(quoted, strict=False))
    except ValueError:
        raise _wrong(text, f"a name in quotes, not {quoted}") from None


def _side(text: str, tokens: list[_Token], which: str) -> tuple[str, list[_Token]]:
    """A side, and what follows it."""
    if not tokens or not tokens[0].text.strip() or (not tokens[0].quoted and tokens[0].text.lower() in _WORDS):
        raise _wrong(text, f"the {which} side")
    if tokens[0].quoted:
        return tokens[0].text, tokens[1:]
    end = 1
    while end < len(tokens) and not tokens[end].quoted and _VERSION.fullmatch(tokens[end].text):
        end += 1
    return _joined(tokens[:end]), tokens[end:]


def _parts(text: str, rest: list[_Token]) -> tuple[list[_Token], float, str, list[_Token]]:
    """Words before the number, the number, the word of direction in lower case, and words after it."""
    at = next((i for i, token in enumerate(rest) if not token.quoted and token.text.lower() in _WORDS), None)
    if at is None:
        raise _wrong(text, f"one of {', '.join(_WORDS)}{_nearest(rest)}")
    before, word, after = rest[:at], rest[at].text.lower(), rest[at + 1 :]
    percent = 0.0
    if before and (found := _PERCENT.fullmatch(before[-1].text)):
        percent, before = float(found[1]), before[:-1]
        if [token.text.lower() for token in before[-2:]] == ["at", "least"]:
            before = before[:-2]
    odd = next((token.text for token in before if "%" in token.text or token.text.replace(".", "").isdigit()), None)
    if odd is not None:
        raise _wrong(text, f"a number with % right before `{word}`, not `{odd}`")
    return _spoken(before), percent, word, after


def _spoken(tokens: list[_Token]) -> list[_Token]:
    """Without small words around a measure."""
    while tokens and tokens[0].text.lower() in _SILENT:
        tokens = tokens[1:]
    while tokens and tokens[-1].text.lower() in _SILENT:
        tokens = tokens[:-1]
    return tokens


def _meant(text: str, word: str, measure: str) -> tuple[Measure, Direction]:
    """The measure, and whether it is said to be lower or higher."""
    default = "throughput" if word in _PACES else "memory variation" if word == "steadier" else "leak probability"
    try:
        found = named(measure or default)
    except ValueError as error:
        raise ValueError(f"claim `{text}`: {error}") from None
    if word == "steadier":
        if found.name not in ("memory_variation", "steady_memory"):
            raise _wrong(text, f"`steadier` of memory, not of {found.words}")
        return named("memory variation"), "lower"
    if word not in _PACES:
        return found, _DIRECTIONS[word]
    if found.unit not in ("per_second", "seconds"):
        raise _wrong(text, f"`lower` or `higher` of {found.words}, which has no pace to be `{word}` by")
    better = (_PACES[word] > 0) == (found.better == "higher")
    return found, "higher" if better else "lower"


def _nearest(tokens: list[_Token]) -> str:
    for token in reversed(tokens):
        near = difflib.get_close_matches(token.text.lower(), _WORDS, n=1)
        if near:
            return f" before `than`, not `{token.text}`; did you mean `{near[0]}`?"
    return " before `than`"


def _joined(tokens: list[_Token]) -> str:
    return " ".join(token.text for token in tokens)


def _as_side(side: str) -> str:
    words = side.split(" ")
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.+\-]*", words[0]) and words[0].lower() not in (*_WORDS, "than")
    if plain and all(_VERSION.fullmatch(word) for word in words[1:]):
        return side
    return json.dumps(side, ensure_ascii=False)


def _plain(percent: float) -> str:
    return repr(percent).removesuffix(".0")


def _wrong(text: str, expected: str) -> ValueError:
    return ValueError(f"claim `{text}`: expected {expected} ({GRAMMAR}, such as {_EXAMPLE})")
