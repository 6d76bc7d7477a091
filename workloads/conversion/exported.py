"""Models of PyTorch as `torch.export` has them, and packages that AOTInductor compiles of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workloads.conversion.kept import compiler, kept

Shape = tuple[int, ...]
_SETTINGS = {"aot_inductor.precompile_headers": False}
"""They change no code. A header that is compiled for one package alone takes longer than it saves."""


def exported(network: Any, shape: Shape) -> Any:
    """The `ExportedProgram` of a network's model for pictures of one shape.

    Args:
        network: of PyTorch.
        shape: (T · lanes, channels, height, width).
    """
    import torch

    first = network.first
    pictures = torch.zeros(shape, dtype=first.dtype, device=first.device)
    with torch.no_grad(), library_warnings_ignored():
        return torch.export.export(network.model, (pictures, first.contiguous()))


def package_of(network: Any, shape: Shape) -> Path:
    """The package that AOTInductor compiles of a network's model for one shape; the same graph is compiled once.

    Its weights are those of whoever had it compiled: `weights_for` gives the network's own.

    Raises:
        CompilerError: there is no C++ compiler.
    """
    import torch

    compiler()
    program = exported(network, shape)

    def make(path: Path) -> None:
        with torch.no_grad(), library_warnings_ignored():
            torch._inductor.aoti_compile_and_package(program, package_path=str(path), inductor_configs=_SETTINGS)

    return kept(".pt2", _identity(program, network.first), make)


def weights_for(package_names: Iterable[str], network: Any) -> dict[str, Any]:
    """The weights of a network that a package takes, by name; they are not copied."""
    weights = network.model.state_dict()
    return {name: weights[name] for name in package_names if name in weights}


def _identity(program: Any, first: Any) -> str:
    """All that the code of a package depends on."""
    import torch

    # A weight whose values are all the same, as biases are at first, becomes part of the code.
    given = [(name, *_told(value)) for name, value in program.state_dict.items()]
    constants = [(name, value.tolist()) for name, value in program.constants.items()]
    capability = torch.backends.cpu.get_cpu_capability()
    return repr((torch.__version__, capability, str(first.device), program.graph_module.code, given, constants))


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
