"""GPUs for tests on machines that have none."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gpu.stub import GpuStub, build, compiler


@pytest.fixture(scope="session")
def gpu_libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that LD_LIBRARY_PATH must name. Under CI a skip is a failure (tests/conftest.py)."""
    if compiler() is None:
        pytest.skip("gcc is not installed, which builds the stubs of NVML and CUDA: apt-get install gcc libc6-dev")
    return build(tmp_path_factory.mktemp("gpu") / "lib")


@pytest.fixture
def gpu_stub(gpu_libraries: Path, tmp_path: Path) -> Iterator[GpuStub]:
    """One calm card, and whatever a test makes of it."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as ledger:
        yield GpuStub(gpu_libraries, tmp_path, Path(ledger))
