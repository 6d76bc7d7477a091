"""Nodes of TensorFlow's graphs, which TensorFlow.js has too: which of them compute, and in which layer. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from workloads.operators.layers import WHOLE, Layers, Operator, in_order

PLUMBING = {
    "Const", "Identity", "IdentityN", "NoOp", "Placeholder", "ReadVariableOp", "VarHandleOp", "StopGradient", "_Arg",
    "_DeviceArg", "_Retval", "_DeviceRetval",
    "Reshape", "Transpose", "_MklTranspose", "StridedSlice", "Split", "SplitV", "Unpack",
    "ConcatV2", "Pack", "ExpandDims", "Squeeze", "Shape", "_Send", "_Recv", "_HostSend", "_HostRecv",
    "AssignVariableOp",
    "VarIsInitializedOp",
    "Fill", "VariableV2",
}  # fmt: skip
"""What moves, names or keeps data, and computes nothing."""

Named = tuple[str, str]
"""The name of a node, which begins with its scopes, and its operation."""


def computing(nodes: Iterable[Named], layers: Layers) -> list[Operator]:
    """Those of a graph that compute, as they come; layer "" where no scope of a layer is in a name."""
    return [(layers.named_in(name), operation) for name, operation in nodes if operation not in PLUMBING]


def of_model(graphs: Iterable[Iterable[Named]], layers: Layers) -> list[Operator]:
    """Of the graphs among these that hold parts of the model, by layers.

    Of a model that came from elsewhere no name is known: the largest graph is it.
    """
    each = [computing(graph, layers) for graph in graphs]
    known = [one for graph in each for one in graph if any(layer for layer, _ in graph)]
    return in_order(known) or [(WHOLE, operation) for _, operation in max(each, key=len, default=[])]
