"""pytest plugin: the fixture `soak_check` soaks a callable in a fresh process, and fails with the reason.

    def test_no_leak(soak_check):
        soak_check(handle_request, seconds=30)

It is found by pytest wherever soak is installed. Nothing of soak is imported before a test asks for the fixture.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from soak.runs.checking import Checked

INCONCLUSIVE = ("fail", "skip", "pass")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--soak-report`, and what an inconclusive check means."""
    group = parser.getgroup("soak", "soak tests for memory leaks")
    group.addoption(
        "--soak-report", metavar="DIR", help="keep the run folder of every soak_check here, with report.html"
    )
    parser.addini(
        "soak_inconclusive",
        "what an inconclusive soak_check does: fail (default), skip or pass",
        default=INCONCLUSIVE[0],
    )


@pytest.fixture
def soak_check(request: pytest.FixtureRequest) -> Callable[..., Checked]:
    """Soaks a callable: `soak_check(function, seconds=60.0, *, inconclusive=None, **options)`.

    Takes the arguments of `soak.check` and returns its result if the verdict is `pass`; any other fails the test
    with the rate, the probability and the layer. `inconclusive` says what a check that is too short or
    too noisy does to the test: "fail", "skip" or "pass"; the default is the ini option `soak_inconclusive`.
    """
    folder = request.config.getoption("--soak-report")
    usual = str(request.config.getini("soak_inconclusive"))

    def check(function: Any, seconds: float = 60.0, *, inconclusive: str | None = None, **options: Any) -> Checked:
        __tracebackhide__ = True
        from soak.errors import SoakError
        from soak.runs import checking

        manner = inconclusive or usual
        if manner not in INCONCLUSIVE:
            raise pytest.UsageError(f"soak_inconclusive = {manner!r}: expected one of {', '.join(INCONCLUSIVE)}")
        if folder is not None:
            options = {"out": os.path.join(request.config.invocation_params.dir, folder), **options}  # noqa: PTH118
        found, wrong = None, ""
        try:
            found = checking.check(function, seconds, **{"name": request.node.name, **options})
        except SoakError as error:
            wrong = str(error)
        if found is None:
            pytest.fail(wrong, pytrace=False)
        if found or (found.verdict == "inconclusive" and manner == "pass"):
            return found
        said = str(found) if folder else f"{found}\n  (--soak-report=DIR keeps the report)"
        if found.verdict == "inconclusive" and manner == "skip":
            pytest.skip(said)
        pytest.fail(said, pytrace=False)

    return check
