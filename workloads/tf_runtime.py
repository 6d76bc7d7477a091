"""TensorFlow in the child: made ready before the first import, and what it says of itself. Imports it when used."""

from __future__ import annotations

import os
from collections.abc import Mapping


def prepare(threads: int, seed: int) -> None:
    """Import TensorFlow with this number of compute threads, seeded. Call it before anything else imports it."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for device in tf.config.list_physical_devices("GPU"):
        # Otherwise TensorFlow takes the whole device at once, and nothing can be seen to grow.
        tf.config.experimental.set_memory_growth(device, True)
    tf.random.set_seed(seed)


def environment() -> Mapping[str, str]:
    """Version and settings that bear on memory."""
    import tensorflow as tf

    facts = {
        "tensorflow": tf.__version__,
        "tensorflow_threads": str(tf.config.threading.get_intra_op_parallelism_threads()),
    }
    for device in tf.config.list_physical_devices("GPU"):
        facts["gpu"] = str(tf.config.experimental.get_device_details(device).get("device_name", device.name))
    return facts


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on the host or on a device."""
    import tensorflow as tf

    return isinstance(error, MemoryError | tf.errors.ResourceExhaustedError)
