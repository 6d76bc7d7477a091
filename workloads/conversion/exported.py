"""Models of PyTorch as `torch.export` has them, and packages that AOTInductor compiles of them."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workloads.conversion.kept import compiler, kept

Shape = tuple[int, ...]
_TMPDIR = "TMPDIR"
_SETTINGS = {"aot_inductor.precompile_headers": False}
"""They change no code. A header that is compiled for one package alone takes longer than it saves."""


def examples(network: Any, shape: Shape) -> tuple[Any, Any]:
    """What a network's model is called with: pictures, shape (T · lanes, channels, height, width), and a state."""
    import torch

    first = network.first
    return torch.zeros(shape, dtype=first.dtype, device=first.device), first.contiguous()


def exported(model: Any, arguments: tuple[Any, ...]) -> Any:
    """The `ExportedProgram` of a model for arguments of these shapes."""
    import torch

    with torch.no_grad(), library_warnings_ignored():
        return torch.export.export(model, arguments)


def package_of(model: Any, arguments: tuple[Any, ...]) -> Path:
    """The package that AOTInductor compiles of a model for arguments of these shapes; the same is compiled once.

    Its weights are those of whoever had it compiled: `weights_for` gives a model's own.

    Raises:
        CompilerError: there is no C++ compiler.
    """
    import torch

    compiler()
    program = exported(model, arguments)

    def make(path: Path) -> None:
        with torch.no_grad(), library_warnings_ignored():
            torch._inductor.aoti_compile_and_package(program, package_path=str(path), inductor_configs=_SETTINGS)

    return kept(".pt2", _identity(program, arguments), make)


def loaded(path: Path) -> Any:
    """A package, loaded from Python.

    It unpacks a library, which stays mapped without its file, and would delete that only when it is let go of.
    """
    import torch

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as own, _temporary_folder(own):
        return torch._inductor.aoti_load_package(str(path))


@contextmanager
def _temporary_folder(folder: str) -> Iterator[None]:
    """Native code takes this folder for temporary files."""
    before = os.environ.get(_TMPDIR)
    os.environ[_TMPDIR] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ[_TMPDIR]
        else:
            os.environ[_TMPDIR] = before


def weights_for(names: Iterable[str], model: Any) -> dict[str, Any]:
    """The weights of a model that a package takes, by name; they are not copied."""
    weights = model.state_dict()
    return {name: weights[name] for name in names if name in weights}


def _identity(program: Any, arguments: tuple[Any, ...]) -> str:
    """All that the code of a package depends on."""
    import torch

    # The Python code of a program does not name them; loops are compiled for these sizes, and so many threads.
    shapes = [(tuple(each.shape), str(each.dtype), str(each.device)) for each in arguments]

    # A weight whose values are all the same, as biases are at first, becomes part of the code.
    given = [(name, *_told(value)) for name, value in program.state_dict.items()]
    constants = [(name, value.tolist()) for name, value in program.constants.items()]
    machine = (torch.__version__, torch.backends.cpu.get_cpu_capability(), torch.get_num_threads())
    code = (program.graph_module.code, str(program.graph_signature))
    return repr((machine, shapes, code, given, constants))


def _told(weight: Any) -> tuple[Any, ...]:
    values = weight.unique()
    return (tuple(weight.shape), str(weight.dtype), values.item() if len(values) == 1 else None)


@contextmanager
def library_warnings_ignored() -> Iterator[None]:
    """Those of PyTorch about its own calls, and of how its GRU lists its weights."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.script_method` is deprecated", DeprecationWarning)
        warnings.filterwarnings("ignore", r"The tensor attributes .*_flat_weights", UserWarning)
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
        yield
