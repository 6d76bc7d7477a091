import pytest

from soak.judge.verdict import EXIT_CODES, Expectation, Judged, Verdict, control_passed, judge_run, judge_trial

LEAK = Verdict("leak", "grows 12 MiB/h")
FLAT = Verdict("pass", "flat")


@pytest.mark.parametrize(
    ("end", "shown", "verdict"),
    [
        ("finished", FLAT, "pass"),
        ("finished", LEAK, "leak"),
        ("finished", Verdict("inconclusive", "too short"), "inconclusive"),
        ("finished", None, "inconclusive"),
        ("exhausted", FLAT, "pass"),
        ("crashed", FLAT, "unstable"),
        ("hung", LEAK, "unstable"),
        ("nan", FLAT, "unstable"),
        ("oom", FLAT, "unstable"),
        ("oom", LEAK, "leak"),
        ("failed", None, "unstable"),
        ("broken", None, "error"),
        ("garbled", FLAT, "error"),
        ("wrong_answer", None, "error"),
        ("wrong_answer", LEAK, "error"),
        ("garbled", LEAK, "error"),
        ("interrupted", FLAT, "inconclusive"),
        ("interrupted", LEAK, "leak"),
        ("lost", FLAT, "inconclusive"),
        ("", FLAT, "inconclusive"),
        ("", LEAK, "leak"),
    ],
)
def test_a_trial_is_judged_by_its_end_and_its_series(end: str, shown: Verdict | None, verdict: str) -> None:
    judged = judge_trial(end, "so it was", shown)
    assert judged.verdict == verdict
    assert judged.reason


def test_what_could_not_be_started_is_told_in_the_words_of_who_tried() -> None:
    said = "server: the command could not be started: ./serve: Permission denied"
    assert judge_trial("broken", said, None).reason == said
    assert judge_trial("broken", "", None).reason == "it could not be started"
    assert judge_trial("finished", "", None).reason == "it ended before a sample was taken"


def test_what_was_not_sampled_cannot_pass() -> None:
    unseen = "process 7 left its trial"
    assert judge_trial("finished", "", FLAT, unseen=unseen).verdict == "inconclusive"
    assert judge_trial("finished", "", FLAT, unseen=unseen).reason.startswith(unseen)
    assert judge_trial("finished", "", LEAK, unseen=unseen).verdict == "leak"
    assert judge_trial("crashed", "", FLAT, unseen=unseen).verdict == "unstable"
    assert judge_trial("finished", "", None, unseen=unseen).verdict == "inconclusive"


def test_a_crash_that_leaked_before_says_both() -> None:
    reason = judge_trial("crashed", "SIGSEGV", LEAK).reason
    assert "SIGSEGV" in reason
    assert "12 MiB/h" in reason


@pytest.mark.parametrize(
    ("trials", "verdict"),
    [
        ([("pass", None), ("pass", None)], "pass"),
        ([("pass", None), ("leak", None), ("error", None)], "leak"),
        ([("unstable", None), ("inconclusive", None)], "unstable"),
        ([("error", None), ("inconclusive", None)], "error"),
        ([("inconclusive", None), ("pass", None)], "inconclusive"),
        ([("leak", True), ("pass", None)], "pass"),
        ([("leak", True), ("pass", True)], "pass"),
        ([("pass", False), ("leak", None)], "invalid"),
        ([], "inconclusive"),
    ],
)
def test_a_run_is_no_better_than_its_controls_and_its_worst_trial(
    trials: list[tuple[str, bool | None]], verdict: str
) -> None:
    judged = [Judged(f"t{i}", v, passed, "leak") for i, (v, passed) in enumerate(trials)]
    assert judge_run(judged).verdict == verdict


PLANTED = Judged("control-leak", "leak", True, "leak")
CLEAN = Judged("control-clean", "pass", True, "pass")
HANG = Judged("control-hang", "unstable", True, "unstable")


@pytest.mark.parametrize(
    ("controls", "said"),
    [
        ([PLANTED], "1 control as expected (leaked on purpose)"),
        ([PLANTED, PLANTED], "2 controls as expected (leaked on purpose)"),
        ([PLANTED, CLEAN, PLANTED], "3 controls as expected (2 leaked on purpose, 1 passed)"),
        ([HANG, CLEAN], "2 controls as expected (1 ended as unstable, 1 passed)"),
    ],
)
def test_a_leak_beside_no_leak_is_said_to_be_there_on_purpose(controls: list[Judged], said: str) -> None:
    calm = [Judged(name, "pass", None) for name in "abcd"]
    assert judge_run([*controls, *calm]).reason == f"no leak in 4 trials under test; {said}"
    assert judge_run([*controls, *calm[:1]]).reason == f"no leak in a; {said}"
    assert judge_run(controls).reason == f"no trial was under test; {said}"
    leak = Judged("e", "leak", None)
    assert judge_run([*controls, *calm, leak]).reason == "1 of 5 trials under test leaks: e"


def test_without_controls_nothing_is_said_of_them() -> None:
    assert judge_run([Judged(name, "pass", None) for name in "ab"]).reason == "no leak in 2 trials"
    assert judge_run([Judged("a", "pass", None), Judged("b", "leak", None)]).reason == "1 of 2 trials leaks: b"


def test_an_interrupted_run_cannot_pass_but_can_leak() -> None:
    assert judge_run([Judged("a", "pass", None)], interrupted=True).verdict == "inconclusive"
    assert judge_run([Judged("a", "leak", None)], interrupted=True).verdict == "leak"


def test_a_control_cut_short_by_an_interrupt_has_not_failed() -> None:
    assert judge_run([Judged("a", "inconclusive", False, "leak")], interrupted=True).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("expected", "passed"),
    [
        (Expectation("leak"), True),
        (Expectation("leak", ("host_heap",)), True),
        (Expectation("leak", ("fds",)), False),
        (Expectation("pass"), False),
        (Expectation("leak", (), "oom"), False),
        (Expectation("leak", (), "finished"), True),
    ],
)
def test_a_control_asks_for_verdict_layer_and_end(expected: Expectation, passed: bool) -> None:
    assert control_passed(expected, "leak", "host_heap", "finished") is passed


def test_every_verdict_has_an_exit_code() -> None:
    assert EXIT_CODES == {"pass": 0, "leak": 1, "unstable": 1, "inconclusive": 3, "invalid": 4, "error": 4}
