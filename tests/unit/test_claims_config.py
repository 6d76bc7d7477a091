"""In what the config of a run differs from that of its experiment."""

from __future__ import annotations

from pathlib import Path

import pytest

from soak.claims.configured import differences, differences_of_all
from soak.claims.tables import Experiment, load

FILE = """
[experiment.video]
run = { duration = "10 s", repeats = 4 }
stream = { height = 32, width = 32 }
[[experiment.video.trial]]
workload = "recurrent"
framework = "torch"
env = { MALLOC_ARENA_MAX = "1", MY_TOKEN = "secret" }
[[experiment.video.trial]]
name = "server"
[[experiment.video.trial.member]]
name = "server"
server = "fastapi"
[[experiment.video.trial.member]]
name = "client"
workload = "kserve_client"
options = { concurrency = 4, address = "127.0.0.1:{server.port}" }
[[claim]]
name = "any"
says = "Any"
experiment = "video"
holds = ["torch lower than tensorflow"]
"""
THEN = """
[run]
name = "anything"
folder = "/elsewhere"
out = "somewhere"
duration = "10 s"
repeats = 4
[stream]
height = 32
width = 32
[[trial]]
workload = "recurrent"
framework = ["torch"]
execution = "eager"
[trial.env]
MALLOC_ARENA_MAX = "1"
MY_TOKEN = "***"
[trial.options]
stem = 8
[[trial]]
name = "server"
[[trial.member]]
name = "server"
server = "fastapi"
[[trial.member]]
name = "client"
workload = "kserve_client"
[trial.member.options]
concurrency = 4
address = "127.0.0.1:{server.port}"
"""


@pytest.fixture
def video(tmp_path: Path) -> Experiment:
    path = tmp_path / "own.toml"
    path.write_text(FILE)
    return load(path).experiments["video"]


def test_what_is_written_otherwise_and_means_the_same_is_no_difference(video: Experiment) -> None:
    """Defaults, a list of one name, places, and what the record hides."""
    assert differences(Path("own.toml"), video, THEN) == ()
    assert differences(Path("own.toml"), video, THEN.replace('"10 s"', "10.0\nparallel = 1")) == ()


@pytest.mark.parametrize(
    ("was", "then", "said"),
    [
        ("repeats = 4", "repeats = 3", ("run.repeats 3, now 4",)),
        ("repeats = 4\n", "", ("run.repeats 1, now 4",)),
        ('duration = "10 s"', 'duration = "1 s"', ("run.duration 1 s, now 10 s",)),
        ("height = 32", "height = 16", ("stream.height 16, now 32",)),
        ("stem = 8", "stem = 32", ("trial.0.options.stem 32, now 8",)),
        ('framework = ["torch"]', 'framework = "tensorflow"', ("trial.0.framework tensorflow, now torch",)),
        ('MALLOC_ARENA_MAX = "1"', 'MALLOC_ARENA_MAX = "2"', ("trial.0.env.MALLOC_ARENA_MAX 2, now 1",)),
        ('MY_TOKEN = "***"\n', "", ("trial.0.env.MY_TOKEN not set, now ***",)),
        ("concurrency = 4", "concurrency = 1", ("trial.1.member.1.options.concurrency 1, now 4",)),
        ("[run]", "[judge]\nmin_rate = '2 MiB/h'\n[run]", ("judge.min_rate 2 MiB/h, now 1048576.0",)),
        ("[run]", "[run", ("its record does not tell which",)),
        ("workload", "workloud", ("its record does not tell which",)),
        ('[[trial]]\nname = "server"', '[[trial]]\nworkload = "bert"\n[[trial]]\nname = "server"',
         ("tables of trials 3, now 2",)),
    ],
)  # fmt: skip
def test_every_key_of_another_value_is_told(video: Experiment, was: str, then: str, said: tuple[str, ...]) -> None:
    assert was in THEN
    assert differences(Path("own.toml"), video, THEN.replace(was, then)) == said


def test_repeats_may_be_spread_over_runs_of_other_seeds(video: Experiment) -> None:
    parts = [THEN.replace("repeats = 4", f"repeats = {count}\nseed = {10 * count}") for count in (3, 1, 2)]
    assert differences_of_all(Path("own.toml"), video, parts[:2]) == ()
    assert differences_of_all(Path("own.toml"), video, parts[1:]) == ("run.repeats 1, now 4", "run.repeats 2, now 4")
    assert differences_of_all(Path("own.toml"), video, parts[:1]) == ("run.repeats 3, now 4",)
    other = parts[1].replace("height = 32", "height = 8")
    assert differences_of_all(Path("own.toml"), video, [parts[0], other]) == ("stream.height 8, now 32",)
