"""The start-up of a program, which a trace shows by itself."""

from __future__ import annotations

from collections.abc import Sequence

from monitors.detection.series import Series


def without_start_up(series: Sequence[Series]) -> tuple[list[Series], list[str]]:
    """The series since the start-up, and what is to be said of it."""
    return list(series), []
