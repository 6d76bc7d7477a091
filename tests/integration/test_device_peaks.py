"""Peaks are read from TensorFlow's own allocator, and begin anew: on a CPU, in a process that uses the one of GPUs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.installed import need

MIB = 2**20
CHILD = f"""
import json
from types import SimpleNamespace
from workloads.frameworks import tensorflow as framework
framework.prepare(1, 1)
import tensorflow as tf

def on_the_cpu(function):
    return lambda name: function(name.replace("GPU", "CPU"))

real = tf.config.experimental
experimental = SimpleNamespace(
    get_memory_info=on_the_cpu(real.get_memory_info), reset_memory_stats=on_the_cpu(real.reset_memory_stats)
)
module = SimpleNamespace(
    errors=tf.errors, config=SimpleNamespace(experimental=experimental, get_visible_devices=lambda kind: [kind])
)
kept, told = tf.ones(({MIB},)), []
for comes in (0, 4, 0):
    if comes:
        tf.ones((comes * {MIB},))
    told.append({{**framework.device_memory(module), "anew": framework.reset_peaks(module)}})
print(json.dumps(told))
"""
ALLOCATOR = {"TF_CPU_ALLOCATOR_USE_BFC": "true", "TF_CPU_BFC_MEM_LIMIT_IN_MB": "1024", "TF_CPP_MIN_LOG_LEVEL": "2"}


@pytest.mark.framework
def test_a_peak_of_tensorflow_is_that_since_it_was_read_last() -> None:
    need("tensorflow")
    done = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, check=True, env={**os.environ, **ALLOCATOR}
    )
    first, then, after = json.loads(done.stdout.splitlines()[-1])
    assert [each["anew"] for each in (first, then, after)] == [True] * 3
    assert first["gpu_allocated_bytes"] == then["gpu_allocated_bytes"] == after["gpu_allocated_bytes"] >= 4 * MIB
    assert then["gpu_peak_bytes"] >= 20 * MIB
    assert after["gpu_peak_bytes"] == after["gpu_allocated_bytes"]
