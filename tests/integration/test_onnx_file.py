"""ONNX files have the operator set that was asked for, or are refused; both exporters take more than one lane."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.installed import need
from workloads import networks
from workloads.conversion import onnx_file
from workloads.networks.architecture import NetworkSizes
from workloads.protocol.contract import Setup

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]
need("torch", "onnx", "onnxscript", "onnxruntime")

LANES = 2
SHAPE = (4 * LANES, 3, 16, 16)


def network(architecture: str) -> Any:
    setup = Setup(architecture, "torch", "infer", "eager", 5, 3)
    return networks.load("torch").build(architecture, setup, NetworkSizes(batch=LANES), False)


def test_the_exporter_that_silently_writes_a_newer_set_is_refused() -> None:
    with pytest.raises(onnx_file.OpsetError, match="asked for operator set 11 of ONNX and wrote 18"):
        onnx_file.from_torch(network("recurrent"), SHAPE, 11)


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
@pytest.mark.parametrize(
    ("export", "opset"),
    [(onnx_file.from_torch, onnx_file.NEWEST), (onnx_file.from_torch, 18), (onnx_file.from_torch_traced, 11)],
)
def test_a_file_has_the_set_that_was_asked_for_and_answers_as_pytorch_does(
    architecture: str, export: Any, opset: int
) -> None:
    import onnx
    import torch

    model = network(architecture)
    written = export(model, SHAPE, opset)
    assert onnx_file.opset_of(onnx.load_from_string(written)) == opset
    pictures = torch.rand(SHAPE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = [each.numpy() for each in model.model(pictures, model.first)]
    found = onnx_file.OnnxProgram(written)(pictures.numpy(), model.first.numpy())
    for answer, right in zip(found, wanted, strict=True):
        assert np.abs(answer - right).max() < 2e-5 * np.abs(right).max()
