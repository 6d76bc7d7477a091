"""ResNet-50 and the encoder of the shape of BERT: of the published size, in both frameworks, and they learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from workloads import catalog, sources
from workloads.protocol.contract import Setup

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

STREAMS = {
    "resnet50": ("synthetic", {"height": 32, "width": 32, "clip_frames": [2]}),
    "bert": ("tokens", {"vocabulary": 50, "batch": 2, "length": "fixed", "lengths": [15]}),
}
EXECUTION = {"torch": "eager", "tensorflow": "graph"}


def built(
    name: str, framework: str, mode: str, stream: Mapping[str, Any] | None = None, **options: Any
) -> tuple[Any, Any]:
    source, given = STREAMS[name]
    spec = sources.spec_of(source, {**given, **(stream or {})})
    setup = Setup(name, framework, mode, EXECUTION[framework], 5, 3, options=options, stream=spec.options)
    return catalog.load(name).build(setup, catalog.options_of(name, options)), sources.open_source(spec, 3)


def parameters(workload: Any, framework: str) -> int:
    model = workload._network.model
    if framework == "torch":
        return sum(one.numel() for one in model.parameters())
    return sum(int(np.prod(one.shape)) for one in model.trainable_variables)


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_resnet50_is_of_the_published_size(framework: str) -> None:
    """25.6 million weights; Keras gives convolutions a bias that the norm behind them takes away again."""
    workload, source = built("resnet50", framework, "infer", batch=2)
    assert parameters(workload, framework) == pytest.approx(25.55e6, rel=0.003)
    value = workload.step(source.next())
    assert tuple(workload.output.shape) == (4, 1000)
    assert np.isfinite(value)
    item = source.next()
    assert np.array_equal(workload.replay(item), workload.replay(item))
    workload.close()


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_resnet50_takes_pictures_of_every_size_that_a_stream_has(framework: str) -> None:
    stream = {"height": 16, "width": 16, "resolutions": [[16, 16], [24, 40]], "resolution_every": 1}
    workload, source = built("resnet50", framework, "infer", stream, batch=2)
    shapes = set()
    while len(shapes) < 2:
        item = source.next()
        shapes.add(item.frames.shape)
        assert np.isfinite(workload.step(item))
        assert tuple(workload.output.shape) == (4, 1000)
    workload.close()


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_a_sequence_that_is_longer_than_the_context_is_told(framework: str) -> None:
    workload, source = built("bert", framework, "infer", hidden=16, layers=1, context=14)
    with pytest.raises(ValueError, match=r"a sequence of 15 tokens: expected 14 at most \(context\)"):
        workload.step(source.next())
    workload.close()


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_the_encoder_learns_the_tokens_that_it_sees(framework: str) -> None:
    workload, source = built("bert", framework, "train", hidden=16, layers=1, mask_every=5, learning_rate=0.05)
    item = source.next()
    losses = [workload.step(item) for _ in range(30)]
    assert losses[0] == pytest.approx(np.log(50), abs=1.0)
    assert losses[-1] < 0.7 * losses[0]
    assert tuple(workload.output.shape) == (2 * 3, 50)
    assert not hasattr(workload, "replay")
    workload.close()


def test_the_encoder_gives_the_same_scores_in_both_frameworks() -> None:
    told, sizes = [], []
    for framework in ("torch", "tensorflow"):
        workload, source = built("bert", framework, "infer", hidden=16, layers=2, context=32)
        told.append(workload.replay(source.next()))
        sizes.append(parameters(workload, framework))
    assert sizes[0] == sizes[1]
    assert np.abs(told[0] - told[1]).max() <= 1e-5 * np.abs(told[0]).max()


def test_the_encoder_trains_alike_in_both_frameworks() -> None:
    told = []
    for framework in ("torch", "tensorflow"):
        workload, source = built("bert", framework, "train", hidden=16, layers=2, learning_rate=0.05)
        told.append([workload.step(source.next()) for _ in range(8)])
    assert np.allclose(told[0], told[1], rtol=1e-4)
