"""The whole self-test as shipped: every planted fault and lookalike judged right, in both frameworks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_every_control_is_judged_as_it_has_to_be(soak: Any) -> None:
    config = Path(__file__).parents[2] / "configs" / "selftest.toml"
    code, output = soak.run("run", config, timeout=1400)
    wrong = [t["name"] for t in soak.report()["trials"] if not t["control"]["passed"]]
    assert wrong == []
    assert code == 0, output
