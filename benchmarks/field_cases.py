"""The real workloads by which soak is held to the truth: what each is, how it is paced, and what must be said of it.

A leak names the layers that may be named for it, innermost first, and words of which the cause must hold one. What is
bounded must not be called a leak, in any layer. A workload that runs in both frameworks is a case in each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

BOTH = ("torch", "tensorflow")


@dataclass(frozen=True, slots=True)
class Case:
    """One workload in one framework, with its options and its right answer."""

    name: str
    workload: str
    framework: str
    truth: Literal["leak", "bounded", "either"]
    """`either`: it loses so little that a pass below what could be seen is as right as a leak; it is in no total."""
    layer: str = ""
    """A regular expression of the layers that are right."""
    cause: str = ""
    """A regular expression of words that the cause must hold; empty for none that can be known."""
    measure: str = "total_bytes"
    """What of the truth the rate is held against."""
    options: Mapping[str, Any] = field(default_factory=dict)
    mode: str = "infer"
    fps: float = 60.0
    """Frames a second; a clip has three on average."""
    steps: int = 3000
    """Of the measurement of the truth."""


STREAM = {"clip_frames": [2, 4], "clip_length": "set", "height": 16, "width": 16}
"""Of every case: small, and of varying length."""

HEAP, OBJECTS = "host_heap|total|anonymous|python_objects", "python_objects|total|anonymous|host_heap"
FDS, THREADS, CHILDREN = "fds", "threads", "children"
SHARED = "shared|total"


def _leak(name: str, layer: str, cause: str, frameworks: tuple[str, ...] = BOTH, **more: Any) -> Iterator[Case]:
    label = more.pop("label", name)
    truth = more.pop("truth", "leak")
    measure = more.pop("measure", layer if layer in (FDS, THREADS, CHILDREN) else "total_bytes")
    steps = more.pop("steps", 3000)
    for framework in frameworks:
        more["steps"] = _share(steps, framework, frameworks)
        yield Case(f"{label}-{framework}", f"zoo_{name}", framework, truth, layer, cause, measure, **more)


def _bounded(name: str, frameworks: tuple[str, ...] = BOTH, **more: Any) -> Iterator[Case]:
    label, workload = more.pop("label", name), more.pop("workload", f"lookalike_{name}")
    truth = more.pop("truth", "bounded")
    steps = more.pop("steps", 3000)
    for framework in frameworks:
        more["steps"] = _share(steps, framework, frameworks)
        yield Case(f"{label}-{framework}", workload, framework, truth, **more)


def _share(steps: int, framework: str, frameworks: tuple[str, ...]) -> int:
    """A step beside a model takes TensorFlow several times as long."""
    return steps // 2 if framework == "tensorflow" and len(frameworks) > 1 else steps


def cases() -> tuple[Case, ...]:
    """All, leaks first."""
    return (*_leaks(), *_leaks_of_frameworks(), *_lookalikes(), *_lookalikes_of_frameworks(), *_twins())


def _leaks() -> Iterator[Case]:
    seldom: dict[str, Any] = {"options": {"every": 10}}
    yield from _leak("float_log", OBJECTS, "float|number")
    yield from _leak("history", OBJECTS, "dict")
    yield from _leak("label_sets", OBJECTS, "tuple|list|str")
    yield from _leak("vocabulary", OBJECTS, "str|dict|int")
    yield from _leak("warnings", OBJECTS, "str|tuple|_Unusual|dict")
    yield from _leak("classes", OBJECTS, "type|dict|class|tuple|getset|member_descriptor")
    yield from _leak("modules", OBJECTS, "module|float|function|list|dict", options={"kib": 4})
    yield from _leak("ctypes_types", HEAP, "PyCPointerType|PyCArrayType|type|dict|ctypes", steps=3000)
    yield from _leak("method_cache", HEAP, "_Request|bytes|lru_cache", options={"kib": 4})
    yield from _leak("log_handlers", HEAP, "StreamHandler|StringIO|RLock|Handler")
    yield from _leak("shape_cache", HEAP, "ndarray|mask", options={"kib": 4})
    yield from _leak("exceptions_kept", HEAP, "ValueError|traceback|frame|bytes", options={"kib": 4})
    yield from _leak("finalizers", HEAP, "finalize|_Info|bytes|weakref|ReferenceType", options={"kib": 4})
    yield from _leak("contexts", HEAP, "Context|bytes|hamt", options={"kib": 4})
    yield from _leak("views", HEAP, "ndarray")
    yield from _leak("queue_fills", HEAP, "bytes|SimpleQueue", options={"kib": 4})
    yield from _leak("subscribers", HEAP, "_Listener|method|bytearray", options={"kib": 4})
    yield from _leak("references", HEAP, "bytearray|native|malloc|no Python", options={"kib": 4})
    yield from _leak("native_strings", "host_heap|total|anonymous", "native|malloc|no Python|C ", options={"kib": 1})
    yield from _leak("captured_output", HEAP, "StringIO|native|malloc")
    yield from _leak("checkpoints", HEAP, "Tensor|dict", options={"kib": 8})
    yield from _leak("sessions", HEAP, "Tensor", options={"kib": 8})
    yield from _leak("futures", HEAP, "Future|bytes|Condition", options={"kib": 4})
    yield from _leak("generators", HEAP, "generator|bytes", options={"kib": 4})
    yield from _leak("pickler_memo", HEAP, "bytes|Pickler|dict", options={"kib": 4})
    yield from _leak("thread_registry", HEAP, "Thread|bytes|Event|Condition", options={"kib": 4})
    yield from _leak("pending_tasks", HEAP, "Task|answered|coroutine|Future|bytes", options={"kib": 4})
    yield from _leak("weak_values", HEAP, "_Session|partial|bytearray|_due", options={"kib": 4})
    yield from _leak("concatenated", f"{HEAP}|mmap", "ndarray|_scores", options={"kib": 4})
    yield from _leak("database_rows", HEAP, "native|malloc|no Python|sqlite", options={"kib": 4})
    yield from _leak("maps", "mmap|anonymous|total", "mmap|anon")
    shared = {"shared": True}
    yield from _leak("maps", "shared|mmap|total", "mmap|zero|shared|deleted", label="maps_shared", options=shared)
    yield from _leak("open_files", FDS, "file|\\.py", **seldom)
    yield from _leak("sockets", FDS, "socket", **seldom)
    yield from _leak("pipes", FDS, "pipe", **seldom)
    yield from _leak("event_loops", FDS, "socket|eventpoll|EventLoop", **seldom)
    yield from _leak("file_maps", FDS, "file|deleted|mmap|soak-zoo", **seldom)
    yield from _leak("threads", THREADS, "request|_wait_for_answer|thread", **seldom)
    yield from _leak("executors", THREADS, "decode|thread|ThreadPoolExecutor", **seldom)
    yield from _leak("timers", THREADS, "Timer|Thread", **seldom)
    yield from _leak("children", CHILDREN, "zombie|true|defunct", label="zombies")
    running = {"running": True, "every": 40}
    yield from _leak("children", CHILDREN, "sleep", label="children_running", options=running)
    yield from _leak("shared_blocks", "shared|total|fds", "psm_|shm|SharedMemory")
    closed = {"closed": True}
    yield from _leak("shared_blocks", SHARED, "psm_|shm", label="shared_blocks_closed", options=closed)
    yield from _leak("shm_orphans", SHARED, "soak-zoo|shm")
    large = {"kib": 4096, "every": 64}
    yield from _leak("shm_orphans", SHARED, "soak-zoo|shm", label="shm_orphans_large", options=large)


def _leaks_of_frameworks() -> Iterator[Case]:
    torch, tensorflow = ("torch",), ("tensorflow",)
    yield from _leak("losses_kept", HEAP, "Tensor|Backward|graph", torch, mode="train")
    yield from _leak("hooks", OBJECTS, "_Hook|list|hook", torch)
    yield from _leak("optimizers", HEAP, "Tensor|Adam|dict", torch, mode="train")
    yield from _leak("param_groups", HEAP, "Tensor|Parameter|dict", torch, mode="train")
    yield from _leak("double_backward", HEAP, "native|Tensor|Backward|graph|malloc", torch, mode="train")
    yield from _leak("shared_tensors", SHARED, "torch_|shm|Tensor|Storage", torch, options={"kib": 16})
    yield from _leak("loaders", CHILDREN, "python|worker|DataLoader|pt_data_worker", torch, steps=800)
    yield from _leak("profiler", "host_heap|total|anonymous|mmap", "native|malloc", torch)
    yield from _leak("video_decoders", HEAP, "native|malloc|no Python", torch, fps=60, steps=1500)
    yield from _leak("graph_modules", OBJECTS, "str|dict|list|Graph|code|tuple", torch, fps=30, steps=800)
    yield from _leak("jit_trace", HEAP, "native|malloc|Function|Script", torch, fps=6, steps=800)
    yield from _leak("compile_reset", HEAP, "", torch, fps=15, steps=300)
    yield from _leak("compiled_kept", HEAP, "Tensor|Parameter|Module", torch, fps=3, steps=120)
    yield from _leak("loader_fds", FDS, "torch_|shm|socket|file", torch)
    mapped = "anonymous|mmap|total|file"
    yield from _leak("aoti_reload", mapped, "native|malloc|deleted|wrapper|\\.so|mmap", torch, fps=60, steps=300)
    sessions: dict[str, Any] = {"frameworks": ("none",), "cause": "native|malloc|no Python|InferenceSession"}
    yield from _leak("inference_sessions", HEAP + "|mmap", **sessions, options={"every": 20}, steps=2000)
    released = {"released": True}
    yield from _leak(
        "inference_sessions", HEAP, **sessions, label="inference_sessions_released", truth="either",
        options=released, fps=1000, steps=10000,
    )  # fmt: skip
    yield from _leak("keras_predict", HEAP, "", tensorflow, truth="either", fps=30, steps=600)
    yield from _leak("py_functions", HEAP, "", tensorflow, fps=30, steps=800)
    yield from _leak("random_seeds", HEAP, "native|malloc|no Python", tensorflow, fps=30, steps=1500)
    yield from _leak("keras_models", OBJECTS, "dict|Sequential|Dense|Variable|list", tensorflow, fps=6, steps=300)
    yield from _leak("variables", HEAP, "Variable|EagerTensor", tensorflow)
    yield from _leak("tapes", HEAP, "Tape|EagerTensor", tensorflow, mode="train")
    yield from _leak("dataset_iterators", THREADS, "tf_|thread|Iterator", tensorflow)
    yield from _leak("summary_writers", FDS, "file|events", tensorflow)
    yield from _leak("lookup_table", HEAP, "native|malloc|no Python", tensorflow)
    yield from _leak("tensor_queue", HEAP, "native|malloc|no Python", tensorflow)
    yield from _leak("eager_outputs", HEAP, "EagerTensor|Tensor", tensorflow)
    yield from _leak("retrace", HEAP, "", tensorflow, fps=12, steps=600)
    yield from _leak("new_model", HEAP, "", tensorflow, mode="train", fps=6, steps=80)
    yield from _leak("python_numbers", HEAP, "native|malloc|no Python|EagerTensor", tensorflow, steps=1500)
    yield from _leak("all_reduce", HEAP, "native|malloc|no Python", tensorflow, mode="train")
    yield from _leak("concat_gradients", HEAP, "native|malloc|no Python", tensorflow, mode="train", steps=1500)
    yield from _leak("graph_growth", HEAP, "Operation|dict|list|native", tensorflow, fps=30, steps=1200)


def _lookalikes() -> Iterator[Case]:
    for name in (
        "arenas", "array_ring", "backlog", "best_weights", "byte_budget", "children_end", "connections",
        "deferred_free", "double_buffer", "pools_ended", "expiry", "file_read", "flushed_log", "fragments",
        "full_queue", "gc_cycles", "high_water", "late_lru", "lazy_imports", "lru_cache", "object_bursts", "periodic",
        "phases", "rare_peaks",
        "regex_cache", "replay_buffer", "shm_ring", "shuffle_fills", "last_steps", "temp_files", "thread_pool",
        "token_cache", "warm_up", "weak_cache", "zipf_cache",
    ):  # fmt: skip
        yield from _bounded(name, steps=3000)
    yield from _bounded("gc_cycles", label="gc_thresholds", options={"every": 0}, steps=3000)


def _lookalikes_of_frameworks() -> Iterator[Case]:
    torch, tensorflow = ("torch",), ("tensorflow",)
    yield from _bounded("graph_window", torch, mode="train", steps=3000)
    yield from _bounded("late_layers", torch, mode="train", steps=2500)
    yield from _bounded("context_cycle", torch, mode="train", steps=3000)
    yield from _bounded("loader_epochs", torch)
    yield from _bounded("model_reloads", torch)
    yield from _bounded("compile_limit", torch)
    yield from _bounded("flight_recorder", torch, fps=300, steps=6000)
    yield from _bounded("few_lengths", tensorflow)
    yield from _bounded("one_trace", tensorflow)
    yield from _bounded("dataset_cache", tensorflow)
    yield from _bounded("data_epochs", tensorflow)
    yield from _bounded("keras_fit", tensorflow, truth="either", mode="train", fps=15, steps=200)
    yield from _bounded("table_wraps", tensorflow, steps=3000)
    yield from _bounded("saved_model_reloads", tensorflow, fps=30, options={"every": 1}, steps=1200)
    yield from _bounded("from_generator", tensorflow)


def _twins() -> Iterator[Case]:
    """Clean twins of leaks, and caches that fill: the same code with a bound."""
    for name, distinct in (
        ("shape_cache", 300),
        ("sessions", 500),
        ("sockets", 1),
        ("threads", 8),
        ("checkpoints", 200),
    ):
        yield from _bounded(name, label=f"{name}_bounded", workload=f"zoo_{name}", options={"distinct": distinct})
    numpy = {"numpy": True}
    yield from _bounded(
        "python_numbers", ("tensorflow",), label="numpy_numbers", workload="zoo_python_numbers", options=numpy
    )
    clean = {"distinct": 1}
    yield from _bounded(
        "all_reduce", ("tensorflow",), label="one_device", workload="zoo_all_reduce", options=clean, mode="train"
    )
    yield from _bounded(
        "concat_gradients", ("tensorflow",), label="stacked", workload="zoo_concat_gradients", options=clean,
        mode="train", steps=1500,
    )  # fmt: skip
    jit = {"distinct": 100}
    yield from _bounded(
        "jit_trace", ("torch",), label="jit_trace_bounded", workload="zoo_jit_trace", options=jit, fps=30
    )
    retrace = {"distinct": 100}
    yield from _bounded(
        "retrace", ("tensorflow",), label="retrace_bounded", workload="zoo_retrace", options=retrace, fps=30
    )
