"""Units of memory as headers and cells write them: `memory.used [MiB]`, `rss_mb`, `1.95 GiB`, `4.0GiB / 15.5GiB`."""

from __future__ import annotations

import re

SIZES = {
    "b": 1.0, "byte": 1.0, "bytes": 1.0, "k": 1024.0, "kb": 1024.0, "kib": 1024.0, "ki": 1024.0,
    "m": 1024.0**2, "mib": 1024.0**2, "mi": 1024.0**2, "mb": 1e6, "megabytes": 1e6, "kilobytes": 1024.0,
    "g": 1024.0**3, "gib": 1024.0**3, "gi": 1024.0**3, "gb": 1e9, "gigabytes": 1e9,
    "o": 1.0, "ko": 1024.0, "mo": 1e6, "go": 1e9,
    "t": 1024.0**4, "tib": 1024.0**4, "ti": 1024.0**4, "tb": 1e12, "pages": 4096.0,
}  # fmt: skip
"""Bytes of each, in lower case, as cells have them. A kB is 1,024 bytes, as Linux writes it; MB and above are powers of
ten, as Grafana and Docker write them."""
IN_HEADERS = {**SIZES, "mb": SIZES["mib"], "megabytes": SIZES["mib"], "gb": SIZES["gib"], "gigabytes": SIZES["gib"],
              "mo": SIZES["mib"], "go": SIZES["gib"],
              "tb": SIZES["tib"]}  # fmt: skip
"""The same in headers: who divides by 1,024 twice calls it MB (psrecord, nvidia-smi, most scripts)."""
PERCENT = "%"
_SPELLED = r"bytes?|kilobytes|megabytes|gigabytes|[kmgt]i?b"
_BRACKETS = re.compile(r"\s*[\[({<]\s*([^\[\](){}<>]{0,20}?)\s*[\])}>]\s*$")
_TAIL = re.compile(rf"[\s_.,/:-]+(?:in[\s_]+)?({_SPELLED}|pages|%|percent|pct)$", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])([KMGT]i?[Bb]|Bytes)$")
_HEAD = re.compile(r"^(kb)(?=mem|swp|buff|cached|active|inact|dirty|commit|avail|free|slab|anon)", re.IGNORECASE)
_OF = re.compile(
    r"(?:avg|mean|average|max|min|sum|median|last|latest|first|values?|p\d+|perc\d+|percentile\d*)\s*\((.+)\)$",
    re.IGNORECASE,
)
"""What is worked out of a column, such as `avg(rss_mb)`."""
_LABELS = re.compile(r"\{.*\}\s*$", re.DOTALL)


def bare(name: str) -> str:
    """A name without what is worked out of it: `rss_mb` of `avg(rss_mb)`."""
    found = _OF.match(name.strip())
    return bare(found[1]) if found else name.strip()


def split(name: str) -> tuple[str, str]:
    """A column's name without its unit, and its unit in lower case; empty where the name tells none.

    Labels in braces, as Prometheus writes them, are no part of the name.
    """
    plain = _LABELS.sub("", bare(name)).partition(" / ")[0].strip()
    found = _BRACKETS.search(plain)
    if found and found.start():
        return plain[: found.start()].strip(), found[1].strip().lower()
    if plain.startswith("%"):
        return plain[1:].strip(), PERCENT
    for pattern in (_TAIL, _CAMEL):
        found = pattern.search(plain)
        if found and found.start():
            return plain[: found.start()].strip(), _known(found[1])
    if plain.endswith("%"):
        return plain[:-1].strip(), PERCENT
    found = _HEAD.match(plain)
    return (plain[2:], "kb") if found else (plain, "")


def _known(unit: str) -> str:
    unit = unit.lower()
    return PERCENT if unit in ("percent", "pct") else unit


def parse(text: str) -> float:
    """Bytes of a unit that is asked for, such as `MiB`.

    Raises:
        ValueError: it is none.
    """
    factor = SIZES.get(text.strip().lower())
    if factor is None:
        raise ValueError("expected a unit of memory such as B, KiB, MiB, MB or GiB")
    return factor
