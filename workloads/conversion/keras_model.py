"""A network of TensorFlow as a model of Keras, whose steps carry the state and learn as the network does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workloads.conversion.by_shape import ByShape, Shape
from workloads.protocol.contract import Setup
from workloads.protocol.execution import Run, Step, Tensor

Call = Callable[[Any, tuple[Any, Any]], Any]
"""A method of a `keras.Model`, given the model and a batch: pictures, shape (1, T, height, width, channels), and the
state of its lanes, shape (1, …)."""
LOSS = "squared_error"
"""What a step of training answers; as `loss` Keras would answer one of its own."""


def make_step(network: Any, setup: Setup, learn: Call, predict: Call) -> Step:
    """Steps that are calls of a model of Keras, one for each shape of clips; they count their `traces`.

    learn: trains with the batch, and returns the loss. predict: returns output and state, in a batch of one.
    """
    # Keras would widen the shapes of a function that it has traced for two of them, and networks need them whole.
    models, frozen = (
        ByShape(lambda shape, of=of: made(network, of, shape)) for of in (network.forward, network.frozen)
    )

    def train(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        model = models(tuple(frames.shape))
        loss = learn(model, _batch(network, frames, state))
        return model.output_kept.read_value(), model.state_kept.read_value(), loss

    def by(models: ByShape[Any]) -> Run:
        def infer(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            output, state = predict(models(tuple(frames.shape)), _batch(network, frames, state))
            return output[0], state[0], output[0].mean()

        return infer

    trains = setup.mode == "train"
    answer = by(frozen if trains else models)
    return Step(train if trains else answer, answer, models.counters)


def _batch(network: Any, frames: Tensor, state: Tensor) -> tuple[Any, Any]:
    """A batch of one clip, as arrays."""
    pictures, state = (each.numpy() if hasattr(each, "numpy") else each for each in (network.pictures(frames), state))
    return pictures[None], state[None]


def made(network: Any, forward: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], shape: Shape) -> Any:
    """A compiled `keras.Model` that runs one of the network's functions over clips of one shape."""
    import keras
    import tensorflow as tf

    first = network.first

    class Carried(keras.Model):  # type: ignore[misc]
        """Keeps output and state of the latest step of training: `fit` answers nothing but scalars."""

        def __init__(self) -> None:
            super().__init__()
            self.output_kept = tf.Variable(tf.zeros((shape[0] * first.shape[0], shape[-1])), trainable=False)
            self.state_kept = tf.Variable(first, trainable=False)

        def train_step(self, data: Any) -> dict[str, Tensor]:
            """Learn from a batch of one clip."""
            pictures, state = _clip(data)
            with tf.GradientTape() as tape:
                output, after = forward(pictures, state)
                loss = network.loss(output, pictures)
            network.update(loss, tape)
            self.output_kept.assign(output)
            self.state_kept.assign(after)
            return {LOSS: loss}

        def predict_step(self, data: Any) -> tuple[Tensor, Tensor]:
            """Output and state of a batch of one clip."""
            output, after = forward(*_clip(data))
            return output[None], after[None]

    model = Carried()
    model.compile(jit_compile=False)
    return model


def _clip(data: Any) -> tuple[Tensor, Tensor]:
    """The one clip of a batch, as Keras hands it to a step, and the state before it."""
    import keras

    (pictures, state), _, _ = keras.utils.unpack_x_y_sample_weight(data)
    return pictures[0], state[0]
