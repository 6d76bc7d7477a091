"""Memory of the few processes of a tree that hold or gain most, to find the one that grew."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from monitors.model import MetricSpec, Roots, Sample, Sampler, SamplerScope, Target
from monitors.sources import procfs
from monitors.sources.process_tree import TreeReader
from monitors.text import one_line

ANONYMOUS = MetricSpec(
    "process_anonymous_bytes", "bytes", "Anonymous memory and swap of one process of a tree", live=False,
    unjudged="the tree is judged as anonymous_bytes; this says which process grows",
)  # fmt: skip
_CHOSEN = 4
"""Processes that are followed for their size, and as many for their growth."""
_MOST = 16
"""Processes of one tree that are ever followed: so many series at most."""
_SETTLED = 5
"""Rounds that a process has to live first: those that come and go hold nothing for long."""
_LONGEST = 60
"""Characters of a command line that are kept, in whole words."""
_Process = tuple[int, int]
"""Its pid and when it started."""


class ProcessLargest:
    """Follows each process until it ends. Nothing for a tree of one process."""

    specs: tuple[MetricSpec, ...] = (ANONYMOUS,)
    scope: SamplerScope = "member"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        self._proc = roots.proc
        self._tree = TreeReader(roots)
        self._first: dict[_Process, tuple[int, int]] = {}
        """Rounds that a process was seen in, and what it held in the last of those in which it settled."""
        self._names: dict[_Process, str] = {}

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read now; of /proc nothing is read but the command line of a process that is new here."""
        tree = self._tree.read(target)
        held = {
            (pid, tree.members[pid].started): status.anonymous + (status.swap or 0)
            for pid, status in tree.by_pid().items()
            if status.anonymous is not None
        }
        self._first = {process: self._seen(process, amount) for process, amount in held.items()}
        if len(held) > 1 and len(self._names) < _MOST and held.keys() - self._names.keys():
            for process in self._chosen(held):
                self._names.setdefault(process, self._name(process, tree.members[process[0]].command))
        return [Sample(ANONYMOUS, held[one], name) for one, name in self._names.items() if one in held]

    def _seen(self, process: _Process, amount: int) -> tuple[int, int]:
        # What was there before the first look does not only pass by.
        rounds, first = self._first.get(process, (0 if self._first else _SETTLED, amount))
        return rounds + 1, amount if rounds < _SETTLED else first

    def _chosen(self, held: dict[_Process, int]) -> list[_Process]:
        """Those that hold most and those that gained most, as far as there is room for more."""
        settled = [process for process in held if self._first[process][0] > _SETTLED]
        largest = heapq.nlargest(_CHOSEN, settled, key=lambda process: held[process])
        gained = heapq.nlargest(_CHOSEN, settled, key=lambda process: held[process] - self._first[process][1])
        new = [process for process in dict.fromkeys((*largest, *gained)) if process not in self._names]
        return new[: _MOST - len(self._names)]

    def _name(self, process: _Process, command: str) -> str:
        """Its command line, short; numbered where several have the same."""
        program, *words = procfs.read_command_line(self._proc, process[0]) or (command,)
        program = program.rpartition("/")[2]
        name = _short([program if 0 < len(program) <= _LONGEST else command, *words])
        number = sum(other == name or other.startswith(f"{name} #") for other in self._names.values())
        return f"{name} #{number + 1}" if number else name


def _short(words: Sequence[str]) -> str:
    """As many words as there is room for, on one line. None is cut: nobody would know half of a secret for one."""
    name = one_line(words[0])
    for word in words[1:]:
        # A script is told by its file, of which the folders may be many.
        fitting = [one for one in (word, _file(word)) if len(name) + 1 + len(one) <= _LONGEST and one_line(one) == one]
        if not fitting:
            return f"{name} …"
        name = f"{name} {fitting[0]}"
    return name


def _file(word: str) -> str:
    """Of an absolute path to a file with a suffix, its end."""
    path = PurePath(word)
    return f"…/{path.name}" if path.is_absolute() and path.suffix else word


SAMPLER: type[Sampler] = ProcessLargest
