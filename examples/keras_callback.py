"""A Keras callback that reports every batch to soak.

soak exec --duration 2min -- python examples/keras_callback.py
"""

from __future__ import annotations

import argparse
import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import soak


class SoakBeat(keras.callbacks.Callback):
    """Give it to `fit(callbacks=[SoakBeat()])`; outside soak it does nothing."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """One step. Batches count from 0 in every epoch; soak goes on counting."""
        # An epoch is a dose too: what grows with each is reported per epoch.
        soak.beat(step=batch, loss=(logs or {}).get("loss"), epochs=int(batch == 0))


def main() -> None:
    """Fit a small network on random data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10**6)
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    inputs, targets = generator.normal(size=(640, 64)), generator.normal(size=(640, 1))
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(128, "relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(inputs, targets, batch_size=32, epochs=options.epochs, verbose=0, callbacks=[SoakBeat()])
    soak.done()


if __name__ == "__main__":
    main()
