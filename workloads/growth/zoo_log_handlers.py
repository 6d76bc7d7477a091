"""Zoo: a logger is set up again for every request, and its handlers, each with a buffer, pile up.

As where `logging.getLogger(name).addHandler(…)` stands in a function that is called again and again.
"""

from __future__ import annotations

import io
import logging

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        logger = logging.getLogger("soak.zoo.requests")
        logger.propagate = False
        handler = logging.StreamHandler(io.StringIO(" " * (self._options.size // 4)))
        handler.setLevel(logging.ERROR)
        logger.addHandler(handler)
        if self._options.distinct and len(logger.handlers) > self._options.distinct:
            logger.removeHandler(logger.handlers[0])


build = _Leak
