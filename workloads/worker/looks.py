"""When something costly is to be looked at in a trial: after its warm-up, then some times, never most of the time."""

from __future__ import annotations

EVERY = 60.0
"""Seconds between two looks, at most, but for what they cost."""
LEAST_EVERY = 1.0
LOOKS = 10
"""Of a trial whose duration is known."""
WARM_UP = 0.25
"""Share of a trial before it is warm, `EVERY` at most: what is imported, built and cached lazily is no growth."""
SHARE = 4.0
"""Times as long as a look took, before the next: they take a fifth of the time at most."""


class Looks:
    """Times are monotonic seconds. With the first look later ones are compared; once a trial is warm there is another.

    So one that ends early has been looked at twice too.
    """

    def __init__(self, now: float, duration: float | None) -> None:
        """Plan them. duration: of the trial; without one the first look is the only first."""
        self._interval = EVERY if duration is None else min(EVERY, max(LEAST_EVERY, duration / LOOKS))
        self._next, self._warm_at = now, now + warm_up(duration)
        self._any = self._warm = False
        self._since, self._steps = now, 0

    def due(self, now: float, last: bool) -> bool:
        """Whether to look now. last: whether there will be no later time, when a first look would be for nothing."""
        return (now >= self._next and not last) or (last and self._any)

    def first(self, now: float, steps: int, last: bool) -> bool:
        """Whether a look that is due is one with which later ones are compared."""
        warm = now >= self._warm_at
        if last or (self._any and (self._warm or not warm)):
            return False
        self._any, self._warm = True, warm
        self._since, self._steps = now, steps
        return True

    def looked(self, now: float, took: float) -> None:
        """It was looked at, in so many seconds."""
        self._next = now + took + max(self._interval, SHARE * took)
        if not self._warm:
            self._next = max(self._next, self._warm_at)

    def since(self, now: float, steps: int) -> dict[str, float]:
        """Seconds and steps from the first look to a moment."""
        return {"seconds": now - self._since, "steps": steps - self._steps}


def warm_up(duration: float | None) -> float:
    """Seconds before what is costly begins."""
    return 0.0 if duration is None else min(EVERY, WARM_UP * duration)
