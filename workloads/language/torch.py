"""The language model in PyTorch. Imports torch: for the child only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from workloads.language import DecoderSizes, mask, places


class TorchDecoder:
    """A decoder over a cache of keys and values, which it carries from call to call."""

    def __init__(self, weights: Mapping[str, npt.NDArray[np.float32]], sizes: DecoderSizes, device: str) -> None:
        self._sizes, self._device = sizes, torch.device(device)
        self._weights = {name: torch.tensor(value, device=self._device) for name, value in weights.items()}
        self._places = torch.tensor(places(sizes), device=self._device)
        self._cache: list[tuple[Tensor, Tensor]] = []
        self._seen = 0

    @property
    def cached(self) -> int:
        """Tokens of a sequence that the cache holds."""
        return self._cache[0][0].shape[2] if self._cache else 0

    @torch.inference_mode()
    def run(self, tokens: npt.NDArray[np.int32]) -> Tensor:
        """The scores of the token after the last one, shape (batch, vocabulary). tokens: shape (batch, n)."""
        count = tokens.shape[1]
        place = (torch.arange(count, device=self._device) + self._seen) % self._sizes.context
        embed = self._weights["embed.weight"]
        features = embed[torch.tensor(tokens, device=self._device).long()] + self._places[place]
        bias = torch.tensor(mask(self.cached, count, self._sizes.context), device=self._device)
        kept = []
        for layer in range(self._sizes.layers):
            features, pair = self._layer(layer, features, bias)
            kept.append(pair)
        self._cache = kept
        self._seen += count
        return features[:, -1] @ embed.T

    def mean(self, scores: Tensor) -> float:
        """Of all scores."""
        return float(scores.mean())

    def _layer(self, layer: int, features: Tensor, bias: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        batch, count, hidden = features.shape
        heads, context = self._sizes.heads, self._sizes.context
        parts = self._norm(layer, "norm1", features) @ self._of(layer, "attend.weight").T
        query, key, value = parts.reshape(batch, count, 3, heads, hidden // heads).permute(2, 0, 3, 1, 4)
        if self._cache:
            key = torch.cat((self._cache[layer][0], key), dim=2)
            value = torch.cat((self._cache[layer][1], value), dim=2)
        scores = query @ key.transpose(2, 3) / (hidden // heads) ** 0.5 + bias
        seen = (torch.softmax(scores, dim=-1) @ value).transpose(1, 2).reshape(batch, count, hidden)
        features = features + seen @ self._of(layer, "merge.weight").T
        wide = functional.relu(self._norm(layer, "norm2", features) @ self._of(layer, "widen.weight").T)
        features = features + wide @ self._of(layer, "narrow.weight").T
        # A slice would hold on to all that it was cut from.
        return features, (key[:, :, -context:].clone(), value[:, :, -context:].clone())

    def _norm(self, layer: int, name: str, features: Tensor) -> Tensor:
        scale, bias = self._of(layer, f"{name}.weight"), self._of(layer, f"{name}.bias")
        return functional.layer_norm(features, scale.shape, scale, bias, 1e-5)

    def _of(self, layer: int, name: str) -> Tensor:
        return self._weights[f"{layer}.{name}"]


DECODER = TorchDecoder
