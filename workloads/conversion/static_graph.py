"""A network of TensorFlow as a static graph of version 1: placeholders, fetches, and one session that runs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workloads.conversion.by_shape import ByShape, Shape
from workloads.protocol.contract import Setup
from workloads.protocol.execution import Tensor

if TYPE_CHECKING:
    from workloads.protocol.execution import Change


class StaticGraph:
    """Graph, variables and session of a network. Between two shapes the graph is finalized: no step adds to it."""

    def __init__(self, network: Any, setup: Setup) -> None:
        import tensorflow as tf

        self._network, self._trains = network, setup.mode == "train"
        self._v1 = tf.compat.v1
        self._graph = tf.Graph()
        rate, momentum = float(network.optimizer.learning_rate), network.optimizer.momentum
        with self._graph.as_default(), network.on_device():
            self._model = network.new_model()
            # What a replay runs: its weights stay what they were at first.
            self._frozen = network.new_model() if self._trains else self._model
            self._optimizer = self._v1.train.MomentumOptimizer(rate, momentum)
        self._session = self._v1.Session(graph=self._graph, config=self._config(setup))
        self._initialized: set[str] = set()
        self.by_shape = ByShape(self._added)
        """For a shape of frames: what is fed, what a step fetches, and what a replay fetches."""

    def run(self, frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One step of the trial's mode."""
        given, fetches, _ = self.by_shape(tuple(frames.shape))
        output, state, value, *_ = self._session.run(fetches, _fed(given, frames, state))
        return output, state, value

    def answer(self, frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One step of inference with the weights of the beginning."""
        given, _, fetches = self.by_shape(tuple(frames.shape))
        output, state, value = self._session.run(fetches, _fed(given, frames, state))
        return output, state, value

    def alter(self, change: Change) -> None:
        """Replace the weights of the last layer by what `change` makes of them; the graph has its own."""
        import numpy as np

        self._begin()
        kernel = self._model.head.kernel
        before = self._session.run(kernel)
        after = change(before.astype(np.float32).T).T.astype(before.dtype)
        # As a variable of version 1 loads a value: by what initializes it, so that the graph may stay finalized.
        self._session.run(kernel.initializer, {kernel.initializer.inputs[1]: after})

    def _config(self, setup: Setup) -> Any:
        config = self._v1.ConfigProto(intra_op_parallelism_threads=setup.threads, inter_op_parallelism_threads=1)
        if setup.device == "cpu":
            config.device_count["GPU"] = 0
        # Otherwise TensorFlow takes the whole device at once, and nothing can be seen to grow.
        config.gpu_options.allow_growth = True
        return config

    def _added(self, shape: Shape) -> tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]:
        # The network is unrolled over the frames of a clip: another length is another part of the graph. There is no
        # public way to open a graph again, and no other by which two graphs share variables in one process.
        self._graph._unsafe_unfinalize()
        with self._graph.as_default(), self._network.on_device():
            parts = self._part(shape)
        self._begin()
        self._graph.finalize()
        return parts

    def _begin(self) -> None:
        """Give their first values to the variables that have none yet."""
        with self._graph.as_default():
            fresh = [each for each in self._v1.global_variables() if each.name not in self._initialized]
            if fresh:
                self._session.run(self._v1.variables_initializer(fresh))
        self._initialized.update(each.name for each in fresh)

    def _part(self, shape: Shape) -> tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]:
        network, first = self._network, self._network.first
        frames = self._v1.placeholder("uint8", shape)
        state = self._v1.placeholder(first.dtype, first.shape)
        pictures = network.pictures(frames)
        batched = network.batched(pictures)
        output, after = self._frozen(batched, state)
        answer = (output, after, network.mean(output))
        if not self._trains:
            return (frames, state), answer, answer
        output, after = self._model(batched, state)
        loss = network.loss(output, pictures)
        learn = self._optimizer.minimize(loss, var_list=self._model.trainable_variables)
        return (frames, state), (output, after, loss, learn), answer


def _fed(given: Sequence[Tensor], frames: Tensor, state: Tensor) -> dict[Any, Any]:
    """Tensors as arrays: a session knows none that is not of its graph."""
    values = (each.numpy() if hasattr(each, "numpy") else each for each in (frames, state))
    return dict(zip(given, values, strict=True))
