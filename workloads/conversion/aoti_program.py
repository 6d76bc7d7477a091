"""Packages of AOTInductor run by a C++ program: it is built once, started as a child, and asked over pipes."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from workloads.conversion.kept import compiler, kept
from workloads.errors import CompilerError

SOURCE = Path(__file__).with_suffix(".cpp")
"""Its beginning says how requests and answers are written."""
PATIENCE = 5.0
"""Seconds for it to end once its input has ended; then it is killed."""


def built() -> Path:
    """The program, built against the installed PyTorch if that was not done yet.

    Raises:
        CompilerError: there is no C++ compiler, or it failed.
    """
    import torch

    text = SOURCE.read_text()
    return kept(".program", repr((torch.__version__, compiler(), text)), _build)


def _build(path: Path) -> None:
    import torch

    torch_folder = Path(torch.__file__).parent
    include, libraries = torch_folder / "include", torch_folder / "lib"
    words = [compiler(), "-O1", "-std=c++20", f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"]
    words += [f"-I{include}", f"-I{include}/torch/csrc/api/include", str(SOURCE), "-o", str(path)]
    words += [f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-ltorch", "-ltorch_cpu", "-lc10"]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise CompilerError(f"{words[0]} could not build {SOURCE.name} for torch {torch.__version__}: {ran.stderr}")


class AotiProgram:
    """The program, running. Not for several threads."""

    def __init__(self, threads: int) -> None:
        """Start it.

        Raises:
            CompilerError: it cannot be built here.
        """
        words = [str(built()), str(threads)]
        environ = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self._requests: IO[bytes] = self._process.stdin
        self._answers: IO[bytes] = self._process.stdout

    def run(self, package: Path, weights: Mapping[str, Any], inputs: Sequence[Any]) -> list[Any]:
        """The outputs of a package for these inputs, all of them tensors in float32.

        Args:
            package: loaded when it is first named.
            weights: that replace those the package has, from now on; others stay as they are.
            inputs: in the order of the model's.

        Raises:
            RuntimeError: the program failed, or has ended.
        """
        try:
            self._ask(package, weights, inputs)
            if self._number():
                raise RuntimeError(f"the C++ program says: {self._taken(self._number()).decode(errors='replace')}")
            return [self._tensor() for _ in range(self._number())]
        except (BrokenPipeError, EOFError) as error:
            raise RuntimeError(f"the C++ program ended with code {self._process.wait()}") from error

    def close(self) -> None:
        """End it; it removes what it has unpacked."""
        with contextlib.suppress(BrokenPipeError):  # what was not written yet
            self._requests.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()

    def _ask(self, package: Path, weights: Mapping[str, Any], inputs: Sequence[Any]) -> None:
        parts = [_text(str(package)), _numbers(len(weights))]
        for name, weight in weights.items():
            parts += [_text(name), _written(weight)]
        parts += [_numbers(len(inputs)), *map(_written, inputs)]
        self._requests.write(b"".join(parts))
        self._requests.flush()

    def _tensor(self) -> Any:
        import torch

        sizes = [self._number() for _ in range(self._number())]
        count = 1
        for size in sizes:
            count *= size
        return torch.frombuffer(bytearray(self._taken(4 * count)), dtype=torch.float32).reshape(sizes)

    def _number(self) -> int:
        return int(struct.unpack("=I", self._taken(4))[0])

    def _taken(self, size: int) -> bytes:
        taken = self._answers.read(size)
        if len(taken) < size:
            raise EOFError
        return taken


def _numbers(*numbers: int) -> bytes:
    return struct.pack(f"={len(numbers)}I", *numbers)


def _text(text: str) -> bytes:
    return _numbers(len(text.encode())) + text.encode()


def _written(tensor: Any) -> bytes:
    values: bytes = tensor.detach().contiguous().numpy().tobytes()
    return _numbers(tensor.dim(), *tensor.shape) + values
