"""What every case came to: one JSON line each, in a file that a later call goes on with and that can be merged."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FILE = "results.jsonl"


@dataclass
class Case:
    """One thing that was tried. Campaign, seed and number name it, and draw the same thing again."""

    campaign: str
    seed: int
    n: int
    what: str = ""
    """What was done, in a few words."""
    tried: int = 1
    """How many inputs, messages or kills it stands for."""
    faults: list[str] = field(default_factory=list)
    """`KIND: what was seen`, one for each rule that was broken; empty where all held."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Numbers and outcomes that the table is made of."""
    kept: str = ""
    """Folder of a case with a fault."""

    @property
    def key(self) -> tuple[str, int, int]:
        """What tells it from all others."""
        return self.campaign, self.seed, self.n

    def fault(self, kind: str, said: object) -> None:
        """A rule was broken."""
        self.faults.append(f"{kind}: {str(said)[:600]}")


class Results:
    """The results in one folder; a case is written once it is over, so a killed call loses only those under way."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE
        self._mend()

    def _mend(self) -> None:
        """A call that was killed may have left half a line: the next line must not be joined to it."""
        if self._path.exists() and not self._path.read_bytes().endswith(b"\n"):
            with self._path.open("ab") as file:
                file.write(b"\n")

    def add(self, case: Case) -> None:
        """Remember a case."""
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(case), separators=(",", ":")) + "\n")

    def pending(self, campaign: str, seed: int, rounds: int) -> list[int]:
        """The numbers below `rounds` that were not tried yet, in order."""
        done = {case.n for case in load([self._path]) if (case.campaign, case.seed) == (campaign, seed)}
        return [n for n in range(rounds) if n not in done]


def load(paths: Iterable[Path]) -> list[Case]:
    """All cases of these files, and of the files in these folders; of a case that was tried twice, the later result."""
    found = {case.key: case for path in _files(paths) for case in _read(path)}
    return sorted(found.values(), key=lambda case: case.key)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob("*.jsonl"))
        elif path.is_file():
            yield path


def _read(path: Path) -> Iterator[Case]:
    for line in path.read_text(errors="replace").splitlines():
        try:
            yield Case(**json.loads(line))
        except (ValueError, TypeError):
            continue  # half a line, of a call that was killed
