import os
from pathlib import Path

import pytest

from soak.errors import ConfigError
from soak.plan import config
from soak.plan.plan import make_plan

GOOD = """
[run]
duration = "30 s"
[[trial]]
workload = "recurrent"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "soak.toml"
    path.write_text(text)
    return path


def test_a_small_config_runs_both_frameworks_in_one_block(tmp_path: Path) -> None:
    plan = make_plan(config.load(write(tmp_path, GOOD)))
    assert {t.spec.framework for t in plan} == {"torch", "tensorflow"}
    assert len({t.block for t in plan}) == 1
    assert len({t.spec.seed for t in plan}) == 1
    assert {t.spec.duration for t in plan} == {30.0}


@pytest.mark.parametrize(
    ("overrides", "key", "said"),
    [
        (["run.paralel=2"], "run.paralel", "did you mean 'parallel'"),
        (["run.parallel=0"], "run.parallel", ">= 1"),
        (['run.parallel="two"'], "run.parallel", "expected a whole number"),
        (['run.duration="5 parsecs"'], "run.duration", "unknown unit"),
        (['run.order="random"'], "run.order", "'shuffled' or 'listed'"),
        (["stream.fps=0"], "stream.fps", "0.1 to 1000"),
        (["stream.channels=2"], "stream.channels", "1 or 3"),
        (["stream.clip_frames=[]"], "stream.clip_frames", "list of clip lengths"),
        (['stream.source="file"'], "stream.path", "video file"),
        (['stream.source="file"', 'stream.path="no.mp4"'], "stream.path", "exists"),
        (['trial.0.framework=["torc"]'], "trial[0].framework[0]", "did you mean 'torch'?"),
        (['trial.0.framework="jaxx"'], "trial[0].framework = 'jaxx'", "expected torch or tensorflow or none"),
        (['trial.0.execution="grph"'], "trial[0].execution = 'grph'", "for torch"),
        (['trial.0.framework="tensorflow"', 'trial.0.execution="grph"'], "trial[0].execution", "mean 'graph'?"),
        (['trial.0.framework="torch"', 'trial.0.execution="graph"'], "trial[0].execution", "for torch"),
        (["trial.0.workload=3"], "trial[0].workload", "expected text"),
        (["trial.0.stream={fsp=3}"], "trial[0].stream.fsp", "did you mean 'fps'"),
        (
            ["trial.0.options.since=2020-01-01"],
            "trial[0].options.since = '2020-01-01'",
            'expected a string ("2020-01-01")',
        ),
        (["trial.0.options.at=[{a=07:32:00}]"], "trial[0].options.at[0].a", "expected a string"),
        (['trial.0.expect_layer="fds"'], "trial[0].expect", "verdict"),
        (['judge.min_rate="fast"'], "judge.min_rate", "1 MiB/h"),
        (
            ['run.device="gpu"'],
            "run.device = 'gpu'",
            'expected "auto", "cpu", "cuda:N", the UUID of a device, or several',
        ),
        (['run.device="cuda:0,cuda:0"'], "run.device = 'cuda:0,cuda:0'", "several devices separated by commas"),
        (['run.device="cuda:0,cpu"'], "run.device = 'cuda:0,cpu'", "several devices separated by commas"),
        (['run.device="cuda"'], "run.device = 'cuda'", "cuda:N"),
        (['run.device="cuda:-1"'], "run.device = 'cuda:-1'", "cuda:N"),
        (['run.device=""'], "run.device = ''", "cuda:N"),
        (["run.device=0"], "run.device = 0", "expected text"),
        (['trial.0.device="cuda:0,1"'], "trial[0].device = 'cuda:0,1'", "cuda:N"),
        (["trial.0.device=[]"], "trial[0].device = []", "expected text"),
        (['run.golden_interval="often"'], "run.golden_interval = 'often'", "or 0 for none"),
        (["run.golden_interval=-1"], "run.golden_interval = -1", "or 0 for none"),
        (["trial.0.golden_interval=5"], "trial[0].golden_interval = 5", "unknown key"),
        (["trial=[]"], "trial", "at least one"),
        (["trial=[{}]"], "trial[0].workload", "required"),
        (["run.repeats=9000000000000000000"], "run.repeats = 9000000000000000000", "<= 1000"),
        (["run.repeats=1" + 400 * "0"], "run.repeats = 1000", "<= 1000"),
        (["run.parallel=1000000"], "run.parallel", "<= 1024"),
        (["run.seed=99999999999"], "run.seed", "<= 2147483647"),
        (['run.duration="99999999999999999999 d"'], "run.duration", "at most 3650 d"),
        (["run.duration=1" + 400 * "0"], "run.duration", "at most 3650 d"),
        (["run.duration=inf"], "run.duration", "at most 3650 d"),
        (["run.duration=nan"], "run.duration", "expected"),
        (['run.sample_interval="1 ms"'], "run.sample_interval", "at least 10 ms"),
        (['run.low_disk="1e400 B"'], "run.low_disk", "unit"),
        (['run.low_disk="2048 PiB"'], "run.low_disk", "at most 1024 PiB"),
        (['run.name="' + "x" * 501 + '"'], "run.name", "length <= 500"),
        (["judge.alarm=nan"], "judge.alarm", ">= 0.0"),
        (["judge.min_rate=nan"], "judge.min_rate", "1 MiB/h"),
        (["stream.fps=nan"], "stream.fps", "0.1 to 1000"),
        (["stream.height=1" + 400 * "0"], "stream.height", "8 to 4096"),
        (
            ["stream.height=4096", "stream.width=4096", "stream.clip_frames=[4096]"],
            "stream.clip_frames",
            "million values",
        ),
        (["stream.clip_frames=" + str([2] * 1001)], "stream.clip_frames", "1,000 at most"),
        (["trial.0.threads=4096"], "trial[0].threads", "<= 1024"),
        (["trial.0.steps=1" + 20 * "0"], "trial[0].steps", "<= 1000000000000"),
        (["trial.0.tracemalloc=100000"], "trial[0].tracemalloc", "<= 1000"),
        (['trial.0.env={"A=B"="x"}'], "trial[0].env.A=B", "without ="),
        (['trial.0.env={"A\\u0000"="x"}'], "trial[0].env.A\\x00", "without ="),
        (['trial.0.env={A="x\\u0000"}'], "trial[0].env.A", "without NUL"),
        (["trial.0.env={A='***'}"], "trial[0].env.A = '***'", "expected the real value"),
        (["trial.0.env={A=3}"], "trial[0].env", "expected text"),
        (['trial.0.memory_limit="1' + "0" * 400 + ' B"'], "trial[0].memory_limit", "expected a number with a unit"),
        (["trial=[" + "{workload='w'}," * 1001 + "]"], "trial", "at most 1,000 [[trial]] tables"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(tmp_path: Path, overrides: list[str], key: str, said: str) -> None:
    path = write(tmp_path, GOOD)
    with pytest.raises(ConfigError) as caught:
        make_plan(config.load(path, overrides))
    message = str(caught.value)
    assert message.startswith(f"{path}: {key}")
    assert said in message
    assert "\n" not in message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda:0", "cuda:12", "GPU-5a", "MIG-GPU-5a/1/0"])
def test_a_device_is_the_runs_unless_a_trial_has_its_own(tmp_path: Path, device: str) -> None:
    path = write(tmp_path, GOOD)
    assert {t.wishes for t in make_plan(config.load(path, [f"run.device={device}"]))} == {(device,)}
    own = config.load(path, ["run.device=cuda:7", f"trial.0.device={device}"])
    assert {t.wishes for t in make_plan(own)} == {(device,)}


def test_of_several_devices_a_trial_gets_as_many_as_it_asks_for(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    one = config.load(path, device="cuda:3,cuda:1")
    assert {t.wishes for t in make_plan(one)} == {("cuda:3",)}
    two = config.load(path, ["trial.0.devices=2"], device="cuda:3,cuda:1")
    assert ("cuda:3", "cuda:1") in {t.wishes for t in make_plan(two)}


@pytest.mark.parametrize(("device", "devices"), [("cuda:3", 2), ("cuda:3,cuda:1", 3)])
def test_a_trial_that_asks_for_more_devices_than_are_named_is_told(tmp_path: Path, device: str, devices: int) -> None:
    with pytest.raises(ConfigError, match=f"run.device = '{device}': expected {devices} device names"):
        config.load(write(tmp_path, GOOD), [f"trial.0.devices={devices}"], device=device)


def test_a_device_of_the_command_line_replaces_those_of_all_trials(tmp_path: Path) -> None:
    loaded = config.load(write(tmp_path, GOOD), ["run.device=cuda:7", "trial.0.device=cuda:8"], device="cpu")
    assert {t.wishes for t in make_plan(loaded)} == {("cpu",)}
    with pytest.raises(ConfigError, match=r"run\.device = 'gpu'"):
        config.load(write(tmp_path, GOOD), device="gpu")


@pytest.mark.parametrize(("said", "seconds"), [("0", 0.0), ("'0 s'", 0.0), ("'2 min'", 120.0), ("5", 5.0)])
def test_the_golden_clip_is_replayed_now_and_then_or_never(tmp_path: Path, said: str, seconds: float) -> None:
    plan = make_plan(config.load(write(tmp_path, GOOD), [f"run.golden_interval={said}"]))
    assert {t.spec.golden_interval for t in plan} == {seconds}


def test_a_trial_without_any_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="duration, stream_time or steps"):
        config.load(write(tmp_path, '[[trial]]\nworkload = "recurrent"\n'))


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(ConfigError, match=r"no such file; did you mean .*soak\.toml"):
        config.load(tmp_path / "soka.toml")


@pytest.mark.parametrize("name", ["train.py", "train.py:step"])
def test_a_program_in_the_place_of_a_config_is_told_where_it_belongs(tmp_path: Path, name: str) -> None:
    (tmp_path / "train.py").write_text("def step(): pass\n")
    with pytest.raises(ConfigError, match=r"expected a config in TOML; .*--workload FILE\.py:NAME.*`soak exec --"):
        config.load(tmp_path / name)


def test_what_makes_too_many_trials_is_said_before_they_are_made(tmp_path: Path) -> None:
    tables = [f"trial={'[' + ','.join(['{workload=' + repr('recurrent') + '}'] * 9) + ']'}", "run.repeats=1000"]
    with pytest.raises(ConfigError, match="at most 10,000 trials; repeats, lists and tables give 18,000"):
        make_plan(config.load(write(tmp_path, GOOD), tables))


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "a = 1" + "0" * 5000, "a" + ".b" * 3000 + " = 1", "\ud800", "#" * 5_000_000]
)
def test_hostile_toml_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "soak.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert len(str(caught.value)) < 2100
    assert "\n" not in str(caught.value)


def test_a_pipe_that_nobody_writes_into_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(ConfigError, match="trial"):
        config.load(tmp_path / "pipe.toml")


def test_names_of_files_that_cannot_be_are_one_line(tmp_path: Path) -> None:
    for name in ("x" * 300, "nul\0", "caf\udce9"):
        with pytest.raises(ConfigError) as caught:
            config.load(tmp_path / name)
        assert str(caught.value).encode()


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 2"):
        config.load(write(tmp_path, "[run]\nduration = \n"))


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        config.load(tmp_path)


def test_duration_replaces_every_limit(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + "steps = 5\nduration = '9 h'\n")
    assert [t.spec.duration for t in make_plan(config.load(path, duration="7 s"))] == [7.0, 7.0]
    assert all(t.spec.steps is None for t in make_plan(config.load(path, duration="7 s")))


def test_set_reaches_into_lists_of_tables(tmp_path: Path) -> None:
    plan = make_plan(config.load(write(tmp_path, GOOD), ["trial.0.options.hidden=64", "trial.0.framework=torch"]))
    assert [(t.spec.framework, t.spec.options["hidden"]) for t in plan] == [("torch", 64)]


@pytest.mark.parametrize("bad", ["nonsense", "=3", "trial.7.threads=1", "trial.0.workload.deep.er=1"])
def test_a_wrong_set_is_explained(tmp_path: Path, bad: str) -> None:
    with pytest.raises(ConfigError, match=r"--set|expected key=value"):
        config.load(write(tmp_path, GOOD), [bad])


@pytest.mark.parametrize("key", ["run.probes", "trial.0.probes"])
@pytest.mark.parametrize("value", ['"maybe"', "3"])
def test_what_probes_may_be_is_said_in_full(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match='expected true, false or "half"'):
        config.of_workload("fault_hang", ["run.duration='1 s'", f"{key}={value}"])
