"""Every execution of both frameworks that there is, in every mode that it has, as one config.

    python -m benchmarks.matrix_config > configs/matrix.toml

One table for the executions of a framework that have the same modes; a test holds the committed file to what there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from workloads import executions, networks

HEAD = """\
# Every execution of the recurrent model in every mode that it has, on one stream, from one set of weights. Made by
# `python -m benchmarks.matrix_config`; what came of it is docs/matrix.md, by `make matrix`.
#   soak run configs/matrix.toml                                  all of it
#   soak run configs/matrix.toml --trial recurrent-torch-infer    what begins so

[run]
name = "matrix"
seed = 16
duration = "85 s"         # of each trial
sample_interval = "0.5 s"
parallel = 2              # one compute thread each
start_deadline = "20 min" # compilers take minutes where nothing is in their cache

[stream]
height = 32
width = 32
clip_frames = [16]        # one shape: each costs a compilation
"""
LONGEST = 100
OURS = "workloads.executions."
"""Modules of what comes with soak."""


def shipped() -> list[tuple[str, str, tuple[str, ...]]]:
    """Framework, execution and its modes, of all that come with soak."""
    known = [(framework, name, executions.find(framework, name)) for framework, name in networks.ways()]
    return [(framework, name, module.MODES) for framework, name, module in known if module.__name__.startswith(OURS)]


def written() -> str:
    """The config."""
    tables = [HEAD]
    for (framework, modes), these in groupby(sorted(shipped(), key=_kind), key=_kind):
        names = _list([name for _, name, _ in these])
        keys = {
            "workload": '"recurrent"',
            "framework": f'"{framework}"',
            "mode": _list(list(modes)),
            "execution": names,
        }
        tables.append("".join(["[[trial]]\n", *(f"{key} = {value}\n" for key, value in keys.items())]))
    return "\n".join(tables)


def _kind(one: tuple[str, str, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    return one[0], one[2]


def _list(names: Sequence[str]) -> str:
    """In lines that are not too long."""
    told = [f'"{name}"' for name in names]
    line = f"[{', '.join(told)}]"
    return line if len(line) < LONGEST else "".join(["[\n", *(f"  {name},\n" for name in told), "]"])


if __name__ == "__main__":
    print(written(), end="")
