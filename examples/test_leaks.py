"""What a project's own tests look like with soak's pytest plugin: `pytest examples/test_leaks.py`."""

from __future__ import annotations

import functools
import json
from typing import Any


@functools.lru_cache(maxsize=128)
def parse(text: str) -> Any:
    """A cache that is bounded."""
    return json.loads(text)


counter = iter(range(10**12))


def handle() -> None:
    """One request after the other, no two alike."""
    parse(json.dumps({"request": next(counter)}))


def test_handling_requests_does_not_leak(soak_check: Any) -> None:
    """Fails with the rate, the probability and the layer if it does."""
    soak_check(handle, seconds=30)
