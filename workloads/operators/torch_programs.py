"""What PyTorch runs: operators as they are dispatched, and programs as they are captured. For the child only."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch._inductor import config as _config
from torch.utils._python_dispatch import TorchDispatchMode

from workloads.operators.layers import Layers, Operator

_PLUMBING = {
    "aten.detach", "aten.alias", "aten._to_copy", "aten.lift_fresh", "aten.clone", "aten.view", "aten._unsafe_view",
    "aten.t", "aten.transpose", "aten.permute", "aten.reshape", "aten.select", "aten.slice", "aten.unsqueeze",
    "aten.squeeze", "aten.expand", "aten.split", "aten.unbind", "aten.as_strided", "aten.contiguous", "prim.Constant",
    "prim.ListConstruct", "prim.ListUnpack", "prim.TupleConstruct", "prim.TupleUnpack", "prim.NumToTensor", "aten.Int",
    "aten.size", "prim.GetAttr", "aten.to", "aten.split_with_sizes", "prim.device", "aten.copy_", "getitem",
    "aten._assert_tensor_metadata",
}  # fmt: skip
"""What moves or names data, and computes nothing."""


class _Dispatched(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operator that reaches a backend."""

    def __init__(self, layers: Layers) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[Operator] = []
        self._layers = layers

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func.overloadpacket)
        if name not in _PLUMBING:
            self.found.append((self._layers.label(name), name))
        return func(*args, **(kwargs or {}))


@contextmanager
def named(layers: Layers) -> Iterator[None]:
    """Within, calls of modules are layers: of every model whose root is called first."""
    names: dict[int, str] = {}
    called = nn.Module.__call__

    def call(self: nn.Module, *args: Any, **more: Any) -> Any:
        if id(self) not in names and layers.path is None:
            names.update((id(module), _own(path)) for path, module in self.named_modules())
        if id(self) not in names:
            return called(self, *args, **more)
        with layers.within(names[id(self)]):
            return called(self, *args, **more)

    nn.Module.__call__ = call  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.__call__ = called  # type: ignore[method-assign]


class TorchReader:
    """Reads one answer."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._mode = _Dispatched(layers)
        self._captured: list[Operator] = []
        """Of the program that was exported or scripted last."""
        self._lowered: list[Operator] = []
        """Of all that was compiled: a model is one program, or several and what runs between them."""

    @contextmanager
    def building(self) -> Iterator[None]:
        """Around the making of network and step, and the first answer, in which programs are made."""
        with contextlib.ExitStack() as stack:
            for owner, name, read in ((torch.export, "export", _exported), (torch.jit, "script", _scripted)):
                stack.enter_context(self._read_by(owner, name, read))
            stack.enter_context(_config.patch(post_grad_custom_post_pass=self._lower))
            yield

    def built(self) -> None:
        """Network and step are made."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around a further answer: of a program that was captured it tells nothing more, and could disturb it.

        What `torch.compile` could not compile runs beside what it did.
        """
        if self._captured:
            yield
            return
        with named(self._layers), self._mode:
            yield

    def answered(self, answer: Any, frames: Any, state: Any) -> None:
        """What was run to answer, and with what."""

    def found(self) -> list[Operator]:
        """Of the programs that were compiled, and of layers in none of them; of one captured; or one by one."""
        dispatched = self._mode.found
        if not self._lowered:
            return self._captured or dispatched
        compiled = {layer for layer, _ in self._lowered}
        return self._lowered + [each for each in dispatched if each[0] not in compiled]

    def _lower(self, graph: Any) -> None:
        """TorchInductor makes kernels of this graph, after its own rules."""
        self._lowered += of_nodes(graph.nodes, self._layers, being_called())

    @contextmanager
    def _read_by(self, owner: Any, name: str, read: Any) -> Iterator[None]:
        made = getattr(owner, name)

        def captured(*args: Any, **more: Any) -> Any:
            program = made(*args, **more)
            self._captured = read(program, self._layers)
            return program

        setattr(owner, name, captured)
        try:
            yield
        finally:
            setattr(owner, name, made)


def _exported(program: Any, layers: Layers) -> list[Operator]:
    """Of an `ExportedProgram`, by the modules that its nodes come from."""
    return of_nodes(program.graph.nodes, layers)


def of_nodes(nodes: Any, layers: Layers, called: str | None = None) -> list[Operator]:
    """Of a graph of torch.fx that was captured with the modules of its nodes.

    called: the path of the module whose call it is of, to which those belong that no other is told of; None where all
    are told.
    """
    found = []
    for node in nodes:
        if node.op != "call_function" or (name := _name(node.target)) in _PLUMBING:
            continue
        modules = list((node.meta.get("nn_module_stack") or {}).values())
        path = _local(modules[-1][0]) if modules else None
        if called is not None:
            path = ".".join(filter(None, (called, path)))
        found.append((of_path(path, name, layers), name))
    return found


def being_called() -> str | None:
    """The path of the module that is being called, as where TorchDynamo compiles it; None where none is."""
    modules: list[nn.Module] = []
    frame: Any = sys._getframe()
    while frame is not None:
        own = frame.f_locals.get("self")
        if isinstance(own, nn.Module):
            modules.append(own)
        frame = frame.f_back
    if not modules:
        return None
    paths = {id(module): path for path, module in modules[-1].named_modules()}
    return next(_own(paths[id(module)]) for module in modules if id(module) in paths)


def _own(path: str) -> str:
    """Of a module within one that `torch.compile` gave for it."""
    return path.removeprefix("_orig_mod").lstrip(".")


def _name(target: Any) -> str:
    packet = getattr(target, "overloadpacket", None)
    return str(packet) if packet is not None else getattr(target, "__name__", str(target))


def of_path(path: str | None, operator: str, layers: Layers) -> str:
    """The layer of a module's path, `stem.conv1`; without one it is around the model."""
    return "" if path is None else layers.placed(path, operator)


def _local(path: str) -> str:
    """As captured code names a module of the one it is of: `L['self'].conv1` is `conv1`."""
    return path.removeprefix("L['self']").lstrip(".")


def _scripted(program: Any, layers: Layers) -> list[Operator]:
    """Of a script module that was not frozen: its nodes come as they are called, and weights tell their modules."""
    found: list[Operator] = []
    paths: dict[str, str] = {}
    last = ""

    def read(nodes: Any) -> None:
        nonlocal last
        for node in nodes:
            name = node.kind().replace("::", ".")
            given = [each.debugName() for each in node.inputs()]
            if name == "prim.GetAttr":
                own = ".".join(filter(None, (paths.get(given[0], ""), node.s("name"))))
                paths[node.output().debugName()] = own
            elif name.startswith("aten.") and name not in _PLUMBING and _gives_tensors(node):
                weights = [paths[each].rpartition(".")[0] for each in given if each in paths]
                last = weights[0] if weights else last
                found.append((layers.placed(last if weights else _caller(last), name), name))
            for block in node.blocks():
                read(block.nodes())

    read(program.inlined_graph.nodes())
    return found


def _gives_tensors(node: Any) -> bool:
    return any("Tensor" in str(each.type()) for each in node.outputs())


def _caller(path: str) -> str:
    """Who works by itself after a module that has weights, `layers.0` after `layers.0.attend`."""
    parts = path.split(".")
    if parts[-1].isdigit() or len(parts) == 1:
        return path if parts[-1].isdigit() else ""
    return "" if parts[-1] == "project" else path.rpartition(".")[0]
