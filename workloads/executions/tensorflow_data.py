"""TensorFlow fed by `tf.data`: a generator, frames shuffled and mapped in parallel, a graph for every new shape.

Each clip goes through a pipeline whose generator hands it over: its frames are numbered, shuffled, mapped to pictures,
batched, and put in order again, as the state is carried from frame to frame. Nothing is cached, as no clip of an endless
stream comes again; and nothing is fetched ahead, as the clip after this one is not there yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workloads import frameworks
from workloads.conversion.by_shape import ByShape, Shape
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE, Network, Run, Step, Tensor

NAME = "data"
AUTHORED_IN = EXECUTED_BY = "tensorflow"
REQUIRES = frameworks.load(EXECUTED_BY).REQUIRES
MODES = ("train", "infer")
TOPOLOGY = SINGLE


def make_step(network: Network, setup: Setup) -> Step:
    """Steps that take their pictures from a pipeline; they count their `traces`."""
    import tensorflow as tf

    def infer(pictures: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output, state = network.frozen(pictures, state)
        return output, state, network.mean(output)

    def learn(pictures: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with tf.GradientTape() as tape:
            output, state = network.forward(pictures, state)
            loss = network.loss(output, pictures)
        network.update(loss, tape)
        return output, state, loss

    answer, graph = tf.function(infer), tf.function(learn if setup.mode == "train" else infer)
    pipelines = ByShape(lambda shape: _Pipeline(network, setup, shape))

    def fed(run: Any) -> Run:
        return lambda frames, state: run(pipelines(tuple(frames.shape))(frames), state)

    return Step(fed(graph), fed(answer), lambda: {"traces": float(graph.experimental_get_tracing_count())})


class _Pipeline:
    """Frames in, pictures out, for clips of one shape."""

    def __init__(self, network: Network, setup: Setup, shape: Shape) -> None:
        import tensorflow as tf

        self._next: Any = None
        options = tf.data.Options()
        options.threading.private_threadpool_size = setup.threads
        options.autotune.enabled = False

        def clip(frames: Tensor) -> Any:
            numbered = tf.data.Dataset.from_tensor_slices((tf.range(shape[0]), frames))
            pictures = numbered.shuffle(shape[0], setup.seed).map(_picture, num_parallel_calls=2)
            return pictures.batch(shape[0], drop_remainder=True).map(_in_order)

        def _picture(number: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
            return number, network.pictures(frame)

        def _in_order(numbers: Tensor, pictures: Tensor) -> Tensor:
            return tf.ensure_shape(tf.gather(pictures, tf.argsort(numbers)), shape)

        given = tf.data.Dataset.from_generator(self._clips, output_signature=tf.TensorSpec(shape, tf.uint8))
        self._pictures = iter(given.flat_map(clip).with_options(options))

    def _clips(self) -> Iterator[Any]:
        while True:
            yield self._next

    def __call__(self, frames: Tensor) -> Tensor:
        """The pictures of these frames, in their order."""
        self._next = frames
        return next(self._pictures)
