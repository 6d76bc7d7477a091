"""Which source a trial gets, what it may be set to, and which workload takes it: said before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from soak.errors import ConfigError
from soak.plan import config, preflight
from soak.plan.plan import make_plan
from workloads.protocol.order import StreamSpec

OWN = "def step():\n    pass\n"


def planned(folder: Path, text: str, *overrides: str, checked: bool = True) -> Any:
    path = folder / "soak.toml"
    path.write_text("[run]\nduration = 5\n" + text)
    (folder / "own.py").write_text(OWN)
    loaded = config.load(path, overrides)
    plan = make_plan(loaded)
    if checked:
        preflight.check(loaded, plan)
    return plan


def streams(folder: Path, text: str, *overrides: str) -> list[StreamSpec]:
    return [trial.spec.stream for trial in planned(folder, text, *overrides, checked=False)]


MODEL = '[[trial]]\nworkload = "recurrent"\nframework = "torch"\n'
USERS = '[[trial]]\nworkload = "own.py:step"\n'


def test_a_model_gets_video_and_a_users_own_code_a_clock(tmp_path: Path) -> None:
    model, own = (streams(tmp_path, text)[0] for text in (MODEL, USERS))
    assert (model.source, own.source) == ("synthetic", "none")
    assert model.options["clip_frames"] == [16], "whatever is left out is written down"


def test_a_shared_table_is_for_its_source_and_a_trial_may_have_another(tmp_path: Path) -> None:
    shared = "[stream]\nfps = 50\n"
    own = USERS + 'stream = { source = "tokens", batch = 2 }\n'
    found = {spec.source: spec.options for spec in streams(tmp_path, shared + MODEL + own)}
    assert found["synthetic"]["fps"] == 50
    assert found["tokens"]["batch"] == 2
    assert "fps" not in found["tokens"]


def test_a_trial_changes_single_keys_of_the_shared_table(tmp_path: Path) -> None:
    shared = '[stream]\nsource = "tokens"\nbatch = 3\n'
    (spec,) = streams(tmp_path, shared + USERS + "stream = { vocabulary = 9 }\n")
    assert (spec.source, spec.options["batch"], spec.options["vocabulary"]) == ("tokens", 3, 9)


def test_users_own_code_needs_no_framework_and_is_named_by_itself(tmp_path: Path) -> None:
    (trial,) = planned(tmp_path, USERS)
    assert (trial.spec.framework, trial.name, trial.spec.folder) == ("none", "own.step", str(tmp_path.resolve()))


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ('[stream]\nsource = "tokns"\n' + MODEL, "stream.source = 'tokns'", "did you mean 'tokens'"),
        ('[stream]\nsource = "tokens"\nfps = 3\n' + USERS, "stream.fps = 3", "(source 'tokens')"),
        ('[stream]\nsource = "tokens"\nbach = 3\n' + USERS, "stream.bach = 3", "did you mean 'batch'"),
        ('[stream]\nsource = 3\n' + MODEL, "stream.source = 3", "the name of a source"),
        ("stream = 3\n", "stream = 3", "expected a table"),
        (USERS + 'stream = { interval = "often" }\n', "trial[0].stream.interval = 'often'", "expected float"),
        (MODEL + 'stream = { source = "tokens" }\n', "trial recurrent-torch: stream.source = 'tokens'",
         "recurrent takes file or synthetic"),
        (USERS.replace("own.py", "owm.py"), "trial owm.step: workload", "did you mean 'own.py'"),
        (USERS.replace(":step", ":stpe"), "trial own.stpe: workload", "did you mean 'step'"),
        (USERS.replace("step", "step()"), "workload = 'own.py:step()'", "expected package.module:thing"),
        (USERS + 'execution = "graph"\n', "trial[0].execution", "expected eager for none"),
        (MODEL.replace("torch", "none"), "framework = 'none'", "recurrent has torch and tensorflow"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, key: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        planned(tmp_path, text) if text != "stream = 3\n" else planned(tmp_path, MODEL, "stream=3")
    assert str(caught.value).startswith(f"{tmp_path / 'soak.toml'}: ")
    assert key in str(caught.value)
    assert said in str(caught.value)


def test_stream_time_needs_a_source_that_has_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="source 'none' has no stream time: expected duration or steps"):
        planned(tmp_path, USERS + "stream_time = 5\n")


def test_one_workload_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    loaded = config.of_workload("own.py:step", ["stream.source=tokens"], duration="2 s")
    (trial,) = make_plan(loaded)
    preflight.check(loaded, (trial,))
    assert (trial.spec.duration, trial.spec.stream.source) == (2.0, "tokens")
    assert trial.spec.folder == str(tmp_path.resolve())
    with pytest.raises(ConfigError, match="--duration"):
        config.of_workload("own.py:step")
