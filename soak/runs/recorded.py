"""`soak.open`: a run folder, finished or not, in Python."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soak.errors import UsageError
from soak.record.reader import open_record

if TYPE_CHECKING:
    from monitors.model import Event
    from reports.record import RunInfo, TrialInfo


def open(folder: str | os.PathLike[str]) -> Recorded:  # noqa: A001  (what it is called by users: `soak.open`)
    """Open the run folder of a finished or running run.

    Raises:
        UsageError: there is no record there.
        RecordError: it cannot be read.
    """
    return Recorded(Path(folder))


class Recorded:
    """The content of a run folder, read-only. For a running run, what has been recorded so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info  # noqa: B018  (raises what is wrong with it)

    def __repr__(self) -> str:
        return f"<soak run {self.info.run_id}: {self.verdict or 'unfinished'}>"

    @property
    def info(self) -> RunInfo:
        """What was run, on which machine, and how it ended."""
        with closing(open_record(self.folder)) as record:
            return record.run()

    @property
    def verdict(self) -> str | None:
        """pass, leak, unstable, inconclusive, invalid or error; None while it is unfinished."""
        return self.info.verdict

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        return self.info.reason

    @property
    def trials(self) -> Sequence[TrialInfo]:
        """In the order of the plan."""
        with closing(open_record(self.folder)) as record:
            return record.trials()

    @property
    def events(self) -> Sequence[Event]:
        """What happened, oldest first."""
        with closing(open_record(self.folder)) as record:
            return record.events()

    @property
    def report(self) -> dict[str, Any]:
        """The content of `report.json`, generated from the record."""
        from reports import diagnosis, document

        with closing(open_record(self.folder)) as record:
            return document.build(record, diagnosis.read(self.folder))

    def samples(self, trial: int | str = 0) -> Any:
        """The samples of a trial as a `pyarrow.Table`: see `soak.record.samples`.

        `.to_pandas()` converts it to a pandas DataFrame, `polars.from_arrow()` to a polars one.

        Args:
            trial: its index or its name.

        Raises:
            UsageError: there is no such trial.
        """
        from soak.record.samples import samples

        index = self.trial(trial).index
        with closing(open_record(self.folder)) as record:
            return samples(record, index)

    def trial(self, trial: int | str = 0) -> TrialInfo:
        """The facts of one trial.

        Raises:
            UsageError: there is no trial with this index or name.
        """
        known = self.trials
        found = [info for info in known if trial in (info.index, info.name)]
        if not found:
            names = ", ".join(f"{info.index} {info.name!r}" for info in known[:20]) or "none"
            raise UsageError(f"{self.folder}: no trial {trial!r}; expected one of: {names}")
        return found[0]
