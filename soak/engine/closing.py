"""Close the record of a run whose supervisor was killed: `python -m soak.engine.closing FOLDER`.

Trials that ran are `lost`, and judged by what was sampled until then; the run gets its verdict. Nothing that was
recorded is changed. Short-lived: judging needs numpy.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from monitors.model import Event
from soak.errors import SoakError
from soak.judge.trial import judge_one, judge_trials, settings_of
from soak.record.reader import Record
from soak.record.store import FILE, Store
from soak.record.write_ahead import lost_pages


def close(folder: Path, now: float) -> str:
    """End what is still said to run; the verdict of the run.

    Args:
        folder: of a run that no process works on any more.
        now: Unix time.

    Raises:
        RecordError: the record cannot be read or written.
    """
    # Closing folds the log into the record, and with it goes what tells of the damage.
    damaged = lost_pages(folder / FILE)
    with Store.reopen(folder / FILE) as store:
        if damaged:
            said = f"{damaged:,} pages of the write-ahead log of the killed run were damaged: the latest data is lost"
            store.add_event(Event(0.0, "damaged_log", said, None, now, {"pages": damaged}))
        for body in store.trials():
            if body.get("state") == "running":
                store.put_trial(body["index"], body["name"], {**body, **_lost(body, now)})
        record = Record(store)
        settings = settings_of(record.judge_table())
        for trial in record.trials():
            if trial.state == "ended" and trial.judgement is None:
                store.put_judgement(trial.index, judge_one(record, trial, settings))
        verdict = judge_trials(list(record.trials()), interrupted=True)
        for key, value in (("verdict", verdict.verdict), ("reason", verdict.reason), ("ended", now)):
            store.put_meta(key, value)
    return verdict.verdict


def _lost(body: dict[str, Any], now: float) -> dict[str, Any]:
    message = "soak was killed, or the machine went down, while it ran"
    return {
        "state": "ended", "end_reason": "lost", "end_message": message,
        "seconds": max(0.0, now - float(body.get("started") or now)),
    }  # fmt: skip


def main() -> int:
    """Close the folder named on the command line; the exit code."""
    try:
        close(Path(sys.argv[1]), time.time())
    except SoakError as error:
        sys.stderr.write(f"soak: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
