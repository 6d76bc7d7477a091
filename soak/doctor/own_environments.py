"""Environments that `soak env` builds: which are there, and whether they can be used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from soak.doctor.finding import Diagnosis
from soak.environments import PREFIX, Environment


def findings(known: Iterable[Environment], problem: Callable[[str], str]) -> Iterator[Diagnosis]:
    """One statement on each that is there, and one on all that are not.

    problem: what is wrong with an interpreter, by its path; empty for nothing.
    """
    absent = []
    for each in known:
        if each.state == "absent":
            absent.append(each.name)
        else:
            yield _finding(each, problem)
    if absent:
        said = f'not built: {", ".join(absent)}; only trials with `python = "env:NAME"` need one'
        yield Diagnosis(
            "frameworks", "environments", "note", said, "`soak env NAME` builds one; `soak env` says what each is for"
        )


def _finding(each: Environment, problem: Callable[[str], str]) -> Diagnosis:
    again = f"`soak env {each.name} --rebuild`"
    if each.state == "unfinished":
        return Diagnosis(
            "frameworks", PREFIX + each.name, "warning", f"{each.name}: {each.folder} was not built to the end", again
        )
    if each.requirements is not None and (wrong := problem(str(each.python))):
        return Diagnosis(
            "frameworks", PREFIX + each.name, "broken", f"{each.name}: {each.python}: expected {wrong}", again
        )
    if each.state == "outdated":
        said = f"{each.name}: built from other versions than this soak installs"
        return Diagnosis("frameworks", PREFIX + each.name, "warning", said, again)
    return Diagnosis("frameworks", PREFIX + each.name, "ok", f"{each.name} is ready: {each.folder}")
