"""`soak compare`: planted differences are found, alike is alike, what cannot be told is said, errors say what to do."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import reports
from soak.cli import main
from tests.comparing import MIB, PlantedTrial, both, planted, varied

TENSORFLOW = PlantedTrial(framework="tensorflow", version="2.16")


@pytest.fixture
def compared(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """The document of a comparison, as `--json` prints it, and valid."""
    schema = json.loads((Path(reports.__file__).parent / "schema" / "soak.comparison-1.json").read_text())

    def run(*words: object, code: int = 0) -> dict[str, Any]:
        assert main(["compare", *map(str, words), "--json"]) == code
        body: dict[str, Any] = json.loads(capsys.readouterr().out)
        jsonschema.Draft202012Validator(schema).validate(body)
        return body

    return run


def overall(body: dict[str, Any], measure: str, place: int = 0) -> dict[str, Any]:
    (found,) = [d for d in body["comparisons"][place]["differences"] if d["measure"] == measure and not d["group"]]
    return found


def failed(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main(["compare", *map(str, words)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, "one line"
    return said


def test_planted_differences_are_found_with_their_size(tmp_path: Path, compared: Callable[..., Any]) -> None:
    heavy = replace(TENSORFLOW, memory=300 * MIB, frames=500.0, latency=0.02, growth=600 * MIB)
    body = compared(planted(tmp_path, "a", both(6, tensorflow=heavy)), "--by", "framework")
    assert [side["name"] for side in body["sides"]] == ["torch", "tensorflow"]
    memory, speed = overall(body, "steady_memory"), overall(body, "throughput")
    assert (memory["answer"], memory["worth"]) == ("higher", "worse")
    assert memory["relative"]["value"] == pytest.approx(0.5, abs=0.01)
    assert memory["relative"]["ci95"][0] < 0.5 < memory["relative"]["ci95"][1]
    assert memory["second"]["value"] == pytest.approx(200 * MIB, rel=0.02)
    assert (speed["answer"], speed["worth"]) == ("lower", "worse")
    assert speed["relative"]["value"] == pytest.approx(-0.5, abs=0.01)
    assert overall(body, "latency_p50")["relative"]["value"] == pytest.approx(1.0, abs=0.02)
    growth = overall(body, "growth_per_hour")
    assert growth["answer"] == "higher"
    assert growth["absolute"]["value"] == pytest.approx(600 * MIB, rel=0.01)
    assert "throughput 50 % lower" in body["sentence"]
    assert memory["pairs"] == 6


def test_a_row_says_where_its_latency_is_of_means(
    tmp_path: Path, compared: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of records that do not tell their steps; one such record is enough, as all are read alike."""
    new = [replace(trial, p99=0.05 + 0.05 * (trial.framework == "tensorflow")) for trial in both(6)]
    body = compared(planted(tmp_path, "new", new), "--by", "framework")
    (group,) = body["comparisons"][0]["groups"]
    assert (group["sources"]["latency_p50"], group["sources"]["latency_p99"]) == ("beats", "steps")
    assert overall(body, "latency_p99")["relative"]["value"] == pytest.approx(1.0)
    assert "latency p99 2 times" in body["sentence"]
    assert "latency p50 of means of a second" in body["sentence"]
    mixed = planted(tmp_path, "mixed", [*new[:-1], replace(new[-1], p99=None)])
    assert overall(compared(mixed, "--by", "framework"), "latency_p99")["answer"] == "alike"
    page = tmp_path / "c.html"
    assert main(["compare", str(mixed), "--by", "framework", "--html", str(page)]) == 0
    assert "latency p99 of means" in capsys.readouterr().out
    assert page.read_text().count("latency p99 of means of a second") >= 4, "sentence, chart and both tables"


def test_what_is_alike_is_called_so_and_passes(tmp_path: Path, compared: Callable[..., Any]) -> None:
    run = planted(tmp_path, "a", both(6))
    body = compared(run, "--measure", "steady memory", "--measure", "throughput", "--fail-if-worse")
    assert {overall(body, name)["answer"] for name in ("steady_memory", "throughput")} == {"alike"}
    assert "Alike, to within 5 %: steady memory and throughput" in body["sentence"]
    assert body["notes"] == ["tensorflow is not worse than torch by more than the margin"]


def test_worse_beyond_the_margin_fails_and_within_it_does_not(tmp_path: Path, compared: Callable[..., Any]) -> None:
    before = [varied(PlantedTrial(seed=n), n, 0) for n in range(1, 7)]
    after = [varied(PlantedTrial(seed=n, memory=220 * MIB), n, 1) for n in range(1, 7)]
    old, new = planted(tmp_path, "old", before), planted(tmp_path, "new", after)
    asked = ("--measure", "steady memory", "--fail-if-worse")
    body = compared(old, new, *asked, code=1)
    assert body["by"] == "run"
    assert "new is worse than old by more than the margin: steady memory" in body["notes"]
    compared(old, new, *asked, "--margin", "20%")
    compared(new, old, *asked)
    one = planted(tmp_path, "one", after[:1])
    assert "cannot be told: steady memory" in compared(old, one, *asked, code=3)["notes"][0]


def test_a_measure_that_was_asked_for_and_is_not_known_cannot_be_told(
    tmp_path: Path, compared: Callable[..., Any]
) -> None:
    run, invalid = planted(tmp_path, "a", both(6)), planted(tmp_path, "b", both(6), verdict="invalid")
    asked = ("--fail-if-worse", "--by", "framework", "--measure", "steady memory", "--measure")
    assert "cannot be told: peak memory of the GPU" in compared(run, *asked, "gpu memory", code=3)["notes"][0]
    assert "cannot be told: leak probability" in compared(invalid, *asked, "leaks", code=3)["notes"][1]
    assert "leak probability" in compared(invalid, "--by", "framework", "--fail-if-worse", code=3)["notes"][1]
    compared(run, *asked, "throughput")


def test_a_run_that_is_given_twice_counts_once(tmp_path: Path, compared: Callable[..., Any]) -> None:
    run = planted(tmp_path, "a", both(4))
    shutil.copytree(run, tmp_path / "copy of a")
    once = overall(compared(run, "--by", "framework"), "steady_memory")
    for paths in ((run, run), (tmp_path,), (tmp_path, run)):
        body = compared(*paths, "--by", "framework")
        assert overall(body, "steady_memory") == once
        assert "a was given more than once: it counts once" in body["notes"]


def test_sides_may_differ_in_capitals_alone(tmp_path: Path, compared: Callable[..., Any]) -> None:
    light, heavy = both(4, TENSORFLOW), both(4, replace(TENSORFLOW, memory=300 * MIB))
    paths = planted(tmp_path / "one", "New", light), planted(tmp_path / "two", "new", heavy)
    body = compared(*paths, "--claim", "new memory higher than New", "--claim", "New memory lower than new")
    assert [claim["answer"] for claim in body["claims"]] == ["supported", "supported"]


def test_what_is_several_times_as_high_has_an_interval_in_times(tmp_path: Path, compared: Callable[..., Any]) -> None:
    factors = (1.2, 2.0, 3.0, 2.2, 3.5, 2.5)
    trials = [PlantedTrial(name, seed, memory=200 * MIB * (1 if name == "torch" else more))
              for seed, more in enumerate(factors) for name in ("torch", "tensorflow")]  # fmt: skip
    sentence = compared(planted(tmp_path, "a", trials), "--measure", "steady memory")["sentence"]
    assert re.search(r"steady memory 2\.\d+ times as high \(1\.\d+ to 3\.\d+ times\)", sentence), sentence


def test_sides_swapped_give_the_mirrored_answer(tmp_path: Path, compared: Callable[..., Any]) -> None:
    old = planted(tmp_path, "old", [varied(PlantedTrial(seed=n), n, 0) for n in range(1, 6)])
    new = planted(tmp_path, "new", [varied(PlantedTrial(seed=n, memory=260 * MIB), n, 1) for n in range(1, 6)])
    one, other = overall(compared(old, new), "steady_memory"), overall(compared(new, old), "steady_memory")
    assert (one["answer"], other["answer"]) == ("higher", "lower")
    assert (one["first"], one["second"]) == (other["second"], other["first"])
    assert one["adjusted_p"] == other["adjusted_p"]
    assert 1 + one["relative"]["value"] == pytest.approx(1 / (1 + other["relative"]["value"]))


@pytest.mark.parametrize(
    ("claim", "answer", "code"),
    [
        ("tensorflow throughput 40% lower than torch", "supported", 0),
        ("tensorflow throughput 62% lower than torch", "refuted", 1),
        ("tensorflow lower than torch", "undecided", 3),
        ("TensorFlow slower than Torch", "supported", 0),
    ],
)
def test_claims_are_answered(tmp_path: Path, compared: Callable[..., Any], claim: str, answer: str, code: int) -> None:
    run = planted(tmp_path, "a", both(6, tensorflow=replace(TENSORFLOW, frames=500.0)))
    body = compared(run, "--by", "framework", "--claim", claim, code=code)
    (told,) = body["claims"]
    assert (told["text"], told["answer"]) == (claim, answer)
    assert told["reason"]
    assert body["sentence"].startswith(f"{answer.capitalize()}: “{claim}”.")


def test_growth_per_step_too_slow_to_count_is_alike_and_no_worse(tmp_path: Path, compared: Callable[..., Any]) -> None:
    """Half a MiB an hour more, at a million steps an hour in one side and at four in the other."""
    torch, tensorflow = PlantedTrial(steps=1e6 / 3600), replace(TENSORFLOW, steps=4e6 / 3600, growth=0.5 * MIB)
    asked = ("--by", "framework", "--measure", "growth per step", "--fail-if-worse")
    body = compared(planted(tmp_path, "a", both(5, torch, tensorflow)), *asked)
    found = overall(body, "growth_per_step")
    assert (found["answer"], found["nothing"]) == ("alike", pytest.approx(MIB / 4e6))
    faster = replace(tensorflow, steps=16e6 / 3600)
    worse = overall(compared(planted(tmp_path, "b", both(5, torch, faster)), *asked, code=1), "growth_per_step")
    assert (worse["answer"], worse["nothing"]) == ("higher", pytest.approx(MIB / 16e6))


def test_leaks_of_one_side_are_told(tmp_path: Path, compared: Callable[..., Any]) -> None:
    leaky = replace(TENSORFLOW, leaks=0.999, verdict="leak", growth=600 * MIB)
    body = compared(planted(tmp_path, "a", both(12, tensorflow=leaky)))
    found = overall(body, "leak_probability")
    assert (found["answer"], found["worth"]) == ("higher", "worse")
    assert found["first"]["value"] > 0.8
    assert found["second"]["value"] < 0.2


def test_like_is_paired_with_like_and_one_kind_a_side_is_told(tmp_path: Path, compared: Callable[..., Any]) -> None:
    graph = replace(TENSORFLOW, execution="graph", memory=400 * MIB)
    trials = [*both(3), *(replace(trial, execution="graph", seed=n) for n in (1, 2, 3) for trial in (graph,))]
    body = compared(planted(tmp_path, "a", trials), "--by", "framework")
    assert overall(body, "steady_memory")["answer"] == "alike", "graph has no partner in torch"
    assert "only tensorflow has such a block: 3 trials" in body["left_out"]
    alone = compared(planted(tmp_path, "b", both(3, tensorflow=graph)), "--by", "framework")
    assert overall(alone, "steady_memory")["answer"] == "higher"
    assert {"name": "execution", "first": ["graph"], "second": ["eager"]} in alone["comparisons"][0]["unequal"]


def test_settings_that_differ_besides_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = {"TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": ""}
    run = planted(tmp_path, "a", both(2, tensorflow=replace(TENSORFLOW, told=told)))
    assert main(["compare", str(run), "--by", "framework"]) == 0
    said = capsys.readouterr().out
    assert "they also differ in: TF_ENABLE_ONEDNN_OPTS: 0 in tensorflow, not set in torch\n" in said


def test_settings_that_a_framework_tells_of_itself_are_said(tmp_path: Path, compared: Callable[..., Any]) -> None:
    one, other = ({"onednn": "on", "inter_op_threads": "1", "tf32": "off"},
                  {"onednn": "off", "inter_op_threads": "2", "tf32": "on"})  # fmt: skip
    sides = [
        replace(side, told={f"{side.framework}_{name}": value for name, value in told.items()})
        for side, told in ((PlantedTrial(), one), (TENSORFLOW, other))
    ]
    body = compared(planted(tmp_path, "a", both(2, *sides)), "--by", "framework")
    unequal = {fact["name"]: (fact["first"], fact["second"]) for fact in body["comparisons"][0]["unequal"]}
    assert unequal == {
        "oneDNN": (["off"], ["on"]), "inter-op threads": (["2"], ["1"]), "TensorFloat-32": (["on"], ["off"]),
    }  # fmt: skip
    alike = [replace(sides[0], told={"torch_onednn": "on"}), replace(sides[1], told={"tensorflow_onednn": "on"})]
    (tmp_path / "more").mkdir()
    body = compared(planted(tmp_path / "more", "b", both(2, *alike)), "--by", "framework")
    assert body["comparisons"][0]["unequal"] == []


def test_blocks_are_never_mixed(tmp_path: Path, compared: Callable[..., Any]) -> None:
    small, large = {"stream": {"height": 32}}, {"stream": {"height": 256}}
    trials = [replace(t, settings=s, memory=t.memory * k) for s, k in ((small, 1), (large, 4)) for t in both(3)]
    body = compared(planted(tmp_path, "a", trials), "--by", "framework")
    titles = [group["title"] for group in body["comparisons"][0]["groups"]]
    assert sorted(titles) == ["recurrent infer, stream.height 256", "recurrent infer, stream.height 32"]
    found = [d for d in body["comparisons"][0]["differences"] if d["measure"] == "steady_memory"]
    assert len(found) == 3, "all blocks together, and each kind"
    assert {d["answer"] for d in found} == {"alike"}


def test_what_does_not_count_is_told_one_line_a_kind(tmp_path: Path, compared: Callable[..., Any]) -> None:
    odd = [
        PlantedTrial(seed=21, keys={"expect": "leak"}), PlantedTrial(seed=22, keys={"expect": "pass"}),
        PlantedTrial(seed=23, settings={"confirms": "x"}), PlantedTrial(seed=24, end="interrupted"),
        PlantedTrial(seed=25, keys={"state": "running", "end_reason": ""}), PlantedTrial(seed=26, verdict="invalid"),
        PlantedTrial(seed=27, verdict="error"), PlantedTrial(seed=28),
    ]  # fmt: skip
    run = planted(tmp_path, "a", [*both(3), *odd], ended=None, verdict=None)
    body = compared(run, "--by", "framework")
    assert body["left_out"] == [
        "controls: 2 trials",
        "explain another trial: 1 trial",
        "did not run to the end: 2 trials",
        "their environment broke (invalid): 1 trial",
        "ended in an error: 1 trial",
        "only torch has such a block: 1 trial",
    ]
    assert body["notes"] == ["a is unfinished: what has ended of it counts"]
    assert overall(body, "steady_memory")["pairs"] == 3


def test_a_leak_that_the_alarm_stopped_counts(tmp_path: Path, compared: Callable[..., Any]) -> None:
    stopped = replace(TENSORFLOW, end="stopped", verdict="leak", leaks=0.999)
    body = compared(planted(tmp_path, "a", both(3, tensorflow=stopped)))
    assert overall(body, "leak_probability")["pairs"] == 3


@pytest.mark.parametrize("end", ["crashed", "oom", "hung", "probe_hung", "nan", "failed", "corrupted"])
def test_what_broke_off_is_not_taken_for_light(tmp_path: Path, compared: Callable[..., Any], end: str) -> None:
    """What dies of its memory at the start holds little then: that is no steady memory, and no speed."""
    dead = replace(TENSORFLOW, end=end, verdict="unstable", memory=20 * MIB, frames=9e5, growth=0.0)
    trials = [*both(4), *(varied(replace(side, seed=9), 9, place)
                          for place, side in enumerate((PlantedTrial(), dead)))]  # fmt: skip
    body = compared(planted(tmp_path, "a", trials), "--by", "framework")
    assert {overall(body, name)["answer"] for name in ("steady_memory", "throughput", "latency_p50")} == {"alike"}
    pairs = {one["measure"]: one["pairs"] for one in body["comparisons"][0]["differences"]}
    assert {pairs[name] for name in ("leak_probability", "peak_memory", "restarts")} == {5}
    assert {pairs[name] for name in ("growth_per_hour", "steady_memory", "memory_variation", "throughput")} == {4}
    values = [trial["values"] for trial in body["comparisons"][0]["trials"] if trial["side"] == "tensorflow"]
    assert sum(value["restarts"] for value in values) == 1


def test_where_a_control_failed_no_probability_counts(tmp_path: Path, compared: Callable[..., Any]) -> None:
    body = compared(planted(tmp_path, "a", both(3), verdict="invalid"))
    measures = {d["measure"] for d in body["comparisons"][0]["differences"]}
    assert "leak_probability" not in measures
    assert "steady_memory" in measures
    assert body["notes"] == ["a is invalid, as a control was judged wrong: its leak probabilities do not count"]


def test_versions_of_one_run_are_sides_the_older_first(tmp_path: Path, compared: Callable[..., Any]) -> None:
    new = PlantedTrial(version="2.10", memory=260 * MIB)
    trials = both(4, torch=new, tensorflow=PlantedTrial(version="2.9"))
    body = compared(planted(tmp_path, "a", trials), "--by", "version")
    assert [side["name"] for side in body["sides"]] == ["2.9", "2.10"]
    assert overall(body, "steady_memory")["relative"]["value"] == pytest.approx(0.3, abs=0.01)
    assert body["comparisons"][0]["unequal"] == []
    assert compared(tmp_path / "a")["by"] == "version", "found without --by"


def test_other_versions_that_differ_are_said(tmp_path: Path, compared: Callable[..., Any]) -> None:
    """Two environments seldom differ in the framework alone: what numpy brought is not to be put down to it."""
    old = PlantedTrial(version="2.0", told={"numpy": "1.26.4", "cuda": "12.1"})
    new = PlantedTrial(version="2.1", told={"numpy": "2.0.0", "cuda": "12.1"})
    trials = [varied(replace(side, seed=n), n, place) for n in range(3) for place, side in enumerate((old, new))]
    body = compared(planted(tmp_path, "a", trials), "--by", "version")
    assert [side["name"] for side in body["sides"]] == ["2.0", "2.1"]
    assert body["comparisons"][0]["unequal"] == [
        {"name": "version of numpy", "first": ["2.0.0"], "second": ["1.26.4"]},
    ]


def test_where_versions_of_the_framework_are_equal_another_names_the_sides(
    tmp_path: Path, compared: Callable[..., Any]
) -> None:
    old, new = (PlantedTrial(told={"numpy": numpy, "libc": libc}) for numpy, libc in (("1.26.4", "a"), ("2.0.0", "b")))
    trials = [varied(replace(side, seed=n), n, place) for n in range(3) for place, side in enumerate((old, new))]
    body = compared(planted(tmp_path, "a", trials), "--by", "version")
    named = {side["name"].partition("-")[0] for side in body["sides"]}
    (told,) = body["comparisons"][0]["unequal"]
    assert {told["name"].removeprefix("version of "), *named} == {"numpy", "libc"}


def test_versions_of_two_frameworks_are_never_mixed(tmp_path: Path, compared: Callable[..., Any]) -> None:
    trials = [*both(2), *both(2, PlantedTrial(version="2.1"), replace(TENSORFLOW, version="2.17"))]
    body = compared(planted(tmp_path, "a", trials), "--by", "version")
    pairs = [(one["first"], one["second"]) for one in body["comparisons"]]
    assert pairs == [("tensorflow-2.17", "tensorflow-2.16"), ("torch-2.1", "torch-2.0")]


@pytest.mark.parametrize(("by", "fact", "names"), [("node", "host", ("one", "two")),
                                                   ("commit", "commit", ("a" * 12, "b" * 12))])  # fmt: skip
def test_a_folder_of_runs_is_compared_by_what_they_ran_on(
    tmp_path: Path, compared: Callable[..., Any], by: str, fact: str, names: tuple[str, str]
) -> None:
    for n, (run_id, value) in enumerate((("r1", names[0]), ("r2", names[1]), ("r3", ""))):
        told = {"cpu": "a processor", **({fact: value * (4 if by == "commit" else 1)} if value else {})}
        mine = [varied(PlantedTrial(seed=k), k, n) for k in range(3)]
        planted(tmp_path / "runs", run_id, mine, environment=told, started=1.7e9 + n)
    body = compared(tmp_path / "runs", "--by", by)
    assert [side["name"] for side in body["sides"]] == list(names)
    assert body["left_out"] == [f"no {by} recorded: 3 trials"]
    assert overall(body, "steady_memory")["pairs"] == 3


def test_executions_are_each_held_against_eager_and_corrected_together(
    tmp_path: Path, compared: Callable[..., Any]
) -> None:
    kinds = {"graph": 240, "xla": 280, "eager": 200}
    trials = [varied(PlantedTrial("tensorflow", n, kind, memory=mib * MIB), n, len(kind))
              for kind, mib in kinds.items() for n in range(5)]  # fmt: skip
    body = compared(planted(tmp_path, "a", trials), "--measure", "steady memory")
    assert [(one["first"], one["second"]) for one in body["comparisons"]] == [("graph", "eager"), ("xla", "eager")]
    assert [overall(body, "steady_memory", place)["relative"]["value"] for place in (0, 1)] == [
        pytest.approx(0.2, abs=0.01), pytest.approx(0.4, abs=0.01),
    ]  # fmt: skip
    found = sorted((overall(body, "steady_memory", place) for place in (0, 1)), key=lambda d: d["p"])
    assert found[0]["adjusted_p"] == pytest.approx(2 * found[0]["p"])


def test_more_trials_that_would_tell_are_told_for_all_sides_at_once(
    tmp_path: Path, compared: Callable[..., Any]
) -> None:
    """Graph alone is told from eager; beside eight more executions it takes more trials, and with so many it is."""
    shares = [1.0, 1.14, 1.01, 1.13, 1.10, 1.04]

    def run(name: str, kinds: tuple[str, ...], times: int = 1) -> dict[str, Any]:
        trials = [PlantedTrial("tensorflow", n, kind, memory=200 * MIB * (share if kind == "graph" else 1.0))
                  for n, share in enumerate(shares * times) for kind in ("eager", *kinds)]  # fmt: skip
        body = compared(planted(tmp_path, name, trials), "--by", "execution", "--measure", "steady memory")
        place = [one["first"] for one in body["comparisons"]].index("graph")
        return overall(body, "steady_memory", place)

    others = tuple(f"kind{n}" for n in range(8))
    alone, among = run("a", ("graph",)), run("b", ("graph", *others))
    assert alone["answer"] == "higher"
    assert among["answer"] == "undecided"
    assert among["further"] > 0
    assert run("c", ("graph", *others), -(-(6 + among["further"]) // 6))["answer"] == "higher"


def test_one_pair_says_to_repeat(tmp_path: Path, compared: Callable[..., Any]) -> None:
    body = compared(planted(tmp_path, "a", both(1)), "--measure", "steady memory")
    assert (
        "cannot tell; a single pair gives no interval, so run each side several times (`repeats`)" in body["sentence"]
    )
    assert overall(body, "steady_memory")["relative"] is None or (
        overall(body, "steady_memory")["relative"]["ci95"] is None
    )


def test_errors_say_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, other = planted(tmp_path, "a", both(2)), planted(tmp_path, "b", [PlantedTrial(seed=9)])
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "expected a run folder, which has a record.sqlite" in failed(capsys, empty)
    assert "no run folder; expected one" in failed(capsys, tmp_path / "gone")
    said = failed(capsys, run, "--by", "execution")
    assert "--by execution: all 4 trials have eager; expected at least two sides" in said
    assert "no trial tells its commit" in failed(capsys, run, "--by", "commit")
    assert "seed (9 against " in failed(capsys, run, other), "what to set equal"
    assert "a is in" in failed(capsys, run, run)
    assert "did you mean `tensorflow`?" in failed(capsys, run, "--claim", "tensorflw lower than torch")
    assert "did you mean `throughput`?" in failed(capsys, run, "--claim", "tensorflow troughput lower than torch")
    assert "did you mean" in failed(capsys, run, "--measure", "steady memorie")
    for words in ("speed of steps", "step_speed", "size of the program"):
        assert "is told by `soak claims` alone" in failed(capsys, run, "--measure", words)
    assert "is told by `soak claims` alone" in failed(capsys, run, "--claim", "tensorflow step_speed higher than torch")
    assert "expected two different sides" in failed(capsys, run, "--claim", "torch lower than torch")
    assert "expected a file in a folder that exists" in failed(capsys, run, "--html", tmp_path / "no" / "x.html")
    assert "expected a file in a folder that exists" in failed(capsys, run, "--html", tmp_path)
    assert "no trial of it has ended" in failed(capsys, run, planted(tmp_path, "c", [PlantedTrial(end="lost")]))
    assert "give another run" in failed(capsys, other)


def test_a_record_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, broken = planted(tmp_path / "runs", "a", both(2)), tmp_path / "runs" / "broken"
    broken.mkdir()
    (broken / "record.sqlite").write_bytes(b"no database" * 100)
    said = failed(capsys, run, broken)
    assert "broken" in said
    assert "this run cannot be compared: give another" in said
    assert main(["compare", str(tmp_path / "runs"), "--by", "framework"]) == 0, "in a folder of runs the others count"
    assert "note: broken is left out: " in capsys.readouterr().out


@pytest.mark.parametrize("margin", ["0", "100", "-3", "x"])
def test_a_margin_is_a_share(tmp_path: Path, capsys: pytest.CaptureFixture[str], margin: str) -> None:
    with pytest.raises(SystemExit):
        main(["compare", str(tmp_path), f"--margin={margin}"])
    assert "expected a number of per cent between 0 and 100" in capsys.readouterr().err


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_terminal_of_any_width_shows_all_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    heavy = replace(TENSORFLOW, memory=300 * MIB)
    run = planted(tmp_path, "a", both(4, tensorflow=heavy))
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["compare", str(run)]) == 0
    said = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    for text in (
        "steady memory",
        "300 MiB",
        "+50 %",
        "higher: worse",
        "throughput",
        "probability of a restart",
        "0 of 4",
    ):
        assert text in said
    tables = said.partition("recurrent infer")[2].partition("95 % intervals")[0]
    assert max(map(len, tables.splitlines())) <= width


class _Page(HTMLParser):
    """Counts elements, and keeps what pictures are called."""

    def __init__(self) -> None:
        super().__init__()
        self.labels: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.labels += [value or "" for name, value in attrs if name == "aria-label" and tag == "svg"]


def test_the_page_has_a_picture_of_each_difference_and_no_script(tmp_path: Path) -> None:
    heavy = replace(TENSORFLOW, memory=300 * MIB, execution="<b>")
    run, path = planted(tmp_path, "a", both(4, tensorflow=heavy)), tmp_path / "page.html"
    assert main(["compare", str(run), "--html", str(path), "--claim", "tensorflow memory higher than torch"]) == 0
    text = path.read_text()
    page = _Page()
    page.feed(text)
    assert "script" not in page.tags
    assert "http" not in text.replace("http-equiv", ""), "it asks the network for nothing"
    assert "<b>" not in text
    assert any(
        label.startswith("steady memory: tensorflow against torch +50 %, 95 % interval +") for label in page.labels
    )
    assert "Supported: “tensorflow memory higher than torch”" in text
