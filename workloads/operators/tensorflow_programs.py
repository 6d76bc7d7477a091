"""What TensorFlow runs: operators one by one, or the graphs as they are after optimization. For the child only."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import op_callbacks

from workloads.networks.authored import tensorflow as authored
from workloads.operators.layers import WHOLE, Layers, Operator, in_order, scope_of
from workloads.operators.tensorflow_nodes import PLUMBING, of_model


@contextmanager
def named(layers: Layers) -> Iterator[None]:
    """Within, calls of modules are layers, and scopes of the graphs that are made of them."""
    kinds = [each for each in vars(authored).values() if inspect.isclass(each) and issubclass(each, tf.Module)]
    kept = {kind: kind.__call__ for kind in kinds if kind.__module__ == authored.__name__}
    roots: list[Any] = []
    for kind, called in kept.items():
        kind.__call__ = _named_call(called, layers, roots)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for kind, called in kept.items():
            kind.__call__ = called  # type: ignore[method-assign]


def _named_call(called: Any, layers: Layers, stack: list[Any]) -> Any:
    def call(self: Any, *args: Any, **more: Any) -> Any:
        path = ".".join(filter(None, (layers.path, _place(stack[-1][0], self)))) if stack else ""
        if stack:
            stack[-1][1].close()
        with layers.within(path), ExitStack() as own:
            # What a module does by itself has a scope of its own, which ends where it calls another.
            part = own.enter_context(ExitStack())
            part.enter_context(tf.name_scope(f"{scope_of(layers.label())}/"))
            stack.append((self, part))
            found = called(self, *args, **more)
            stack.pop()
        if stack:
            stack[-1][1].enter_context(tf.name_scope(f"{scope_of(layers.label())}/"))
        return found

    return call


def _place(parent: Any, child: Any) -> str:
    """The name of the attribute of a module that another is, or stands in."""
    for name, value in vars(parent).items():
        if value is child:
            return str(name)
        if isinstance(value, list | tuple) and any(one is child for one in value):
            return f"{name}.{next(at for at, one in enumerate(value) if one is child)}"
    raise LookupError(f"{type(child).__name__} is no attribute of {type(parent).__name__}")


class TensorFlowReader:
    """Reads one answer."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._eager: list[Operator] = []
        self._graphs: list[Any] = []
        self._compiled: list[Operator] = []

    @contextmanager
    def building(self) -> Iterator[None]:
        """Around the making of network and step, and the first answer, in which graphs are made."""
        with named(self._layers):
            yield

    def built(self) -> None:
        """Network and step are made, and no graph has run: those that come from now on are told when they do."""
        context.context().enable_run_metadata()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around a further answer."""
        with self._sessions():
            op_callbacks.add_op_callback(self._ran)
            try:
                yield
            finally:
                told = context.context().export_run_metadata()
                context.context().disable_run_metadata()
                op_callbacks.remove_op_callback(self._ran)
        # As they are run: for oneDNN they are rewritten after all that `post_optimization_graph` tells.
        self._graphs += [graph for each in told.function_graphs for graph in each.partition_graphs]

    def answered(self, answer: Any, frames: Any, state: Any) -> None:
        """What was run to answer, and with what: one that XLA compiled tells its program."""
        if getattr(answer, "_jit_compile", False):
            told = answer.experimental_get_compiler_ir(frames, state)(stage="optimized_hlo")
            self._compiled = compiled(told, self._layers)

    def found(self) -> list[Operator]:
        """Of operators that ran one by one where the model did so, or of the graphs that hold parts of it."""
        if self._compiled:
            return self._compiled
        if any(layer.startswith("stem") for layer, _ in self._eager):
            return self._eager
        return of_model([[(node.name, node.op) for node in graph.node] for graph in self._graphs], self._layers)

    def _ran(
        self, kind: Any, inputs: Any, attributes: Any, outputs: Any, op_name: Any = None, graph: Any = None
    ) -> None:
        name = kind.decode() if isinstance(kind, bytes) else str(kind)
        if graph is None and name not in PLUMBING:
            self._eager.append((self._layers.label(name), name))

    @contextmanager
    def _sessions(self) -> Iterator[None]:
        """Sessions of version 1 tell the graphs that they run."""
        kind = tf.compat.v1.Session
        run = kind.run

        def told(session: Any, fetches: Any, feed_dict: Any = None, **more: Any) -> Any:
            asked, metadata = tf.compat.v1.RunOptions(output_partition_graphs=True), tf.compat.v1.RunMetadata()
            found = run(session, fetches, feed_dict, options=asked, run_metadata=metadata)
            self._graphs += metadata.partition_graphs
            return found

        kind.run = told
        try:
            yield
        finally:
            kind.run = run


def compiled(text: str, layers: Layers) -> list[Operator]:
    """Of a module of XLA's HLO after optimization: its instructions, by the scopes that they come from."""
    found = []
    for line in text.splitlines():
        opcode = re.match(r"\s*(?:ROOT )?%?[\w.-]+ = \S+ ([\w-]+)\(", line)
        if opcode is None or opcode[1] in ("parameter", "constant", "bitcast", "tuple", "get-tuple-element", "copy"):
            continue
        name = re.search(r'op_name="([^"]*)"', line)
        found.append((layers.named_in(name[1]) if name else WHOLE, opcode[1]))
    return in_order(found)
