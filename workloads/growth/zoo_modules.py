"""Zoo: generated code runs as a module with a new name each time, and `sys.modules` keeps all of them."""

from __future__ import annotations

import sys
import types

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


_CODE = "WEIGHTS = [{number} + i / 7 for i in range({count})]\ndef scaled(by):\n    return [by * w for w in WEIGHTS]\n"


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        name = f"soak_zoo_generated_{novelty}"
        module = types.ModuleType(name)
        code = _CODE.format(number=self._turns, count=self._options.size // 32)
        exec(compile(code, name, "exec"), module.__dict__)  # noqa: S102  (our own text)
        sys.modules[name] = module


build = _Leak
