"""What another interpreter inherits, and whether it is new enough."""

from __future__ import annotations

from soak.plan.interpreter import environ_for

ENVIRON = {"PYTHONHOME": "/opt/python", "PYTHONPATH": "/lib", "HOME": "/"}


def test_another_interpreter_has_a_home_of_its_own() -> None:
    assert environ_for("", ENVIRON) == ENVIRON
    assert environ_for("/usr/bin/python3", ENVIRON) == {"PYTHONPATH": "/lib", "HOME": "/"}
