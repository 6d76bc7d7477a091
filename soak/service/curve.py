"""A curve of any length in bounded memory: when full, every second point goes, and later ones come half as often."""

from __future__ import annotations

MOST = 600


class Curve:
    """Points (t, value), t rising."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._points: list[tuple[float, float]] = []
        self._stride = 1
        self._seen = 0

    def add(self, t: float, value: float) -> None:
        """The next point; kept if it is one of every `stride`."""
        if self._seen % self._stride == 0:
            self._points.append((t, value))
            if len(self._points) > self._most:
                del self._points[1::2]
                self._stride *= 2
        self._seen += 1

    def points(self) -> list[tuple[float, float]]:
        """Oldest first."""
        return list(self._points)
