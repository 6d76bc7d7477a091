"""The voice-activity model answers the same through each hub, and in each form that its package has."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.installed import need
from workloads import catalog, executions, sources
from workloads.protocol.contract import Setup
from workloads.protocol.order import StreamSpec

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

CHUNKS = 60
"""Nearly two seconds: some syllables and pauses."""
WAYS = [("torch", {"form": "jit"}), ("torch", {"form": "onnx"}), ("tensorflow", {})]


def answers(framework: str, rate: int = 16000, **options: Any) -> Any:
    """The probability of every chunk, the state carried."""
    name = f"hub_{framework}"
    module = catalog.load(name)
    need(*module.REQUIRES)
    spec = StreamSpec("audio", {"rate": rate, "chunk": rate * 512 // 16000})
    setup = Setup(name, framework, "infer", "eager", 0, 0, stream=sources.filled(spec))
    workload = module.build(setup, module.Options(**options))
    stream = sources.open_source(spec, 3)
    found = np.array([workload.step(stream.next()) for _ in range(CHUNKS)])
    workload.close()
    return found


@cache
def wanted() -> Any:
    """What onnxruntime answers."""
    return answers("torch", form="onnx")


@pytest.mark.parametrize(("framework", "options"), WAYS)
def test_every_form_answers_the_same(framework: str, options: dict[str, Any]) -> None:
    found = answers(framework, **options)
    # A probability: sums in another order change it by some units of its last place, which the state carries on.
    assert np.abs(found - wanted()).max() < executions.TOLERANCE
    assert np.ptp(wanted()) > 1000 * executions.TOLERANCE, "it tells sounds apart"


def test_the_other_rate_has_weights_of_its_own() -> None:
    assert np.abs(answers("torch", 8000, form="jit") - answers("torch", 8000, form="onnx")).max() < executions.TOLERANCE


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_a_chunk_of_another_length_is_refused_with_what_was_expected(framework: str) -> None:
    module = catalog.load(f"hub_{framework}")
    need(*module.REQUIRES)
    spec = StreamSpec("audio", {"chunk": 100})
    setup = Setup(f"hub_{framework}", framework, "infer", "eager", 0, 0, stream=sources.filled(spec))
    with pytest.raises(ValueError, match="chunk = 100: expected 512"):
        module.build(setup, module.Options())
