"""Claims: read from a file, held against trials of known truth, told with their reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import reports
from monitors.detection.series import Series
from monitors.model import Event, MetricSpec
from reports import claims_page
from reports.record import RunInfo, TrialInfo
from soak import cli
from soak.claims import answers, document, running, sides, tables
from soak.claims.trials import ClaimTrial, doses_of, more, step_speed
from soak.compare.agreed import TrialReading
from soak.errors import ConfigError
from soak.plan.block import COMMAND
from soak.plan.overrides import Overrides
from tests.comparing import planted as planted_run

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = [CONFIGS / "claims.toml", CONFIGS / "claims-gpu.toml"]
SHORT = """
[experiment.speed]
run = { duration = "10 s", repeats = 3 }
[[experiment.speed.trial]]
workload = "recurrent"
framework = "tensorflow"
execution = ["graph", "xla"]
[[claim]]
name = "gain"
says = "XLA is 23 % faster"
experiment = "speed"
holds = ["xla step_speed 23% higher than graph"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text)
    return path


def trial(
    execution: str, seed: int, device: str = "cpu", run_id: str = "own-speed-1", settings: Mapping[str, Any] = {},
    others: float | None = None, **values: float,
) -> ClaimTrial:  # fmt: skip
    run = RunInfo(run_id, "own-speed", "1", "", "", "", 1, 1.7e9, 1.7e9, "pass", "", {"cpus": "2", "cpu": "a CPU"})
    name = f"recurrent-tensorflow-{execution}-{seed}"
    info = TrialInfo(
        seed, name, "recurrent", "tensorflow", "infer", execution, seed, "b", "a", "ended", device, seconds=30.0,
        settings=settings,
    )  # fmt: skip
    readings = {measure: {"steps": TrialReading(value)} for measure, value in values.items()}
    return ClaimTrial(run, info, readings, {"frames": 1600.0}, others)


def trials(**speeds: tuple[float, ...]) -> list[ClaimTrial]:
    return [trial(name, seed, step_speed=one) for name, all_ in speeds.items() for seed, one in enumerate(all_)]


def claim(folder: Path, more: str = "") -> tables.CheckedClaim:
    return tables.load(written(folder, SHORT + more)).claims[0]


# ---- files


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_claim_that_comes_with_soak_has_trials_on_both_sides(path: Path) -> None:
    file = tables.load(path)
    for checked in file.claims:
        plan = tables.plan_of(path, file.experiments[checked.table.experiment])
        assert {one.spec.framework for one in plan} <= {"torch", "tensorflow", "none"}
        made = [planned(one) for one in plan]
        asked = [side for one in checked.statements for side in (one.first, one.second) if side]
        asked += [side for first, _, second in checked.beside for side in (first, second)]
        for side in asked:
            assert sides.of_side(checked, made, side), f"{checked.table.name}: no trial is of {side}"


def planned(one: Any) -> ClaimTrial:
    spec = one.spec
    info = TrialInfo(
        0, one.name, spec.workload, spec.framework, spec.mode, spec.execution, spec.seed, "", "", "planned"
    )
    return ClaimTrial(trial("graph", 0).run, info, {}, {})


def test_the_claims_on_two_cores_are_answered_in_less_than_half_an_hour() -> None:
    file = tables.load(FILES[0])
    told = [running.estimated(file, one, Overrides()).seconds for one in file.experiments.values()]
    assert None not in told
    assert sum(filter(None, told)) < 30 * 60


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('experiment = "speed"', "expected one of speed"),
        ("xla step_speed 23% higher than graph", "expected a measure"),
        ("[[claim]]", "unknown key: did you mean 'claim'?"),
        ('says = "XLA', "unknown key: did you mean 'says'?"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(wrong: str, said: str, tmp_path: Path) -> None:
    right = {
        'experiment = "speed"': 'experiment = "sped"',
        "xla step_speed 23% higher than graph": "xla sped 23% higher than graph",
        "[[claim]]": "[[clam]]",
        'says = "XLA': 'say = "XLA',
    }
    with pytest.raises(ConfigError, match=said.replace("[", r"\[").replace("]", r"\]").replace("?", r"\?")):
        tables.load(written(tmp_path, SHORT.replace(wrong, right[wrong])))


def test_how_long_it_takes_is_told_by_the_plan_or_by_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, SHORT)
    file = tables.load(path)
    told = running.estimated(file, file.experiments["speed"], Overrides())
    assert (told.trials, told.parallel, told.seconds) == (6, 1, 6 * (10 + running.START))
    timed = tables.load(written(tmp_path, SHORT.replace("[experiment.speed]\n", "[experiment.speed]\nminutes = 4\n")))
    assert running.estimated(timed, timed.experiments["speed"], Overrides()).seconds == 240
    shorter = running.estimated(timed, timed.experiments["speed"], Overrides((), "1 s"))
    assert shorter.seconds == 6 * (1 + running.START)


def test_an_experiment_for_cards_is_not_begun_without_any(tmp_path: Path) -> None:
    file = tables.load(written(tmp_path, SHORT + "cards = 2\n"))
    experiment = file.experiments["speed"]
    assert running.lacking(file, experiment, 1) == "It was not run: it needs 2 GPUs, and this machine has 1."
    assert running.lacking(file, experiment, 2) == ""
    shown = tables.load(written(tmp_path, SHORT.replace("repeats = 3", 'repeats = 3, device = "cpu"') + "cards = 2\n"))
    assert running.lacking(shown, shown.experiments["speed"], 0) == ""


# ---- answers


def test_a_claim_is_supported_refuted_or_undecided_by_what_was_measured(tmp_path: Path) -> None:
    graph = (10.0, 10.1, 9.9, 10.0)
    for xla, said in (((14.0, 14.1, 13.9, 14.05), "supported"), ((10.1, 10.0, 9.8, 10.2), "refuted"),
                      ((12.8, 14.5, 11.9, 13.4), "undecided")):  # fmt: skip
        verdict = answers.answer(claim(tmp_path), trials(xla=xla, graph=graph))
        assert verdict.answer == said, verdict.reason
        assert verdict.reason.endswith(".")
        assert ("more trials a side" in verdict.brief) == (said == "undecided")
        assert ("Whether it is 23 % higher or more cannot be told." in verdict.brief) == (said == "undecided")
        assert verdict.here is None
        (one,) = verdict.statements
        assert [side.name for side in one.sides] == ["xla", "graph"]
        assert one.sides[0].estimate.value == pytest.approx(np.exp(np.mean(np.log(xla))))


def test_trials_are_paired_by_seed_although_their_blocks_differ(tmp_path: Path) -> None:
    """Both sides vary tenfold over seeds; within a pair the first is always 1.3 times as fast."""
    graph = (1.0, 10.0, 3.0, 5.0)
    verdict = answers.answer(claim(tmp_path), trials(xla=tuple(1.3 * one for one in graph), graph=graph))
    assert verdict.answer == "supported"
    assert verdict.statements[0].difference is not None
    assert verdict.statements[0].difference.pairs == 4


def test_all_statements_have_to_hold(tmp_path: Path) -> None:
    both = SHORT.replace('graph"]\n', 'graph", "xla step_speed at most 2 /s"]\n')
    fast = trials(xla=(14.0, 14.1, 13.9), graph=(10.0, 10.1, 9.9))
    checked = tables.load(written(tmp_path, both)).claims[0]
    assert answers.answer(checked, fast).answer == "refuted"
    assert [one.result.answer for one in answers.answer(checked, fast).statements if one.result] == [
        "supported",
        "refuted",
    ]


CARD, TWO = {"gpu": {"model": "a card"}}, "cuda:0,cuda:1"


def on_cards(execution: str, speeds: tuple[float, ...], device: str = TWO, run_id: str = "cards-1") -> list[ClaimTrial]:
    return [trial(execution, seed, device, run_id, CARD, step_speed=one) for seed, one in enumerate(speeds)]


def test_what_no_trial_here_can_answer_stays_undecided_and_is_shown_all_the_same(tmp_path: Path) -> None:
    fast = trials(xla=(14.0, 14.1, 13.9), graph=(10.0, 10.1, 9.9))
    two = answers.answer(claim(tmp_path, "cards = 2\n"), fast)
    assert (two.answer, two.reason) == ("undecided", "It is about 2 GPUs, and these trials had none.")
    assert two.here == "supported"
    assert two.statements[0].sides
    never = answers.answer(claim(tmp_path, 'unanswerable = "Nobody knows the model."\n'), fast)
    assert (never.answer, never.reason, never.here) == ("undecided", "Nobody knows the model.", "supported")
    there = [*on_cards("xla", (14.0, 14.1, 13.9)), *on_cards("graph", (10.0, 10.1, 9.9), "cuda:0")]
    found = answers.answer(claim(tmp_path, "cards = 2\n"), there)
    assert (found.answer, found.here) == ("supported", None), "one side of a run may have fewer"


def test_what_is_open_here_too_says_why(tmp_path: Path) -> None:
    found = answers.answer(claim(tmp_path, "cards = 1\n"), trials(xla=(12.8, 14.5, 11.9), graph=(10.0, 10.1, 9.9)))
    assert (found.answer, found.here) == ("undecided", "undecided")
    assert (
        found.brief == "It is about a GPU, and these trials had none. Whether it is 23 % higher or more cannot be told."
    )
    assert "more trials" not in found.reason, "more of them would not settle it"


def test_a_dose_that_trials_did_not_have_leaves_it_undecided(tmp_path: Path) -> None:
    """Three trials a side of 1,600 frames are 0.0533 hours at 25 frames a second."""
    fast = trials(xla=(14.0, 14.1, 13.9), graph=(10.0, 10.1, 9.9))
    found = answers.answer(claim(tmp_path, "hours = 0.06\n"), fast)
    assert found.reason == "It is about 0.06 hours of video, and a side of these trials had 0.0533."
    assert (found.answer, found.here) == ("undecided", "supported")
    assert answers.answer(claim(tmp_path, "hours = 0.053\n"), fast).answer == "supported"
    one_side = [one for one in fast if one.info.execution == "xla" or one.info.seed == 0]
    assert answers.answer(claim(tmp_path, "hours = 0.053\n"), one_side).answer == "undecided"


def test_one_trial_on_cards_opens_no_gate_for_those_on_the_processor(tmp_path: Path) -> None:
    fast = trials(xla=(14.0, 14.1, 13.9), graph=(10.0, 10.1, 9.9))
    mixed = [*fast, *on_cards("xla", (14.0,))]
    found = answers.answer(claim(tmp_path, "cards = 1\n"), mixed)
    assert (found.answer, found.reason) == ("undecided", "It is about a GPU, and these trials had none.")


def test_trials_on_unlike_devices_are_never_pooled(tmp_path: Path) -> None:
    """Cards are a hundred times as fast; on either device the first side is 1.3 times as fast as the second."""
    graph, cards_graph = (10.0, 10.1, 9.9), (1000.0, 1010.0, 990.0)
    both = [*trials(xla=tuple(1.3 * one for one in graph), graph=graph),
            *on_cards("xla", tuple(1.3 * one for one in cards_graph)), *on_cards("graph", cards_graph)]  # fmt: skip
    (one,) = answers.answer(claim(tmp_path), both).statements
    told = {side.name: side.estimate.value for side in one.sides}
    assert told == pytest.approx({"xla on a CPU": 13, "graph on a CPU": 10, "xla on a card": 1300,
                                  "graph on a card": 1000}, rel=0.01)  # fmt: skip
    assert one.difference is not None
    assert one.difference.relative is not None
    assert one.difference.relative.value == pytest.approx(0.3, abs=0.01)
    alone = [*trials(xla=(13.0, 13.1, 12.9)), *on_cards("graph", (10.0, 10.1, 9.9))]
    (split,) = answers.answer(claim(tmp_path), alone).statements
    assert split.difference is None, "a side on the processor is not set against one on cards"


def test_a_figure_has_to_hold_on_every_device(tmp_path: Path) -> None:
    bound = SHORT.replace("xla step_speed 23% higher than graph", "xla step_speed at least 100 /s")
    both = [*trials(xla=(13.0, 13.1, 12.9)), *on_cards("xla", (1300.0, 1310.0, 1290.0))]
    checked = tables.load(written(tmp_path, bound)).claims[0]
    assert answers.answer(checked, both).answer == "refuted"
    assert answers.answer(checked, both[3:]).answer == "supported"


def test_in_what_else_the_trials_of_a_pair_differ_is_told(tmp_path: Path) -> None:
    own = {"MALLOC_ARENA_MAX": "1", "MY_TOKEN": "***", "RANK": "***"}
    wide, narrow = ({"stream": {"options": {"height": height}}, "threads": 2, "env": env}
                    for height, env in ((64, own), (32, {})))  # fmt: skip
    made = [trial(name, seed, settings=settings, step_speed=10.0 + seed)
            for name, settings in (("xla", wide), ("graph", narrow)) for seed in range(3)]  # fmt: skip
    (one,) = answers.answer(claim(tmp_path), made).statements
    assert one.unequal == {
        "MALLOC_ARENA_MAX": (["1"], ["not set"]),
        "MY_TOKEN": (["set"], ["not set"]),
        "stream.options.height": (["64"], ["32"]),
    }
    alike = [trial(name, seed, settings=wide, step_speed=10.0 + seed) for name in ("xla", "graph") for seed in range(3)]
    (same,) = answers.answer(claim(tmp_path), alike).statements
    assert same.unequal == {}, "the executions are what the sides are called by"


def test_of_processes_that_are_other_ones_only_the_number_is_told(tmp_path: Path) -> None:
    ranks: list[dict[str, Any]] = [
        {"name": f"rank {at}", "command": ["/here/python"], "order": {"seed": at}} for at in (0, 1)
    ]
    other = [{**ranks[0], "order": {"seed": 7}}, ranks[1]]
    for first, second, told in ((ranks, None, {"processes": (["2"], ["1"])}),
                                (ranks, other, {"rank 0.order.seed": (["0"], ["7"])})):  # fmt: skip
        made = [trial(name, seed, settings={"members": members} if members else {}, step_speed=10.0 + seed)
                for name, members in (("xla", first), ("graph", second)) for seed in range(3)]  # fmt: skip
        assert answers.answer(claim(tmp_path), made).statements[0].unequal == told


def test_without_a_run_it_is_undecided_with_the_reason(tmp_path: Path) -> None:
    verdict = answers.answer(claim(tmp_path), [], "It was not run.")
    assert (verdict.answer, verdict.reason, verdict.statements) == ("undecided", "It was not run.", ())


def test_at_least_so_much_higher_is_the_same_claim(tmp_path: Path) -> None:
    plain = claim(tmp_path).statements
    assert (
        tables.load(written(tmp_path, SHORT.replace("23% higher", "at least 23% higher"))).claims[0].statements == plain
    )


def test_a_run_that_is_given_twice_counts_once(tmp_path: Path) -> None:
    file, run = tables.load(written(tmp_path, SHORT)), planted_run(tmp_path, "own-speed-1", [], name="own-speed")
    assert running.recorded(file, [run, run], tmp_path)["speed"].folders == [run]


# ---- measures


def series(name: str, t: np.ndarray, values: np.ndarray, member: str = "") -> Series:
    return Series(MetricSpec(name, "count", name, counter=True), "", t, values, member=member)


def test_speed_is_that_of_the_time_in_steps_once_it_has_settled() -> None:
    """Ten steps a second for 30 s, each 50 ms, and slow ones of 150 ms for a third of the steps that count.

    Before that a first step compiles for 20 s, and then the steps are slow for a while.
    """
    t = np.arange(0.5, 50.5, 0.5)
    steps = np.where(t < 20, 0.0, np.floor((t - 20) * 10) + 1)
    took = np.select([t < 20.5, t < 29, t < 36.5], [20.0, 1.0, 0.15], 0.05)
    both = [series("steps", t, steps), series("step_latency_seconds", t[t >= 20], took[t >= 20])]
    slow = (36.5 - 30) / 20
    assert step_speed(both) == pytest.approx(1 / (slow * 0.15 + (1 - slow) * 0.05), rel=0.05)
    ranks = [series(one.metric.name, one.t, one.values * at, f"rank {at}") for at in (1, 2) for one in both]
    assert step_speed(ranks) == step_speed(both)
    assert step_speed(both[:1]) is None
    assert step_speed([series("steps", t, 0 * t), both[1]]) is None


def test_how_large_a_program_is_comes_from_the_first_event_that_tells_it() -> None:
    events = [Event(1.0, kind, "", 0, 0.0, data) for kind, data in (
        ("answer", {"bytes": 5.0}), ("program_size", {"bytes": 1.5e6}), ("program_size", {"bytes": 2e6}),
    )]  # fmt: skip
    assert more([], events) == {"program_size": {"the first program": TrialReading(1.5e6)}}
    assert more([], events[:1]) == {}


def test_frames_are_counted_in_every_lane() -> None:
    settings, last = {"options": {"batch": 128}}, {"frames": 50_625.0, "steps": 3165.0}
    info = TrialInfo(
        0, "n", "recurrent", "torch", "infer", "eager", 1, "", "", "ended", settings=settings, last_values=last
    )  # fmt: skip
    assert doses_of(info) == {"frames": 72 * 3600 * 25, "steps": 3165.0}


# ---- what is printed


SCHEMA = json.loads((Path(reports.__file__).parent / "schema" / "soak.claims-1.json").read_text())


def page_of(folder: Path, found: list[ClaimTrial], text: str = SHORT) -> tuple[Mapping[str, Any], str]:
    file = tables.load(written(folder, text))
    verdicts = [answers.answer(one, found, "It was not run.") for one in file.claims]
    runs = {name: running.ExperimentRuns(one) for name, one in file.experiments.items()}
    body = document.build([document.FileAnswers(file, verdicts, runs, {})], ["soak claims own.toml --run"])
    jsonschema.validate(body, SCHEMA)
    return body, claims_page.page(body)


def test_the_page_has_a_row_for_every_claim_with_what_was_measured(tmp_path: Path) -> None:
    body, page = page_of(tmp_path, trials(xla=(14.0, 14.1, 13.9), graph=(10.0, 10.1, 9.9)))
    (row,) = [line for line in page.splitlines() if line.startswith("| XLA is")]
    assert "xla 14/s (" in row
    assert "3 trials), graph 10/s (" in row
    assert "40 % higher (" in row
    assert "**supported**" in row
    assert "6 × " not in page
    assert "3 × recurrent tensorflow xla infer" in page
    assert "4,800 frames in all" in page
    assert body["schema"] == "soak.claims/1"
    assert body["files"][0]["claims"][0]["statements"][0]["answer"] == "supported"


def row_of(page: str) -> str:
    (row,) = [line for line in page.splitlines() if line.startswith("| XLA is")]
    return row


def test_a_row_tells_what_the_trials_alone_come_to(tmp_path: Path) -> None:
    body, page = page_of(tmp_path, trials(xla=(14.0, 14.1, 13.9), graph=(10.0, 10.1, 9.9)), SHORT + "cards = 1\n")
    assert row_of(page).endswith("| **undecided** (here: supported): It is about a GPU, and these trials had none. |")
    assert "graph`: here supported. The speed of steps" in page
    assert body["files"][0]["claims"][0]["here"] == "supported"


def test_what_so_few_trials_do_not_tell_is_told_no_nearer_than_ten_times(tmp_path: Path) -> None:
    wild, share = trials(xla=(1.0, 30.0), graph=(3.0, 2.0)), "xla step_speed at least 92% of graph"
    for text in (SHORT, SHORT.replace("xla step_speed 23% higher than graph", share)):
        row = row_of(page_of(tmp_path, wild, text)[1])
        assert "to > 10)" in row or "to > 1,000 %)" in row, row
    assert "has 92 % of graph within it." in row


def test_the_page_says_what_other_programs_took(tmp_path: Path) -> None:
    for others, told in ((0.5, True), (0.1, False), (None, False)):
        made = [trial(name, seed, others=others, step_speed=10.0) for name in ("xla", "graph") for seed in range(3)]
        body, page = page_of(tmp_path, made)
        assert ("Other programs used the machine too while this ran, up to 25 % of its CPUs" in page) == told
        assert bool(body["files"][0]["disturbed"]) == told
        assert ("other programs took" in page) == (others is not None)
    assert "other programs took 25 % of the CPUs" not in page


def test_servers_are_called_by_their_name_and_counted_in_requests(tmp_path: Path) -> None:
    info = TrialInfo(0, "own-server-3", "own-server", "none", COMMAND, "eager", 1, "b", "a", "ended", seconds=20.0)
    one = ClaimTrial(trial("graph", 0).run, info, {}, {"frames": 400.0, "requests": 100.0, "steps": 100.0})
    assert document.dose([one, one]) == "2 × own-server, 20 s each: 200 requests in all"


def test_the_page_tells_what_was_not_run(tmp_path: Path) -> None:
    _, page = page_of(tmp_path, [])
    assert "| XLA is 23 % faster | nothing | **undecided**: It was not run. |" in page
    assert "None of this was run." in page


def test_the_claims_that_the_page_gives_as_an_example_are_read(tmp_path: Path) -> None:
    _, page = page_of(tmp_path, [])
    example = page.partition("```toml\n")[2].partition("```")[0]
    (arenas,) = tables.load(written(tmp_path, example)).claims
    assert arenas.beside == (("one-arena", "step_speed", "as-shipped"),)


def test_the_command_answers_without_a_run_and_refuses_what_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, SHORT)
    assert cli.main(["claims", str(path), "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "--run" in told["files"][0]["claims"][0]["reason"]
    assert cli.main(["claims", str(path), "--claim", "nothing"]) == 2
    assert "there are gain (speed)" in capsys.readouterr().err
    assert cli.main(["claims", str(tmp_path / "none.toml")]) == 2
    assert cli.main(["claims", str(path), str(tmp_path)]) == 2
