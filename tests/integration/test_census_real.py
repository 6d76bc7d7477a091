"""Planted truth of what only a process of its own can hold: tensors of a framework, children, threads, files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.installed import need

BEGIN = """
import gc, json, os, subprocess, sys, threading
from workloads.worker.census import Census
history = []
def grown(step, censuses=3, steps=30):
    census = Census()
    for number in range(censuses):
        for place in range(steps):
            step(number * steps + place)
        gc.collect()
        told = census.take(120.0)
    assert json.loads(json.dumps(told)) == told
    assert not told["partial"], told["left_out"]
    return told
def same(found, expected):
    assert found == expected, (found, expected)
"""
TORCH = """
import torch
class Trainer:
    def __init__(self):
        self.outputs, self.last = [], None
        self.model = torch.nn.Linear(8, 8)
    def step(self, number):
        self.last = self.model(torch.ones(4, 8))
        self.outputs.append((number, self.last))
        history.append(torch.ones(64, 64)[:32])
trainer = Trainer()
told = grown(trainer.step)
tensors, held_by = told["tensors"], told["held_by"]
same(tensors["torch.Tensor (4×8 float32, with its graph)"], [90, 90 * 128])
same(tensors["torch.Tensor (32×64 float32)"], [90, 90 * 64 * 64 * 4])
same(tensors["torch.nn.Parameter (8×8 float32)"], [1, 256])
same(held_by["torch.Tensor (4×8 float32, with its graph)"], "a list, attribute `outputs` of `Trainer` (train.py)")
same(held_by["torch.Tensor (32×64 float32)"], "a list named `history` in `train.py`")
shared = torch.ones(1000)
views = [shared[number:] for number in range(50)]
found = {name: size for name, size in Census().take(120.0)["tensors"].items() if "×" not in name}
assert sum(size[1] for size in found.values()) < 2 * 4000, "bytes of a storage count once"
"""
TENSORFLOW = """
import tensorflow as tf
weights = {}
def step(number):
    history.append(tf.ones((16, 16)) * number)
    weights[number] = tf.Variable(tf.zeros((4, 4)), name=f"layer_{number}/kernel")
told = grown(step)
tensors, held_by = told["tensors"], told["held_by"]
same(tensors["tf.EagerTensor (16×16 float32)"], [90, 90 * 1024])
same(tensors["tf.Variable (4×4 float32, `layer_*/kernel`)"], [90, 90 * 64])
same(held_by["tf.EagerTensor (16×16 float32)"], "a list named `history` in `train.py`")
"""
SYSTEM = """
class Pool:
    def _serve(self, number):
        never.wait()
never, pool, children = threading.Event(), Pool(), []
def step(number):
    history.append(os.pipe())
    if number % 3 == 0:
        threading.Thread(target=pool._serve, args=(number,), name=f"worker-{number}", daemon=True).start()
        children.append(subprocess.Popen(["true"]))
        while open(f"/proc/{children[-1].pid}/stat").read().rpartition(")")[2].split()[0] != "Z":
            pass
    if number % 15 == 0:
        children.append(subprocess.Popen(["sleep", "100000"], stdin=subprocess.PIPE))
    open(f"/dev/shm/census{os.getpid()}_{number}", "wb").write(bytes(8192))
try:
    told = grown(step)
    same(told["descriptors"]["pipe"] >= 180, True)
    same(told["threads"]["`worker-*`, running `Pool._serve` (train.py)"], 30)
    same(told["children"]["`true`, zombie"], 30)
    same(told["children"]["`sleep 100000`, running"], 6)
    same(told["descriptors"]["pipe of children"] >= 6, True)
    same(told["shared_files"]["/dev/shm/census*, not mapped"], [90, 90 * 8192])
    same(told["native_threads"]["`python*`"] if "`python*`" in told["native_threads"] else 31, 31)
    same(told["held_by"]["subprocess.Popen"], "a list named `children` in `train.py`")
finally:
    for child in children:
        child.kill()
    for name in os.listdir("/dev/shm"):
        if name.startswith(f"census{os.getpid()}_"):
            os.unlink(f"/dev/shm/{name}")
"""


def run(folder: Path, text: str) -> None:
    script = folder / "train.py"
    script.write_text(BEGIN + text)
    done = subprocess.run([sys.executable, "train.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize(("module", "text"), [("torch", TORCH), ("tensorflow", TENSORFLOW)])
def test_tensors(module: str, text: str, tmp_path: Path) -> None:
    need(module)
    run(tmp_path, text)


def test_descriptors_threads_children_and_files(tmp_path: Path) -> None:
    run(tmp_path, SYSTEM)
