"""Two workers of TensorFlow's MultiWorkerMirroredStrategy that report their steps to soak; one of them may leak.

    soak exec --ranks 2 --duration 2min -- python examples/tensorflow_ranks.py
    soak exec --ranks 2 --duration 2min -- python examples/tensorflow_ranks.py --leak-in-rank 1

TensorFlow itself keeps about 1.5 kB of every all-reduce (seen with 2.21), in every worker.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

import soak


def main() -> None:
    """Fit a line to random data, each worker on its own, with gradients that all of them share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10**9)
    parser.add_argument("--leak-in-rank", type=int, help="keep what each step makes, 32 KiB, in this rank")
    options = parser.parse_args()
    strategy = tf.distribute.MultiWorkerMirroredStrategy()  # it reads TF_CONFIG, set by soak
    rank = strategy.cluster_resolver.task_id
    with strategy.scope():
        weights = tf.Variable(tf.zeros((64, 1)))

    def replica_step(inputs: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((inputs @ weights - 1.0) ** 2)
        gradient = tape.gradient(loss, weights)
        gradient = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradient)
        weights.assign_sub(0.01 * gradient)
        return loss

    @tf.function
    def train_step(inputs: tf.Tensor) -> tf.Tensor:
        return strategy.run(replica_step, args=(inputs,))

    generator = np.random.default_rng(rank)
    kept: list[np.ndarray] = []
    for step in range(options.steps):
        inputs = generator.normal(size=(128, 64)).astype(np.float32)
        loss = train_step(tf.constant(inputs))  # waits for the other worker
        if options.leak_in_rank == rank:
            kept.append(inputs)  # the bug
        soak.beat(step=step, loss=loss, samples=len(inputs))
        time.sleep(0.02)
    soak.done()  # the trial ends once every rank is done


if __name__ == "__main__":
    main()
