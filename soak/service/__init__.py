"""The service: schedules runs on one node, and tells people and Prometheus how they go."""

from __future__ import annotations

import importlib.util

from soak.errors import UsageError

_NEEDED = ("apscheduler", "bcrypt", "prometheus_client", "starlette", "uvicorn", "yaml")


def require() -> None:
    """Ask for what the service is made of, before any of it is used.

    Raises:
        UsageError: it is not installed.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"the service needs {', '.join(missing)}: pip install 'soak[service]'")
