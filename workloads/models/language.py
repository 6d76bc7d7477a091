"""Decoder of token sequences whose cache of keys and values is carried on, up to a bound; infers."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workloads import language
from workloads.language import DecoderSizes, shapes
from workloads.protocol.contract import Sequences, Setup

FRAMEWORKS = language.frameworks()
MODES = ("infer",)
EXECUTIONS = ("eager",)
SOURCES = ("tokens",)


@dataclass(frozen=True)
class Options(DecoderSizes):
    """Sizes; the defaults make a model that one core runs at hundreds of sequences a second."""


class Language:
    """Reads the beginning of each sequence at once, and its last tokens one by one."""

    def __init__(self, decoder: Any, decode: int) -> None:
        self.output: Any = None
        self._decoder, self._decode = decoder, decode

    def step(self, item: Sequences) -> float:
        """Run one batch of sequences; the mean of the scores of the token that would come next."""
        tokens = item.tokens
        split = max(1, tokens.shape[1] - self._decode)
        self.output = self._decoder.run(tokens[:, :split])
        for place in range(split, tokens.shape[1]):
            self.output = self._decoder.run(tokens[:, place : place + 1])
        mean: float = self._decoder.mean(self.output)
        return mean

    def counters(self) -> Mapping[str, float]:
        """Tokens of a sequence that the cache holds: it rises to the bound, and stays."""
        return {"cached_tokens": float(self._decoder.cached)}

    def close(self) -> None:
        """Let go of everything."""
        self.output = self._decoder = None


def build(setup: Setup, options: Options) -> Language:
    """The model of this framework."""
    from workloads.networks.weights import initial

    weights = initial(setup.seed, shapes(options, int(setup.stream["vocabulary"])))
    module = importlib.import_module(f"workloads.language.{setup.framework}")
    return Language(module.DECODER(weights, options, setup.device), options.decode)
