"""A language model of transformers with random weights, which generates tokens with a key-value cache; infers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workloads.options import OptionError, between, one_of
from workloads.protocol.contract import Sequences, Setup

FRAMEWORKS = ("torch",)
MODES = ("infer",)
EXECUTIONS = ("eager",)
SOURCES = ("tokens",)
REQUIRES = {"transformers": "transformers"}
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""A model that is made from a config needs nothing from anywhere."""


@dataclass(frozen=True)
class Options:
    """Sizes of a Llama, and how it generates; the defaults make tens of steps a second on one core."""

    cache: str = "dynamic"
    """dynamic (grows with each token), static (of the length of sequence and new tokens from the start)."""
    new_tokens: int = 8
    """Tokens that are generated after each sequence."""
    hidden: int = 32
    """Features of a token."""
    layers: int = 2
    """Layers of the decoder; each has a cache of its own."""
    heads: int = 2
    """Heads of attention, which share the features."""
    context: int = 256
    """The longest sequence, with what is generated after it."""

    def __post_init__(self) -> None:
        one_of(self, "cache", "dynamic", "static")
        between(self, "new_tokens", 1, 2**16)
        between(self, "hidden", 2, 2**16)
        between(self, "layers", 1, 1000)
        between(self, "context", 2, 2**20)
        if self.heads < 1 or self.hidden % (2 * self.heads):
            expected = f"expected a divisor of hidden / 2 = {self.hidden / 2:g}: the rotation of places takes pairs"
            raise OptionError("heads", self.heads, expected)


class Generate:
    """Generates after each batch of sequences, always the likeliest token. Satisfies `Workload`."""

    def __init__(self, model: Any, options: Options) -> None:
        self.output: Any = None
        self._model, self._options = model, options
        # A static cache is compiled on a GPU otherwise: that would be another execution.
        static = {"cache_implementation": "static", "disable_compile": True}
        self._how = {
            "max_new_tokens": options.new_tokens,
            "min_new_tokens": options.new_tokens,
            "do_sample": False,
            "return_dict_in_generate": True,
            "output_logits": True,
            **(static if options.cache == "static" else {}),
        }
        self._generated = 0

    def step(self, item: Sequences) -> float:
        """Run one batch of sequences; the mean of the scores of its last token.

        Raises:
            ValueError: a sequence leaves too little room in the context.
        """
        import torch

        length, most = item.tokens.shape[1], self._options.context - self._options.new_tokens
        if length > most:
            raise ValueError(f"a sequence of {length:,} tokens: expected {most:,} at most (context - new_tokens)")
        tokens = torch.tensor(item.tokens, dtype=torch.long, device=self._model.device)
        with torch.inference_mode():
            made = self._model.generate(tokens, attention_mask=torch.ones_like(tokens), **self._how)
        self.output = made.sequences
        self._generated += self._options.new_tokens * len(item.tokens)
        return float(made.logits[-1].mean())

    def counters(self) -> Mapping[str, float]:
        """Tokens generated so far."""
        return {"generated_tokens": float(self._generated)}

    def close(self) -> None:
        """Let go of everything."""
        self.output = self._model = None


def build(setup: Setup, options: Options) -> Generate:
    """The model, its weights drawn from the seed."""
    for name, value in _OFFLINE.items():
        os.environ.setdefault(name, value)
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(setup.seed)
    config = LlamaConfig(
        vocab_size=int(setup.stream["vocabulary"]), hidden_size=options.hidden, intermediate_size=2 * options.hidden,
        num_hidden_layers=options.layers, num_attention_heads=options.heads, max_position_embeddings=options.context,
        pad_token_id=0, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    return Generate(LlamaForCausalLM(config).eval().to(setup.device), options)
