"""The same seed makes the same damage, every kind changes something, and none raises."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.torture import answers, base_records, configs, damage, kills, messages, tables

CONFIG = '[run]\nname = "a"\nduration = "1 s"\n[[trial]]\nworkload = "recurrent"\nframework = "torch"\n'


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return base_records.make(tmp_path_factory.mktemp("bases") / "made")


@pytest.mark.parametrize("n", range(40))
def test_configs_are_mutated_alike(n: int) -> None:
    assert configs.mutate(CONFIG, random.Random(n)) == configs.mutate(CONFIG, random.Random(n))


@pytest.mark.parametrize("name", configs.MUTATIONS)
def test_every_mutation_of_a_config_changes_it(name: str) -> None:
    made = {configs.MUTATIONS[name](CONFIG, random.Random(n)) for n in range(20)}
    assert made - {CONFIG}


@pytest.mark.parametrize("n", range(20))
def test_the_rest_is_drawn_alike(n: int) -> None:
    for draw in (
        lambda rnd: answers.draw(rnd, 1.7e9),
        tables.draw,
        messages.mutated,
        messages.conversation,
        damage.draw,
    ):
        assert draw(random.Random(n)) == draw(random.Random(n))
    assert kills.draw(3, n, "k") == kills.draw(3, n, "k")


@pytest.mark.parametrize("kind", damage.BYTES)
def test_damage_to_bytes_changes_them(kind: str) -> None:
    data = random.Random(0).randbytes(8 * damage.PAGE - 20) + b'"verdict": "leak"' * 2
    made = {bytes(damage.BYTES[kind](bytearray(data), random.Random(n))) for n in range(20)}
    assert made - {data}


@pytest.mark.parametrize("kind", [*damage.ROWS, "bit", "log: bit", "log: cut"])
def test_damage_to_a_record_is_the_same_for_the_same_seed(kind: str, bases: dict[str, Path], tmp_path: Path) -> None:
    base = bases[base_records.LOGGED if kind.startswith("log") else base_records.FINISHED]

    def damaged(n: int, name: str) -> dict[str, bytes]:
        folder = tmp_path / f"{name}{n}"
        shutil.copytree(base, folder)
        damage.apply(kind, folder / "record.sqlite", random.Random(n))
        return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}

    before = {path.name: path.read_bytes() for path in base.iterdir()}
    made = [damaged(n, "a") for n in range(3)]
    assert any(one != before for one in made)
    if kind not in damage.ROWS:  # SQLite's own pages bear a counter and times
        assert made[0] == damaged(0, "b")


def test_undamaged_records_are_as_they_are_named(bases: dict[str, Path]) -> None:
    assert (bases[base_records.LOGGED] / "record.sqlite-wal").stat().st_size > 10 * damage.PAGE
    with sqlite3.connect(bases[base_records.FINISHED] / "record.sqlite") as db:
        facts = dict(db.execute("SELECT key, value FROM meta"))
    assert facts["verdict"] == '"leak"'
    with sqlite3.connect(bases[base_records.CUT] / "record.sqlite") as db:
        assert "verdict" not in dict(db.execute("SELECT key, value FROM meta"))


def test_kill_plans_strike_every_role_in_every_manner() -> None:
    struck = {(one.role, one.manner) for n in range(1500) for one in kills.draw(1, n, "k").strikes}
    assert {role for role, _ in struck} == {"supervisor", "worker", "guardian", "judge", "report", "gpu"}
    assert {manner for role, manner in struck if role == "supervisor"} == {
        "KILL",
        "TERM",
        "INT",
        "INT INT",
        "STOP CONT",
    }
