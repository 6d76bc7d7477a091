import hashlib
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from monitors.gpu import Device
from soak.plan import config
from soak.plan.block import arm, block, of_record, sha256
from soak.plan.plan import Trial, make_plan
from soak.record.reader import Record
from soak.record.store import FILE, Store
from workloads.protocol.order import StreamSpec, TrialSpec

SPEC = TrialSpec("recurrent", "torch", seed=1, duration=60.0)
A100 = Device("cuda:0", "GPU-a", "NVIDIA A100-SXM4-80GB", "0000:01:00")
TWO_SIZES = """
[run]
duration = "30 s"
[[trial]]
name = "small"
workload = "recurrent"
[[trial]]
name = "large"
workload = "recurrent"
stream = { height = 256, width = 256 }
"""


def of(spec: TrialSpec, model: str = "") -> str:
    return block(asdict(spec), model)


def test_frames_of_other_sizes_are_never_compared(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(TWO_SIZES)
    plan = make_plan(config.load(path))
    by_block: dict[str, set[int]] = {}
    for trial in plan:
        by_block.setdefault(trial.block, set()).add(trial.spec.stream.options.get("height", 32))
    assert sorted(map(sorted, by_block.values())) == [[32], [256]]
    assert len(plan) == 4


def test_tables_under_two_names_that_ask_for_the_same_are_one_block(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(TWO_SIZES.replace("stream =", "#").replace("[run]", "[run]\nrepeats = 2"))
    assert sorted(len({t.name for t in make_plan(config.load(path)) if t.block == b}) for b in _blocks(path)) == [4, 4]


def _blocks(path: Path) -> set[str]:
    return {trial.block for trial in make_plan(config.load(path))}


@pytest.mark.parametrize(
    "change",
    [
        {"workload": "transformer"}, {"mode": "train"}, {"seed": 2}, {"threads": 2},
        {"options": {"precision": "float16"}},
        {"duration": 61.0}, {"stream_time": 60.0}, {"steps": 9}, {"tracemalloc": 1},
        {"stream": StreamSpec(options={"fps": 30.0})},
        {"stream": StreamSpec(options={"clip_frames": [16, 8]})},
    ],
)  # fmt: skip
def test_a_block_differs_with_whatever_a_fair_comparison_must_share(change: Mapping[str, Any]) -> None:
    assert of(replace(SPEC, **change)) != of(SPEC)


@pytest.mark.parametrize(
    "change",
    [
        {"framework": "tensorflow"}, {"execution": "graph"}, {"device": "cuda"}, {"beat_interval": 2.0},
        {"golden_interval": 0.0}, {"count_objects_interval": 9.0},
    ],
)  # fmt: skip
def test_a_block_is_the_same_for_every_arm(change: Mapping[str, Any]) -> None:
    assert of(replace(SPEC, **change)) == of(SPEC)


def placed(trial: Trial, *devices: Device, processor: str = "a processor") -> Trial:
    return trial.placed(devices, lambda _: {}, {}, processor)


def test_a_block_is_complete_once_the_trial_has_a_device() -> None:
    waiting = Trial(0, "t", SPEC)
    on_gpu, on_cpu = placed(waiting, A100), placed(waiting)
    other = placed(waiting, replace(A100, name="cuda:1", uuid="GPU-b"))
    assert len({waiting.block, on_gpu.block, on_cpu.block}) == 3
    assert other.block == on_gpu.block, "another device of the same model"
    assert on_cpu.block != placed(waiting, processor="another processor").block


def test_an_arm_is_framework_execution_versions_and_settings_of_memory() -> None:
    said = {"torch": "2.9.1", "python": "3.11.2", "cuda": "12.8", "torch_threads": "1", "device": "cuda:0"}
    env = {"MALLOC_ARENA_MAX": "2", "CUDA_VISIBLE_DEVICES": "GPU-a", "MY_TOKEN": "secret"}
    shown = "torch 2.9.1 eager, python 3.11.2, cuda 12.8, MALLOC_ARENA_MAX=2"
    assert arm("torch", "eager", said, {"worker": env}) == shown
    assert arm("tensorflow", "graph", {}, {}) == "tensorflow graph"


def test_an_arm_names_what_a_program_brought_by_itself_and_what_a_further_member_has() -> None:
    envs = {"server": {"OMP_NUM_THREADS": "1"}, "client": {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}}
    shown = "none eager, python 3.11.2, torch 2.9.1, OMP_NUM_THREADS=1, client: MALLOC_ARENA_MAX=2"
    assert arm("none", "eager", {"torch": "2.9.1", "python": "3.11.2"}, envs) == shown


def test_an_arm_tells_the_framework_of_a_member() -> None:
    told = {"server": "torch eager", "client": "http_client"}
    shown = "server: torch eager, client: http_client, torch 2.9.1"
    assert arm("none", "eager", {"torch": "2.9.1"}, {}, told) == shown


def test_an_arm_of_programs_that_are_all_the_same_says_so_once() -> None:
    told = {"rank 0 of 2": "train", "rank 1 of 2": "train"}
    assert arm("none", "eager", {"torch": "2.9.1"}, {}, told) == "train, torch 2.9.1"


def test_a_program_of_an_old_record_has_an_arm_too() -> None:
    body = {"workload": "train", "framework": "none", "mode": "command", "execution": "eager"}
    assert of_record(body, "")[1] == "train"


def test_a_name_is_the_sha_256_of_the_canonical_form_whatever_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    form = b'[{"options":{"hidden":32},"workload":"\\u00e9"},"a processor"]'
    name = hashlib.sha256(form).hexdigest()[:12]
    settings = {"workload": "é", "options": {"hidden": 32}, "framework": "torch"}
    assert block(settings, "a processor") == name
    for module in ("_sha2", "_sha256"):
        monkeypatch.setitem(sys.modules, module, None)
    assert sha256.__wrapped__() is hashlib.sha256, "where a Python has neither"


COMMANDS = """
[run]
repeats = 2
[[trial]]
name = "small"
command = ["sleep", "1"]
env = { SIZE = "32" }
[[trial]]
name = "same"
command = ["sleep", "1"]
env = { SIZE = "32" }
[[trial]]
name = "large"
command = ["sleep", "1"]
env = { SIZE = "256" }
[[trial]]
name = "tuned"
command = ["sleep", "1"]
env = { SIZE = "32", MALLOC_ARENA_MAX = "2" }
[[trial]]
name = "elsewhere"
command = ["sleep", "1"]
env = { SIZE = "32" }
cwd = "/"
"""


def test_a_command_is_its_words_its_folder_and_its_variables_but_not_its_name_nor_a_seed(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(COMMANDS)
    groups: dict[str, set[str]] = {}
    for trial in make_plan(config.load(path)):
        groups.setdefault(trial.block, set()).add(trial.name[:-2])
    assert sorted(map(sorted, groups.values())) == [["elsewhere"], ["large"], ["same", "small", "tuned"]]


def test_no_digest_of_a_secret_is_kept(tmp_path: Path) -> None:
    """Whoever reads a record could try what it is of."""
    path = tmp_path / "c.toml"
    path.write_text(COMMANDS)
    before = {trial.name: trial.block for trial in make_plan(config.load(path))}
    path.write_text(COMMANDS.replace("32", "33"))
    assert {trial.name: trial.block for trial in make_plan(config.load(path))} == before


MEMBERS = """
[run]
duration = "30 s"
[[trial]]
name = "t"
[[trial.member]]
name = "server"
server = "http_echo"
[[trial.member]]
name = "client"
workload = "http_client"
options = { url = "http://127.0.0.1:{server.port}/" }
"""


def of_members(path: Path, text: str, *devices: Device) -> str:
    path.write_text(text)
    (trial,) = make_plan(config.load(path))
    return placed(trial, *devices).block


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("http_echo", "grpc_echo"), ('"client"', '"other"'), ("server.port}/", "server.port}/x"),
        ('workload = "http_client"', 'workload = "http_client"\nthreads = 2'),
        ('workload = "http_client"', 'workload = "http_client"\nmode = "train"'),
        ('workload = "http_client"', 'workload = "http_client"\nstream = { source = "none" }'),
        ('workload = "http_client"', 'workload = "http_client"\njudged = true'),
        ('workload = "http_client"', 'workload = "http_client"\nends_trial = false'),
        ('"http_echo"', '"http_echo"\nenv = { A = "1" }'), ('"http_echo"', '"http_echo"\nready = "alive"'),
        ('"http_echo"', '"http_echo"\noptions = { fail_every = 1 }'), ('"30 s"', '"31 s"'),
    ],
)  # fmt: skip
def test_a_block_differs_with_whatever_is_changed_of_a_member(tmp_path: Path, old: str, new: str) -> None:
    assert of_members(tmp_path / "c.toml", MEMBERS.replace(old, new)) != of_members(tmp_path / "c.toml", MEMBERS)


def test_members_written_out_and_by_their_defaults_are_one_block(tmp_path: Path) -> None:
    full = MEMBERS.replace('"http_echo"', '"http_echo"\noptions = { fail_every = 0 }\nready = "/healthy"\ncwd = ""')
    full = full.replace('ready = "/healthy"', 'ready = "http://127.0.0.1:{port}/healthy"')
    full = full.replace("options = { url", 'mode = "infer"\njudged = false\noptions = { concurrency = 8, url')
    assert of_members(tmp_path / "c.toml", full) == of_members(tmp_path / "c.toml", MEMBERS)


def test_a_sole_member_is_told_apart_by_its_workload(tmp_path: Path) -> None:
    sole = '[run]\nduration = "9 s"\n[[trial]]\nname = "t"\n[[trial.member]]\nname = "m"\nworkload = "{}"\n'
    texts = [sole.format(name) for name in ("recurrent", "transformer")]
    assert len({of_members(tmp_path / "c.toml", text) for text in texts}) == 2


def test_how_many_gpus_each_member_has_makes_a_block(tmp_path: Path) -> None:
    b, other = replace(A100, name="cuda:1", uuid="GPU-b"), replace(A100, model="NVIDIA H100")
    one, two = (MEMBERS.replace('"http_echo"', f'"http_echo"\ndevices = {n}') for n in (1, 2))
    path = tmp_path / "c.toml"
    found = [of_members(path, one, A100), of_members(path, two, A100, b), of_members(path, one, other)]
    assert len(set(found)) == 3
    assert of_members(path, one, b) == found[0], "another device of the same model"
    assert of_members(path, one) == of_members(path, two), "none on the processor"


def test_a_record_from_before_there_were_blocks_has_them_all_the_same(tmp_path: Path) -> None:
    with Store.create(tmp_path / FILE) as store:
        store.put_meta("environment", {"cpu": "a processor"})
        for index, side in enumerate((32, 32, 256)):
            store.put_trial(index, f"t{index}", _old(index, replace(SPEC, stream=StreamSpec(options={"height": side}))))
    with Store.open(tmp_path / FILE) as store:
        small, twin, large = Record(store).trials()
    assert small.block == twin.block != large.block
    assert small.arm == "torch 2.9.1 eager"


def _old(index: int, spec: TrialSpec) -> dict[str, Any]:
    return {
        "index": index, "name": f"t{index}", "workload": spec.workload, "framework": spec.framework, "mode": spec.mode,
        "execution": spec.execution, "seed": spec.seed, "pair": "recurrent/infer/1", "device": "cpu", "state": "ended",
        "started": 5.0, "settings": {**asdict(spec), "python": "", "gpu": None}, "environment": {"torch": "2.9.1"},
    }  # fmt: skip


@pytest.mark.parametrize("body", [{}, {"settings": 3, "environment": "x"}, {"settings": {"gpu": [], "env": {"a": 1}}}])
def test_damaged_facts_have_some_block(body: Mapping[str, Any]) -> None:
    assert len(of_record(body, "")[0]) == 12
