"""`soak.toml`: what is right is read, what is wrong is refused in one line that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from soak.errors import ConfigError
from soak.service import config
from soak.service.config import address_of

RUN = '[run]\nduration = "1 min"\n[[trial]]\nworkload = "recurrent"\n'


def write(folder: Path, text: str) -> Path:
    (folder / "run.toml").write_text(RUN)
    path = folder / "soak.toml"
    path.write_text(text)
    return path


def schedule(more: str) -> str:
    return f'[[schedule]]\nname = "s"\nconfig = "run.toml"\n{more}\n'


def test_everything_has_a_default(tmp_path: Path) -> None:
    loaded = config.load(write(tmp_path, schedule('every = "6 h"')))
    assert loaded.address == ("127.0.0.1", 9109)
    assert loaded.schedules[0].every == 6 * 3600
    assert loaded.schedules[0].overlap == "skip"
    assert loaded.schedules[0].max_lateness is None, "what was due while the node was down runs, however late"
    assert loaded.beside("run.toml") == (tmp_path / "run.toml").resolve()


def test_the_state_is_where_systemd_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, schedule("back_to_back = true"))
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}/state:/elsewhere")
    assert config.load(path).state == tmp_path / "state"
    path = write(tmp_path, f'[service]\nstate = "{tmp_path}/own"\n' + schedule("back_to_back = true"))
    assert config.load(path).state == tmp_path / "own"


def test_a_toml_time_is_as_good_as_a_text(tmp_path: Path) -> None:
    for at in ("2027-01-31T02:00:00Z", '"2027-01-31T02:00:00+00:00"'):
        assert config.load(write(tmp_path, schedule(f"at = {at}"))).schedules[0].at == "2027-01-31T02:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "at least one [[schedule]]"),
        (schedule(""), "expected one of cron, every, at, back_to_back; got none"),
        (schedule('cron = "0 3 * * *"\nevery = "1 h"'), "got cron and every"),
        (schedule('cron = "0 25 * * *"'), "schedule[0].cron = '0 25 * * *'"),
        (schedule('cron = "nightly"'), "five fields of cron"),
        (schedule('at = "tomorrow"'), "expected a time such as 2027"),
        (
            schedule('every = "1 h"\ndevice = "gpu"'),
            'schedule[0].device = \'gpu\': expected "cpu", "cuda:N", or several',
        ),
        (schedule('every = "1 h"\ndevice = "cuda:1,cuda:1"'), "schedule[0].device = 'cuda:1,cuda:1': expected"),
        (schedule('every = "1 h"\ncolour = "red"'), "schedule[0].colour = 'red': unknown key"),
        (schedule('every = "1 h"').replace('"s"', '"Big One"'), "expected at most 63 of a-z, 0-9, - and _"),
        (schedule('every = "1 h"') * 2, "another schedule has this name"),
        (schedule('every = "1 h"').replace("run.toml", "rum.toml"), "did you mean"),
        ('[service]\nlisten = "9109"\n' + schedule('every = "1 h"'), "service.listen = '9109': expected address:port"),
        ('[service]\ntextfile = "soak.txt"\n' + schedule('every = "1 h"'), "ends in .prom"),
        ('[retention]\nage = "soon"\n' + schedule('every = "1 h"'), "retention.age = 'soon'"),
        ('[conditions]\nyield_to_others = "maybe"\n' + schedule('every = "1 h"'), "expected 'no' or 'pause' or 'end'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(write(tmp_path, text))
    assert said in str(caught.value)


def test_addresses() -> None:
    assert address_of("127.0.0.1:9109") == ("127.0.0.1", 9109)
    assert address_of("[::1]:80") == ("::1", 80)
    for wrong in ("localhost", ":9109", "host:99999", "host:x"):
        with pytest.raises(ValueError, match="expected address:port"):
            address_of(wrong)
