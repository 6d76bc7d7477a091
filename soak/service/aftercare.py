"""What becomes of runs that are over: records that were cut off are closed, and what need not be kept is deleted."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from soak import start
from soak.service.archive import Archive
from soak.service.config import ServiceConfig
from soak.service.journal import Journal
from soak.service.retention import portion, superfluous
from soak.service.steady import Steady
from soak.service.troubles import Troubles

AGAIN = 5.0
"""Seconds between the first two attempts to close a record; twice as long each time."""
LONGEST = 3600.0
MADE_UP = 5
"""Newest runs whose reports are looked for when the service starts."""
DEADLINE = 1800.0
"""Seconds for closing a record, and for a report."""


class Aftercare:
    """Beside the runner: it starts runs, this follows those that have ended."""

    def __init__(
        self, config: Callable[[], ServiceConfig], archive: Archive, journal: Journal, steady: Steady,
        troubles: Troubles, adopt: Callable[[int], None],
    ) -> None:  # fmt: skip
        """Do nothing yet; `adopt` is told each child that is started."""
        self._config, self._archive, self._journal, self._steady = config, archive, journal, steady
        self._troubles, self._adopt = troubles, adopt
        self._unclosed: dict[str, tuple[float, float]] = {}
        """Runs that are not closed or have no report: when that is tried again, and how long is waited after that."""
        self._closed: set[str] = set()
        """Of these, those that lack their report alone."""

    async def recover(self) -> None:
        """Find what a service before could not end.

        Raises:
            OSError: the state folder cannot be read.
        """
        with contextlib.ExitStack() as locks:
            await self._take_all_locks(locks)
            for entry in await asyncio.to_thread(self._archive.unfinished):
                self._journal.warning(f"{entry.id} was interrupted: its record is closed", SOAK_RUN=entry.id)
                self.cut_off(entry.id)
            await self.close_records()
        await self._make_up_reports()
        await self.tidy()

    async def _make_up_reports(self) -> None:
        """Of the newest runs, where the service was stopped before a report was written."""
        for entry in (await asyncio.to_thread(self._archive.runs))[:MADE_UP]:
            if entry.verdict is not None and "report.html" not in entry.reports:
                self.unreported(entry.id)
        await self.close_records()

    def cut_off(self, run: str) -> None:
        """A run is over that could not say how: its record is closed, and its report made, with the next look."""
        self._unclosed[run] = 0.0, AGAIN

    def unreported(self, run: str) -> None:
        """A run has its verdict and no report, as its process was killed or had no time: made with the next look."""
        self._closed.add(run)
        self.cut_off(run)

    def has_report(self, run: str) -> bool:
        """Whether there is a report of a run; also where there is no such run any more."""
        folder = self._archive.folder / run
        return (folder / "report.html").is_file() or not folder.is_dir()

    async def close_records(self) -> None:
        """Close the records of runs that were cut off, and make reports; what cannot be done yet is tried again."""
        for run, (at, pause) in list(self._unclosed.items()):
            if self._steady.now() < at:
                continue
            await self._close(self._archive.folder / run)
            if run in self._closed and self.has_report(run):
                del self._unclosed[run]
                self._closed.discard(run)
            else:
                self._unclosed[run] = self._steady.now() + pause, min(2 * pause, LONGEST)
            self._archive.forget(run)
        left = ", ".join(sorted(self._unclosed))
        self._troubles.report(
            "unclosed", f"{left}: the record cannot be closed, or the report cannot be written" if left else ""
        )

    async def _close(self, folder: Path) -> None:
        run = folder.name
        if (
            not folder.is_dir()
            or run in self._closed
            or await self._command_ends("soak.engine.closing", str(folder)) == 0
        ):
            self._closed.add(run)
            if folder.is_dir():
                await self._command_ends("soak", "report", str(folder))

    async def _take_all_locks(self, locks: contextlib.ExitStack) -> None:
        """Taken once no run of a service before is left on any device: each ends by itself, as its pipe has closed."""
        for path in sorted((self._config().state / "locks").glob("*.lock")):
            while (lock := lock_of(path)) is None:
                await asyncio.sleep(0.5)
            locks.callback(os.close, lock)

    async def _command_ends(self, module: str, *words: str) -> int:
        process = await asyncio.create_subprocess_exec(
            # It dies with the service, however that dies.
            *start.command("soak.engine.short_lived", module, *words), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        self._adopt(process.pid)
        try:
            return await asyncio.wait_for(process.wait(), DEADLINE)
        except (asyncio.CancelledError, TimeoutError) as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            if isinstance(error, TimeoutError):
                self._journal.warning(f"{module} {' '.join(words)} took longer than {DEADLINE:.0f} s, and was ended")
                return await process.wait()
            raise

    async def tidy(self) -> None:
        """Delete what need not be kept; little at a time, and nothing for its age by a clock that jumped."""
        try:
            runs = await asyncio.to_thread(self._archive.runs)
        except OSError:
            return  # the service looks at the archive as well, and tells
        keep, trust = self._config().retention, self._steady.trust
        going = superfluous(runs, keep, trust.trusted)
        chosen, held, self._steady.aged = portion(
            going, len(runs), self._steady.aged, keep, trust.trusted, not trust.suspect
        )
        said = f"{held} runs are too old; a tenth of the runs is deleted at a time" if held else ""
        self._troubles.report("retention", said if not trust.suspect else "")
        for entry, reason in chosen:
            if await asyncio.to_thread(self._archive.remove, entry.id):
                self._journal.info(f"{entry.id} deleted: {reason}", SOAK_RUN=entry.id)
            else:
                self._journal.warning(f"{entry.id} cannot be deleted: {reason}", SOAK_RUN=entry.id)


def lock_of(path: Path) -> int | None:
    """The lock of a device, held as long as the descriptor lives in any process; None where another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return fd


def why(error: OSError) -> str:
    """What failed and where, in words."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"
