"""A worker or parameter server of TensorFlow, by the TF_CONFIG of its environment. It never ends by itself.

Needs TensorFlow alone, and nothing of soak: it is started as a file.
"""

from __future__ import annotations

import argparse
import os


def main() -> None:
    """Serve until it is told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1, help="compute threads of one operation")
    threads = parser.parse_args().threads
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    # One thread that waits for another machine must not keep those from working that it waits for.
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=4)
    server = tf.distribute.Server(
        resolver.cluster_spec(), job_name=resolver.task_type, task_index=resolver.task_id,
        protocol=resolver.rpc_layer or "grpc", config=config,
    )  # fmt: skip
    server.join()


if __name__ == "__main__":
    main()
