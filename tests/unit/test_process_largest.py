"""Which processes of a tree are followed, and what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitors.model import Roots, Target
from monitors.samplers.process_largest import ProcessLargest


class Tree:
    """A planted /proc of a root and its children."""

    def __init__(self, proc: Path) -> None:
        self.proc = proc
        self.put(1, 0, 100)

    def put(self, pid: int, parent: int, mebibytes: int, command: str = "python3\0train.py", started: int = 5) -> None:
        folder = self.proc / str(pid)
        (folder / "task" / str(pid)).mkdir(parents=True, exist_ok=True)
        (folder / "stat").write_text(f"{pid} (python3) S {parent} {'0 ' * 17}{started} 0 0\n")
        held = f"VmSize: {mebibytes * 1024} kB\nVmRSS: {mebibytes * 1024} kB\nRssAnon: {mebibytes * 1024} kB\n"
        (folder / "status").write_text(f"{held}Threads: 1\n")
        (folder / "cmdline").write_text(command)
        (folder / "task" / str(pid) / "children").write_text("")
        children = [p.name for p in self.proc.iterdir() if p.name != "1"]
        (self.proc / "1" / "task" / "1" / "children").write_text(" ".join(children))

    def end(self, pid: int) -> None:
        for path in sorted((self.proc / str(pid)).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (self.proc / str(pid)).rmdir()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def taken(sampler: ProcessLargest, rounds: int = 1) -> dict[str, float]:
    found: dict[str, float] = {}
    for _ in range(rounds):
        found = {s.label: s.value / 2**20 for s in sampler.sample(Target(pid=1, strays=STRAYS))}
    return found


STRAYS = frozenset(range(2, 60))
"""So that every planted process is found at once: lists of children are looked into rarely."""


def test_a_single_process_has_no_series_of_its_own(tree: Tree) -> None:
    assert taken(ProcessLargest(Roots(tree.proc)), 20) == {}


def test_a_child_that_stays_is_told_apart_from_its_parent(tree: Tree) -> None:
    sampler = ProcessLargest(Roots(tree.proc))
    taken(sampler)
    tree.put(2, 1, 50, "/usr/bin/loader\0--shard\0003\0")
    assert taken(sampler) == {"python3 train.py": 100.0}, "it may only pass by"
    assert taken(sampler, 8) == {"python3 train.py": 100.0, "loader --shard 3": 50.0}
    tree.put(2, 1, 80, "/usr/bin/loader\0--shard\0003\0")
    assert taken(sampler)["loader --shard 3"] == 80.0
    tree.end(2)
    assert taken(sampler) == {"python3 train.py": 100.0}


def test_what_grows_is_followed_among_larger_ones(tree: Tree) -> None:
    sampler = ProcessLargest(Roots(tree.proc))
    for pid in range(2, 12):
        tree.put(pid, 1, 500, f"large\0{pid}")
    tree.put(20, 1, 1, "small")
    taken(sampler, 8)
    tree.put(20, 1, 2, "small")
    assert taken(sampler)["small"] == 2.0


def test_names_are_bounded_and_equal_ones_numbered(tree: Tree) -> None:
    sampler = ProcessLargest(Roots(tree.proc))
    for pid in range(2, 50):
        tree.put(pid, 1, pid, "twin\x1b[31m\n\0" + "x" * 500)
    for pid in range(2, 50):
        taken(sampler, 8)
        tree.end(pid)
    names = set(sampler._names.values())
    assert len(names) == 16
    assert all(len(name) < 120 and name.isprintable() for name in names)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (
            "python serve.py --workers 4 --db postgres://admin:superSecretPassword123@dbhost/x --verbose",
            "python serve.py --workers 4 --db …",
        ),
        ("python -c import\tthis", "python -c …"),
        (f"python /{'d' * 60}/train.py --lr 1", "python …/train.py --lr 1"),
        (f"python /{'d' * 60}/secret", "python …"),
        (f"{'x' * 61} now", "python3 now"),
    ],
)
def test_no_word_of_a_command_line_is_cut(tree: Tree, words: str, name: str) -> None:
    sampler = ProcessLargest(Roots(tree.proc))
    tree.put(2, 1, 50, words.replace(" ", "\0"))
    assert taken(sampler, 8)[name] == 50.0


def test_a_pid_that_is_taken_again_is_another_process(tree: Tree) -> None:
    sampler = ProcessLargest(Roots(tree.proc))
    tree.put(2, 1, 50, "one")
    assert taken(sampler, 8)["one"] == 50.0
    tree.put(2, 1, 60, "other", started=9)
    found = taken(sampler, 8)
    assert "one" not in found
    assert found["other"] == 60.0
