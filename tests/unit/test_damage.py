"""A record that is damaged anywhere: never a traceback, never another value, and every lost round is counted."""

from __future__ import annotations

import json
import random
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from monitors.judgement import Judgement
from monitors.model import Event, Loss, MetricSpec, Sample
from soak.cli import main
from soak.engine.closing import close
from soak.errors import RecordError, SoakError
from soak.judge.verdict import Verdict
from soak.record.damage import checksum, loss_said, weighed
from soak.record.reader import Record, open_record
from soak.record.store import FILE, Store

ROUNDS = 300
METRICS = [MetricSpec(f"m{i}_bytes", "bytes", "a metric", "anonymous", judged=True) for i in range(6)]
TRIAL = {
    "index": 0, "name": "flat", "workload": "w", "framework": "torch", "mode": "infer", "execution": "eager", "seed": 1,
    "pair": "p", "state": "ended", "started": 5.0, "seconds": 300.0, "end_reason": "finished",
}  # fmt: skip
FACTS = {
    "run_id": "r-1", "name": "r", "soak_version": "0", "command": "soak run r.toml", "config_path": "r.toml",
    "config_text": "[run]\n", "seed": 1, "started": 5.0, "environment": {"cpu": "x"}, "judge": {"min_rate": 1048576.0},
    "verdict": "pass", "reason": "none of 2 trials shows a leak", "ended": 400.0,
}  # fmt: skip
JUDGEMENT = Judgement("pass", "flat", 0.01)


def write(folder: Path) -> bytes:
    """A record of two trials that take turns; its bytes."""
    with Store.create(folder / FILE) as store:
        for key, value in FACTS.items():
            store.put_meta(key, value)
        for trial in (0, 1):
            store.put_trial(trial, f"t{trial}", {**TRIAL, "index": trial, "name": f"t{trial}"})
        for t in range(ROUNDS):
            for trial in (0, 1):
                store.add_round(trial, t, [Sample(metric, 1e8 + i) for i, metric in enumerate(METRICS)])
            if t % 30 == 0:
                store.add_event(Event(t, "gap", "something", 0, 1.0))
        for trial in (0, 1):
            store.put_judgement(trial, JUDGEMENT)
    return (folder / FILE).read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("whole"))


def told(folder: Path) -> tuple[list[str], dict[int, Loss], set[float]]:
    """What a damaged record says: its damage, what is lost of each trial, every value that is left."""
    record = open_record(folder)
    values: set[float] = set()
    losses = {}
    for trial in (0, 1):
        for series in record.series(trial):
            values |= set(series.values.tolist())
        losses[trial] = record.loss(trial)
    record.events(), record.trials(), record.run()
    return list(record.damage()), losses, values


def test_a_whole_record_has_no_damage_and_is_one_file(tmp_path: Path, whole: bytes) -> None:
    (tmp_path / FILE).write_bytes(whole)
    damage, losses, values = told(tmp_path)
    assert damage == []
    assert losses == {trial: Loss(ROUNDS) for trial in (0, 1)}
    assert values == {1e8 + i for i in range(len(METRICS))}
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def bit(data: bytearray, chance: random.Random) -> bytearray:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def bits(data: bytearray, chance: random.Random) -> bytearray:
    for _ in range(30):
        bit(data, chance)
    return data


def page(data: bytearray, chance: random.Random) -> bytearray:
    at = chance.randrange(1, len(data) // 4096) * 4096
    data[at : at + 4096] = bytes(4096)
    return data


def swap(data: bytearray, chance: random.Random) -> bytearray:
    one, other = (chance.randrange(1, len(data) // 4096) * 4096 for _ in range(2))
    data[one : one + 4096], data[other : other + 4096] = data[other : other + 4096], data[one : one + 4096]
    return data


def cut(data: bytearray, chance: random.Random) -> bytearray:
    return data[: chance.randrange(len(data))]


def garbage(data: bytearray, chance: random.Random) -> bytearray:
    at = chance.randrange(len(data))
    return data[:at] + bytearray(chance.randbytes(600)) + data[at + 600 :]


@pytest.mark.parametrize("harm", [bit, bits, page, swap, cut, garbage])
def test_whatever_is_damaged_is_left_out_and_counted(
    tmp_path: Path, whole: bytes, harm: Callable[[bytearray, random.Random], bytearray]
) -> None:
    for seed in range(40):
        (tmp_path / FILE).write_bytes(harm(bytearray(whole), random.Random(seed)))
        try:
            damage, losses, values = told(tmp_path)
        except SoakError:
            continue
        assert values <= {1e8 + i for i in range(len(METRICS))}, (seed, "a value that was never written")
        assert Record(Store.open(tmp_path / FILE)).run().verdict in ("pass", "inconclusive", None)
        with Store.open(tmp_path / FILE) as store:
            left = {trial: len(store.rounds(trial)) for trial in (0, 1)}
            known = "counted" in store.meta()
        for trial, loss in losses.items():
            assert loss.rounds - loss.lost == left[trial], seed
            if known:
                assert loss.rounds == ROUNDS, seed
            if left[trial] < ROUNDS:
                assert damage, (seed, "a silent loss")


def test_pages_that_are_gone_cost_their_own_rounds_only(tmp_path: Path, whole: bytes) -> None:
    data = bytearray(whole)
    at = len(data) // 2 // 4096 * 4096
    data[at : at + 4096] = bytes(4096)
    (tmp_path / FILE).write_bytes(data)
    damage, losses, _ = told(tmp_path)
    assert 0 < sum(loss.lost for loss in losses.values()) <= 64, "as many as a page holds"
    assert any("of 300 rounds of t0 are damaged and left out" in said for said in damage)


def test_a_flipped_verdict_is_never_believed(tmp_path: Path, whole: bytes) -> None:
    assert whole.count(b'"pass"') >= 3
    (tmp_path / FILE).write_bytes(whole.replace(b'"pass"', b'"leak"'))
    record = open_record(tmp_path)
    assert [trial.verdict for trial in record.trials()] == [None, None]
    assert (record.run().verdict, record.run().reason) == (
        "inconclusive", "the record is damaged: the verdict of the run cannot be read",
    )  # fmt: skip
    assert "the judgement of t0 is damaged" in record.damage()


def test_values_of_a_wrong_type_are_damage(tmp_path: Path, whole: bytes) -> None:
    (tmp_path / FILE).write_bytes(whole)
    db = sqlite3.connect(tmp_path / FILE)
    for id_, data, t in ((1, "text", 1.0), (3, b"abc", 1.0), (5, b"", 1e300), (7, None, 2.0)):
        db.execute("UPDATE round SET data = coalesce(?, data), t = ?, trial = trial WHERE id = ?", (data, t, id_))
    db.execute("UPDATE trial SET body = ? WHERE id = 1", ('{"index": ' + "9" * 5000 + "}",))
    db.execute("UPDATE series SET position = 9223372036854775807 WHERE id = 2")
    db.execute("UPDATE event SET t = 'x', data = '[[[' WHERE id = 2")
    db.execute("UPDATE meta SET value = ? WHERE key = 'config_text'", ("[" * 100_000,))
    db.commit()
    db.close()
    damage, losses, values = told(tmp_path)
    assert losses[0] == Loss(ROUNDS, 4, series=1)
    assert values == {1e8 + i for i in range(len(METRICS))}
    assert damage == [
        "1 fact of the run is damaged and left out",
        "1 trial of the run is damaged and left out",
        "1 event of the run is damaged and left out",
        "4 of 300 rounds and 1 series of t0 are damaged and left out",
    ]
    assert open_record(tmp_path).run().config_text == "(damaged)"


def test_the_report_says_what_is_lost_and_analysis_too(
    tmp_path: Path, whole: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / FILE).write_bytes(whole)
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("UPDATE round SET t = t + 1 WHERE id <= 100")
    db.commit()
    db.close()
    formats = [part for name in ("html", "json", "markdown", "junit") for part in ("--format", name)]
    assert main(["report", str(tmp_path), *formats]) == 0, "the verdict was reached while the record was whole"
    said = "50 of 300 rounds of t0 are damaged and left out"
    assert said in capsys.readouterr().out
    body = json.loads((tmp_path / "report.json").read_text())
    assert said in body["run"]["damage"]
    assert body["trials"][0]["rounds"] == {"written": 300, "damaged": 50}
    for name in ("report.html", "report.md"):
        assert said in (tmp_path / name).read_text()
    assert main(["analyze", str(tmp_path), "--json"]) == 3, "what is left of it cannot be judged"
    out, err = capsys.readouterr()
    assert {json.loads(line)["verdict"] for line in out.splitlines()} == {"inconclusive"}
    assert said in err


def test_a_trial_that_is_damaged_is_missed(tmp_path: Path, whole: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / FILE).write_bytes(whole)
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("UPDATE trial SET name = 'other' WHERE id = 1")
    db.commit()
    db.close()
    assert main(["analyze", str(tmp_path), "--json"]) == 4, "what is left may pass, the run may not"
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert "1 trial of the run is damaged and left out" in err


VERSION_1 = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trial(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, body TEXT NOT NULL, judgement TEXT);
CREATE TABLE series(
  trial INTEGER NOT NULL, position INTEGER NOT NULL, metric TEXT NOT NULL, label TEXT NOT NULL, spec TEXT NOT NULL,
  PRIMARY KEY(trial, position)) WITHOUT ROWID;
CREATE TABLE round(trial INTEGER NOT NULL, t REAL NOT NULL, data BLOB NOT NULL);
CREATE TABLE event(
  id INTEGER PRIMARY KEY, trial INTEGER, t REAL NOT NULL, wall REAL NOT NULL, kind TEXT NOT NULL,
  message TEXT NOT NULL, data TEXT NOT NULL);
"""


def write_1(folder: Path, state: str) -> None:
    """A record of version 1, unfinished."""
    db = sqlite3.connect(folder / FILE)
    db.executescript(VERSION_1)
    facts = {name: value for name, value in FACTS.items() if name not in ("verdict", "reason", "ended")}
    db.executemany("INSERT INTO meta VALUES(?, ?)", [(k, json.dumps(v)) for k, v in {**facts, "version": 1}.items()])
    body = {**TRIAL, "state": state, "end_reason": ""}
    db.execute("INSERT INTO trial(id, name, body) VALUES(0, 'flat', ?)", (json.dumps(body),))
    spec = {"name": "m0_bytes", "unit": "bytes", "help": "a metric", "layer": "anonymous", "judged": True}
    db.execute("INSERT INTO series VALUES(0, 0, 'm0_bytes', '', ?)", (json.dumps(spec),))
    db.executemany("INSERT INTO round VALUES(0, ?, ?)", [(t, struct.pack("<d", 1e8)) for t in range(ROUNDS)])
    db.commit()
    db.close()


def test_a_record_of_version_1_is_read_and_closed(tmp_path: Path) -> None:
    write_1(tmp_path, "running")
    (series,) = open_record(tmp_path).series(0)
    assert series.values.tolist() == [1e8] * ROUNDS
    assert close(tmp_path, 400.0) == "inconclusive"
    record = open_record(tmp_path)
    assert (record.run().verdict, record.trials()[0].end_reason) == ("inconclusive", "lost")
    assert record.damage() == []


def test_odd_rows_of_a_record_without_checksums_end_nothing(tmp_path: Path) -> None:
    write_1(tmp_path, "ended")
    db = sqlite3.connect(tmp_path / FILE)
    for rowid, data in ((1, b"abc"), (2, "text"), (3, bytes(8 * 10_000)), (4, b"")):
        db.execute("UPDATE round SET data = ? WHERE rowid = ?", (data, rowid))
    db.execute("INSERT INTO series VALUES(0, 9223372036854775807, 'x', '', '{}')")
    db.execute("INSERT INTO series VALUES(0, -1, 'y', '', '[]')")
    db.execute("INSERT INTO event VALUES(1, 0, 0.0, 1.0, 'k', 'm', '{')")
    db.execute("""UPDATE trial SET judgement = '{"verdict": "maybe", "reason": 1}'""")
    db.commit()
    db.close()
    record = open_record(tmp_path)
    (series,) = record.series(0)
    assert series.values.tolist() == [1e8] * (ROUNDS - 4)
    assert record.trials()[0].verdict is None
    assert record.events() == []
    assert record.damage() == [
        *(f"part of the table `{name}` cannot be read" for name in ("event", "round", "series")),
        "the judgement of flat is damaged",
    ]


@pytest.mark.parametrize(("lost", "series", "verdict"), [(0, 0, "pass"), (10, 0, "pass"), (20, 0, "inconclusive"),
                                                         (0, 1, "inconclusive")])  # fmt: skip
def test_what_is_lost_weighs_on_a_verdict(lost: int, series: int, verdict: str) -> None:
    for reached in ("pass", "leak"):
        found = weighed(Verdict(reached, "so"), Loss(300, lost, series), "t")
        assert found.verdict == (verdict if verdict == "inconclusive" else reached)
        assert ("damaged" in found.reason) == bool(lost or series)
    assert weighed(Verdict("unstable", "so"), Loss(300, 200), "t").verdict == "unstable"
    assert loss_said(Loss(300), "t") == ""


def test_a_checksum_tells_types_and_bounds_apart() -> None:
    rows = [
        ("a", "b"),
        ("ab", ""),
        (b"a", "b"),
        (1, 2),
        (12,),
        (1.0, 2.0),
        (None,),
        ("",),
        (0,),
        (0.0,),
        ("a", "b", None),
    ]
    assert len({checksum(*row) for row in rows}) == len(rows)
    assert checksum("\ud800") == checksum("\ud800")


def test_no_record_is_no_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / FILE).touch()
    (tmp_path / "other").mkdir()
    sqlite3.connect(tmp_path / "other" / FILE).execute("CREATE TABLE x(y)").connection.close()
    (tmp_path / "folder" / FILE).mkdir(parents=True)
    codes = {}
    for name in ("empty", "other", "folder", "absent", "x" * 300, "nul\0"):
        codes[name] = main(["report", str(tmp_path / name)])
        said = capsys.readouterr().err
        assert len(said.splitlines()) == 1, (name, said)
        assert "Traceback" not in said
    assert codes == {"empty": 4, "other": 4, "folder": 2, "absent": 2, "x" * 300: 2, "nul\0": 2}


def test_a_record_that_is_gone_is_not_written_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    store = Store.create(folder / FILE)
    store.add_round(0, 1.0, [Sample(METRICS[0], 5.0)])
    folder.rename(tmp_path / "moved")
    with pytest.raises(RecordError, match="the record is missing"):
        store.add_round(0, 2.0, [Sample(METRICS[0], 5.0)])
    folder.mkdir()
    (folder / FILE).write_bytes(b"another")
    with pytest.raises(RecordError, match="the record is missing"):
        store.put_meta("verdict", "pass")
    store.close()
    assert (folder / FILE).read_bytes() == b"another"


def test_what_was_left_open_is_closed_with_its_counts(tmp_path: Path) -> None:
    writer = Store.create(tmp_path / FILE)
    for t in range(5):
        writer.add_round(0, t, [Sample(METRICS[0], 5.0)])
    writer.add_event(Event(0.0, "gap", "one", 0))
    with Store.reopen(tmp_path / FILE) as store:
        store.add_event(Event(1.0, "gap", "two", 0))
        store.put_meta("verdict", "inconclusive")
    with Store.open(tmp_path / FILE) as store:
        assert [event.message for event in store.events()] == ["one", "two"]
        assert store.meta()["counted"]["rounds"] == {"0": 5}
        assert store.meta()["verdict"] == "inconclusive"


def test_a_report_on_standard_output_is_utf_8_whatever_that_takes(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    with Store.reopen(tmp_path / FILE) as store:
        store.put_meta("reason", "grün [/tmp] 東京 \udce9")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert main(["report", str(tmp_path), "--format", "json", "--out", "-"]) == 0
    assert json.loads(capsysbinary.readouterr().out.decode())["run"]["reason"] == "grün [/tmp] 東京 \\udce9"


def test_one_format_goes_to_standard_output_and_no_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    for formats in ((), ("--format", "json", "--format", "junit")):
        assert main(["report", str(tmp_path), *formats, "--out", "-"]) == 2
        out, err = capsys.readouterr()
        assert (out, "--out -: expected one --format" in err) == ("", True)


def test_junit_is_written_where_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    wanted = tmp_path / "new" / "soak.xml"
    assert main(["report", str(tmp_path), "--junit", str(wanted)]) == 0
    assert "<testsuite" in wanted.read_text()
    assert str(wanted) in capsys.readouterr().out
    assert (tmp_path / "report.html").exists()
    assert main(["report", str(tmp_path), "--junit", str(tmp_path / FILE / "x.xml")]) == 2
    assert "--junit" in capsys.readouterr().err


def test_a_run_that_ends_while_it_is_read_has_lost_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Store.create(tmp_path / FILE)
    writer.put_trial(0, "t", TRIAL)
    writer.add_round(0, 0.0, [Sample(METRICS[0], 1.0)])
    reader = Store.open(tmp_path / FILE)
    scan = reader._rows.scan

    def slow(table: str, trial: int | None = None) -> list[tuple[object, ...]]:
        rows = list(scan(table, trial))
        if table in ("round", "event", "trial") and writer.path.exists() and not ended:
            ended.append(table)
            for t in range(1, 5):
                writer.add_round(0, float(t), [Sample(METRICS[0], 1.0)])
                writer.add_event(Event(float(t), "gap", "m", 0))
            writer.put_trial(1, "u", {**TRIAL, "index": 1})
            writer.close()
        return rows

    ended: list[str] = []
    monkeypatch.setattr(reader._rows, "scan", slow)
    assert len(reader.rounds(0)) == 1
    assert reader.damage.losses[0] == Loss(1)
    reader.close()
