"""TensorFlow: what is known of it without it, and how it is made ready and asked in the child."""

from __future__ import annotations

import contextlib
import math
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from workloads import frameworks
from workloads.errors import DeviceError

TITLE = "TensorFlow"
REQUIRES = {"tensorflow": "soak[tensorflow]"}
TOLD = ("TF_CPP", "TF_CUDNN", "TF_ENABLE", "TF_FORCE", "TF_GPU", "TF_XLA")
GPU_QUESTION = """
import json, os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import tensorflow as tf
built = str(tf.sysconfig.get_build_info().get("cuda_version", "")) if tf.test.is_built_with_cuda() else ""
print(json.dumps({"version": tf.__version__, "built": built, "devices": len(tf.config.list_physical_devices("GPU"))}))
"""
CUDA_BUILD = "`pip uninstall tensorflow-cpu`, then `pip install --force-reinstall 'tensorflow[and-cuda]'`"
BLIND = "its CUDA libraries are often what is missing: `pip install 'tensorflow[and-cuda]'`"
VARIABLES = {
    "TF_FORCE_GPU_ALLOW_GROWTH": "overrides the setting of a program: `false` makes TensorFlow take the whole device",
    "TF_ENABLE_ONEDNN_OPTS": "`0` takes oneDNN and its cache from TensorFlow alone; PyTorch keeps its own",
    "TF_GPU_ALLOCATOR": "changes how TensorFlow allocates device memory, and what its own counters report",
}
VERSIONS = ("tensorflow", "cuda", "cudnn")
CACHES = ("KERAS_HOME",)
CACHES_AT_HOME = (".keras",)
LAUNCHERS: tuple[str, ...] = ()

_MEMORY = {"gpu_allocated_bytes": "current", "gpu_peak_bytes": "peak"}


def prepare(threads: int, seed: int, device: str = "cpu") -> None:
    """Import TensorFlow with this number of compute threads, seeded. Call it before anything else imports it."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    gpus = tf.config.list_physical_devices("GPU") if device != "cpu" else []
    # A thread starts the work of a device: by one alone, two cards would wait for each other. An execution may have
    # asked for more before, where this is called again.
    asked = tf.config.threading.get_inter_op_parallelism_threads()
    tf.config.threading.set_inter_op_parallelism_threads(max(1, len(gpus), asked))
    if device == "cpu":
        # Otherwise it would take a GPU for every operation that has a kernel there.
        tf.config.set_visible_devices([], "GPU")
    else:
        # float32 means float32, in both frameworks: here all products are rounded to TensorFloat-32 by default.
        tf.config.experimental.enable_tensor_float_32_execution(False)
    for gpu in gpus:
        # Otherwise TensorFlow takes the whole device at once, and nothing can be seen to grow.
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.random.set_seed(seed)


def require(device: str) -> None:
    """See that TensorFlow can use the device; on a GPU that takes its context, as any use would.

    Raises:
        DeviceError: it cannot; the message says why and what to do.
    """
    import tensorflow as tf

    if device == "cpu":
        return
    said = f"TensorFlow {tf.__version__} cannot use device {device!r}"
    if not tf.test.is_built_with_cuda():
        raise DeviceError(
            f"{said}: this build has no CUDA; pip install 'tensorflow[and-cuda]', or name a `python` that has it"
        )
    if not tf.config.list_physical_devices("GPU"):
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
        raise DeviceError(
            f"{said}: it sees no device (CUDA_VISIBLE_DEVICES {seen}); check that nvidia-smi lists one and that the"
            ' CUDA libraries are found: the worker\'s log names those that are not (TF_CPP_MIN_LOG_LEVEL = "0")'
        )
    try:
        with place(device):
            tf.ones(1).numpy()
    except (tf.errors.OpError, RuntimeError) as error:
        raise DeviceError(f"{said}: it is seen but does not run: {error}".partition("\n")[0]) from error


def place(device: str) -> Any:
    """A context in which operations run on the device. With cpu nothing need be said, as the GPUs are hidden."""
    if device == "cpu":
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.device(f"/GPU:{device.partition(':')[2] or 0}")


def environment() -> Mapping[str, str]:
    """Versions and settings that bear on memory; of the device only where one is visible."""
    import tensorflow as tf

    from workloads.worker.cuda_driver import DriverError, visible_memory

    facts = {
        "tensorflow": tf.__version__,
        "tensorflow_threads": str(tf.config.threading.get_intra_op_parallelism_threads()),
        "tensorflow_inter_op_threads": str(tf.config.threading.get_inter_op_parallelism_threads()),
        "tensorflow_onednn": _onednn(),
    }
    for gpu in tf.config.get_visible_devices("GPU")[:1]:
        build = tf.sysconfig.get_build_info()
        facts["gpu"] = str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
        facts["cuda"] = str(build.get("cuda_version", "unknown"))
        facts["cudnn"] = str(build.get("cudnn_version", "unknown"))
        with contextlib.suppress(DriverError):
            facts["gpu_memory_bytes"] = str(visible_memory())
        rounded = tf.config.experimental.tensor_float_32_execution_enabled()
        facts["tensorflow_tf32"] = "on" if rounded else "off"
        facts["tensorflow_memory_growth"] = str(tf.config.experimental.get_memory_growth(gpu)).lower()
    return facts


def _onednn() -> str:
    """Whether it runs what oneDNN has kernels for on the processor by those, by its own word."""
    try:
        from tensorflow.python.util import _pywrap_util_port as build
    except ImportError:
        return "unknown"
    return "on" if build.IsMklEnabled() else "off"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on the host or on a device."""
    import tensorflow as tf

    return isinstance(error, MemoryError | tf.errors.ResourceExhaustedError)


def ones(count: int, device: str) -> Any:
    """A tensor of so many float32 ones."""
    import tensorflow as tf

    with place(device):
        return tf.ones((count,))


def tensor_types(tensorflow: Any) -> tuple[type, ...]:
    """Types whose objects are tensors or variables, subclasses too."""
    places = (
        ("tensorflow.python.framework.ops", "_EagerTensorBase"),
        ("tensorflow.python.ops.resource_variable_ops", "BaseResourceVariable"),
    )
    found = (getattr(sys.modules.get(module), name, None) for module, name in places)
    return tuple(kind for kind in found if isinstance(kind, type))


def tensor_facts(tensor: Any) -> tuple[str, float, object]:
    """What a tensor is called (type, shape, data type, device, of a variable its name), and its bytes."""
    sizes = tensor.shape.as_list()
    shape = "×".join("?" if size is None else str(size) for size in sizes) or "scalar"
    size = math.prod(size or 0 for size in sizes) * _item_size(tensor.dtype)
    place = tensor.device.rpartition("device:")[2]
    device = f" on {place}" if place and not place.startswith("CPU") else ""
    what = f"{shape} {tensor.dtype.name}{device}"
    if not hasattr(tensor, "assign"):
        return f"tf.EagerTensor ({what})", float(size), None
    name = re.sub(r"\d+", "*", tensor.name.partition(":")[0])
    return f"tf.Variable ({what}, `{name[-60:]}`)", float(size), None


def _item_size(dtype: Any) -> int:
    """Bytes of one number; 0 of what holds a resource."""
    return 0 if dtype.name in ("resource", "variant", "string") else int(dtype.size)


def device_memory(tensorflow: Any) -> Mapping[str, float]:
    """What its allocator holds of the device; nothing before it has one in use."""
    # The public functions make a context where there is none, and with it one of every visible GPU.
    eager = sys.modules.get("tensorflow.python.eager.context")
    context = eager.context_safe() if eager is not None else None
    if context is None or getattr(context, "_context_handle", None) is None:
        return {}
    devices, ask = len(tensorflow.config.get_visible_devices("GPU")), tensorflow.config.experimental.get_memory_info
    if devices < 2:
        return in_our_names(ask("GPU:0")) if devices else {}
    return frameworks.of_devices(in_our_names(ask(f"GPU:{place}")) for place in range(devices))


def reset_peaks(tensorflow: Any) -> bool:
    """Let the peak of each device begin anew; whether that can be done. Called where `device_memory` told of one."""
    try:
        for place in range(len(tensorflow.config.get_visible_devices("GPU"))):
            tensorflow.config.experimental.reset_memory_stats(f"GPU:{place}")
    except (ValueError, tensorflow.errors.OpError):
        return False  # not every allocator that TF_GPU_ALLOCATOR names knows how
    return True


def in_our_names(told: Mapping[str, Any]) -> Mapping[str, float]:
    """The dict of `tf.config.experimental.get_memory_info`."""
    return frameworks.renamed(told, _MEMORY)
