"""What PyTorch runs: operators as they are dispatched, and programs as they are captured. For the child only."""

from __future__ import annotations

import contextlib
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
            names.update((id(module), path) for path, module in self.named_modules())
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
        self._programs: list[list[Operator]] = []

    @contextmanager
    def building(self) -> Iterator[None]:
        """Around the making of network and step, and the first answer, in which programs are made."""
        with contextlib.ExitStack() as stack:
            for owner, name, read in ((torch.export, "export", _exported), (torch.jit, "script", _scripted)):
                stack.enter_context(self._read_by(owner, name, read))
            stack.enter_context(_config.patch(post_grad_custom_post_pass=self._lowered))
            yield

    def built(self) -> None:
        """Network and step are made."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around a further answer: of a program that was captured it tells nothing more, and could disturb it."""
        if self._programs:
            yield
            return
        with named(self._layers), self._mode:
            yield

    def answered(self, answer: Any, frames: Any, state: Any) -> None:
        """What was run to answer, and with what."""

    def found(self) -> list[Operator]:
        """Of the program that was captured last, or dispatched one by one."""
        dispatched = self._mode.found
        return self._programs[-1] if self._programs else dispatched

    def _lowered(self, graph: Any) -> None:
        """TorchInductor makes kernels of this graph, after its own rules."""
        self._programs.append(of_nodes(graph.nodes, self._layers))

    @contextmanager
    def _read_by(self, owner: Any, name: str, read: Any) -> Iterator[None]:
        made = getattr(owner, name)

        def captured(*args: Any, **more: Any) -> Any:
            program = made(*args, **more)
            self._programs.append(read(program, self._layers))
            return program

        setattr(owner, name, captured)
        try:
            yield
        finally:
            setattr(owner, name, made)


def _exported(program: Any, layers: Layers) -> list[Operator]:
    """Of an `ExportedProgram`, by the modules that its nodes come from."""
    return of_nodes(program.graph.nodes, layers)


def of_nodes(nodes: Any, layers: Layers) -> list[Operator]:
    """Of a graph of torch.fx that was captured with the modules of its nodes."""
    found = []
    for node in nodes:
        if node.op != "call_function" or (name := _name(node.target)) in _PLUMBING:
            continue
        called = list((node.meta.get("nn_module_stack") or {}).values())
        found.append((of_path(called[-1][0] if called else None, name, layers), name))
    return found


def _name(target: Any) -> str:
    packet = getattr(target, "overloadpacket", None)
    return str(packet) if packet is not None else getattr(target, "__name__", str(target))


def of_path(path: str | None, operator: str, layers: Layers) -> str:
    """The layer of a module's path, `stem.conv1` or `L['self'].stem.conv1`; without one it is around the model."""
    return "" if path is None else layers.placed(path.removeprefix("L['self']").lstrip("."), operator)


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
