"""How tests wait: for a state, and as long as a slow or busy machine may need. Nothing is asserted of the time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

PATIENCE = float(os.environ.get("SOAK_TEST_PATIENCE", "180"))
"""Seconds until what has not come is taken not to come. A test that works never waits so long."""


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE, every: float = 0.1) -> Any:
    """What the condition finds, once it finds anything.

    seconds: more than the usual patience, where what is waited for takes long by design.
    every: seconds between two looks; fewer for what comes and goes.
    """
    patience = max(seconds, PATIENCE)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(every)
    raise AssertionError(f"did not come true within {patience:g} s")
