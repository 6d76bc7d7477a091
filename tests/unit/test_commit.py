"""The commit that is checked out, read from git's files alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from soak.record import environment
from soak.record.commit import commit_of

A, B = "a1" * 20, "b2" * 20
SHA256 = "c3" * 32


def repository(folder: Path, head: str, **files: str) -> Path:
    git = folder / ".git"
    git.mkdir(parents=True)
    (git / "HEAD").write_text(head)
    for name, text in files.items():
        (git / name.replace("__", "/")).parent.mkdir(parents=True, exist_ok=True)
        (git / name.replace("__", "/")).write_text(text)
    return folder


def test_a_branch_is_followed_from_any_folder_below(tmp_path: Path) -> None:
    top = repository(tmp_path / "checkout", "ref: refs/heads/main\n", refs__heads__main=f"{A}\n")
    (top / "src" / "deep").mkdir(parents=True)
    assert commit_of(top / "src" / "deep") == A
    assert environment.code(top) == {"commit": A}


@pytest.mark.parametrize("digits", [A, SHA256])
def test_a_commit_without_a_branch_is_told(tmp_path: Path, digits: str) -> None:
    assert commit_of(repository(tmp_path / "checkout", f"{digits}\n")) == digits


def test_what_is_packed_is_found_and_what_is_loose_is_newer(tmp_path: Path) -> None:
    packed = f"# pack-refs with: peeled fully-peeled sorted\n{B} refs/heads/main\n{A} refs/tags/v1\n^{B}\n"
    top = repository(tmp_path / "checkout", "ref: refs/heads/main\n", **{"packed-refs": packed})
    assert commit_of(top) == B
    (top / ".git" / "refs" / "heads").mkdir(parents=True)
    (top / ".git" / "refs" / "heads" / "main").write_text(f"{A}\n")
    assert commit_of(top) == A


def test_a_further_worktree_has_a_head_of_its_own_and_shares_branches(tmp_path: Path) -> None:
    top = repository(tmp_path / "checkout", "ref: refs/heads/main\n", refs__heads__main=A, refs__heads__work=B)
    state = top / ".git" / "worktrees" / "other"
    state.mkdir(parents=True)
    (state / "HEAD").write_text("ref: refs/heads/work\n")
    (state / "commondir").write_text("../..\n")
    other = tmp_path / "other"
    other.mkdir()
    (other / ".git").write_text(f"gitdir: {state}\n")
    assert commit_of(other) == B
    assert commit_of(top) == A


@pytest.mark.parametrize("head", ["ref: refs/heads/none\n", "", "ref: ../../etc/passwd\n", "nonsense", A[:-1]])
def test_where_there_is_no_commit_nothing_is_told(tmp_path: Path, head: str) -> None:
    assert commit_of(repository(tmp_path / "checkout", head)) == ""
    assert environment.code(tmp_path / "checkout") == {}


def test_outside_a_checkout_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert commit_of(tmp_path) == ""
    assert commit_of(tmp_path / "gone") == ""
