"""The operators of one execution, recorded while it answers one clip. In a fresh process: frameworks are made ready."""

from __future__ import annotations

import contextlib
from typing import Any

from workloads import executions, frameworks, networks
from workloads.networks.architecture import NetworkSizes
from workloads.operators.layers import Layers, Operator, in_order
from workloads.protocol.contract import Clip
from workloads.protocol.order import StreamSpec, TrialSpec
from workloads.worker.main import setup_of

SHAPE = (2, 32, 32, 3)
"""Frames, height, width, channels of the clip."""


def operators(architecture: str, framework: str, execution: str) -> list[Operator]:
    """Layer and operator, in the order of the layers."""
    import numpy as np

    module, layers = executions.find(framework, execution), Layers(architecture)
    mode = "infer" if "infer" in module.MODES else module.MODES[0]
    frames, height, width, channels = SHAPE
    stream = StreamSpec("synthetic", {"clip_frames": [frames], "height": height, "width": width, "channels": channels})
    setup = setup_of(TrialSpec(architecture, framework, mode, execution=execution, stream=stream))
    of_executed, *others = _readers(framework, module.EXECUTED_BY, layers)
    sources = [of_executed, *others]
    clip = Clip(np.zeros(SHAPE, np.uint8), 0)
    with contextlib.ExitStack() as stack:
        for reader in sources:
            stack.enter_context(reader.building())
        # Made in a scope where the execution wants that, as for a real trial.
        stack.enter_context(module.scope(setup) if hasattr(module, "scope") else contextlib.nullcontext())
        network = networks.load(framework).build(architecture, setup, NetworkSizes(), False)
        if hasattr(module, "operators"):
            told: list[Operator] = module.operators(network, setup, SHAPE)
            return told
        step = module.make_step(network, setup)
        for reader in sources:
            reader.built()
        _answer(network, step, clip)
        for reader in sources:
            stack.enter_context(reader.running())
        _answer(network, step, clip)
        for reader in sources:
            reader.answered(step.answer, network.tensor(clip), network.first)
    # What was converted is what runs; then what the framework runs.
    converted = sources[-1].found()
    return in_order(converted or of_executed.found())


def _answer(network: Any, step: Any, clip: Clip) -> None:
    with network.on_device(), network.unrecorded():
        step.answer(network.tensor(clip), network.first)


def _readers(framework: str, executed_by: str, layers: Layers) -> list[Any]:
    """Of the framework that runs a network first, of that it is written in, and last of programs that are converted."""
    from workloads.operators.converted_programs import ConvertedReader

    found: list[Any] = []
    for name in dict.fromkeys((executed_by, framework)):
        if name == "torch":
            from workloads.operators.torch_programs import TorchReader

            found.append(TorchReader(layers))
        elif name == "tensorflow":
            from workloads.operators.tensorflow_programs import TensorFlowReader

            found.append(TensorFlowReader(layers))
    return [*found, ConvertedReader(layers)]


def prepare(framework: str) -> None:
    """Make it ready; once in a process."""
    frameworks.load(framework).prepare(1, 0, "cpu")
