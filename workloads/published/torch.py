"""Published networks in PyTorch. Imports torch: for the child only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.networks.lanes import columns
from workloads.networks.weights import initial
from workloads.protocol.contract import Clip, Sequences, Setup
from workloads.published import shapes

_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Of ResNet-50: features inside the blocks of a stage, of which four times as many leave it; and blocks."""
_WIDER = 4


class Bottleneck(nn.Module):
    """One block of ResNet-50: 1×1, 3×3, 1×1, and what came in added to what comes out."""

    def __init__(self, features: int, inner: int, stride: int) -> None:
        super().__init__()
        self.parts = nn.Sequential(
            *_normed(nn.Conv2d(features, inner, 1, bias=False)), nn.ReLU(),
            *_normed(nn.Conv2d(inner, inner, 3, stride, 1, bias=False)), nn.ReLU(),
            *_normed(nn.Conv2d(inner, _WIDER * inner, 1, bias=False)),
        )  # fmt: skip
        same = stride == 1 and features == _WIDER * inner
        past = nn.Conv2d(features, _WIDER * inner, 1, stride, bias=False)
        self.past = nn.Identity() if same else nn.Sequential(*_normed(past))

    def forward(self, x: Tensor) -> Tensor:
        """x: shape (n, features, height, width)."""
        return functional.relu(self.parts(x) + self.past(x))


def _normed(convolution: nn.Conv2d) -> tuple[nn.Module, nn.Module]:
    return convolution, nn.BatchNorm2d(convolution.out_channels)


class TorchResNet50(nn.Module):
    """ResNet-50. The state passes through: it has none."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        parts: list[nn.Module] = [*_normed(nn.Conv2d(channels, 64, 7, 2, 3, bias=False)), nn.ReLU()]
        parts.append(nn.MaxPool2d(3, 2, 1))
        features = 64
        for stage, (inner, blocks) in enumerate(_STAGES):
            for block in range(blocks):
                parts.append(Bottleneck(features, inner, 2 if stage and not block else 1))
                features = _WIDER * inner
        self.parts = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(features, classes)

    def forward(self, pictures: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """pictures: shape (n, channels, height, width). Returns scores, shape (n, classes), and the state."""
        return self.head(self.parts(pictures)), state


class TorchBertLayer(nn.Module):
    """One layer of the encoder, with the norm after each part."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attend, self.merge = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.widen, self.narrow = nn.Linear(hidden, 4 * hidden), nn.Linear(4 * hidden, hidden)
        self.norm1, self.norm2 = nn.LayerNorm(hidden), nn.LayerNorm(hidden)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: shape (batch, length, hidden)."""
        batch, length, hidden = tokens.shape
        parts = self.attend(tokens).reshape(batch, length, 3, self.heads, hidden // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind()
        seen = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2)
        tokens = self.norm1(tokens + self.merge(seen.reshape(batch, length, hidden)))
        wide = functional.gelu(self.widen(tokens), approximate="tanh")
        found: Tensor = self.norm2(tokens + self.narrow(wide))
        return found


class TorchBert(nn.Module):
    """An encoder of the shape of BERT, with scores of the masked tokens alone."""

    def __init__(self, vocabulary: int, options: Any) -> None:
        super().__init__()
        hidden = options.hidden
        self.every = options.mask_every
        self.embed = nn.Embedding(vocabulary + 1, hidden)
        self.places = nn.Embedding(options.context, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.layers = nn.Sequential(*(TorchBertLayer(hidden, options.heads) for _ in range(options.layers)))
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """tokens: shape (batch, length). Returns scores of every masked token, shape (n, vocabulary), and the state."""
        at = torch.arange(tokens.shape[1], device=tokens.device)
        seen = self.layers(self.norm(self.embed(tokens) + self.places(at)))
        return self.head(seen[:, :: self.every].flatten(0, 1)), state


class _TorchPublished:
    """A model, its optimizer, and how items reach it. Satisfies `Network` as far as executions of it go."""

    keep_graph = False

    def __init__(self, setup: Setup, model: nn.Module, learning_rate: float) -> None:
        self._device = torch.device(setup.device)
        self.model = model.to(self._device).train(setup.mode == "train")
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=learning_rate, momentum=0.9)
        self.first = torch.zeros(1, 1, device=self._device)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self.model(self.batched(inputs), state)
        return found

    frozen = forward
    """It is asked for in inference alone: nothing replays these."""

    def batched(self, inputs: Tensor) -> Tensor:
        raise NotImplementedError

    def mean(self, output: Tensor) -> Tensor:
        return output.detach().float().mean()

    def clear_gradients(self) -> None:
        self.optimizer.zero_grad()

    def update(self, loss: Tensor, tape: None = None) -> None:
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def on_device(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def numbers(self, output: Tensor) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = output.detach().float().cpu().numpy()
        return found


class _Pictures(_TorchPublished):
    def __init__(self, setup: Setup, options: Any) -> None:
        self._batch, self._classes = options.batch, options.classes
        super().__init__(setup, TorchResNet50(setup.channels, options.classes), options.learning_rate)

    def tensor(self, clip: Clip) -> Tensor:
        return torch.tensor(clip.frames, device=self._device)

    def pictures(self, frames: Tensor) -> Tensor:
        return frames.permute(0, 3, 1, 2).float() / 255

    def batched(self, inputs: Tensor) -> Tensor:
        if self._batch == 1:
            return inputs
        index = torch.tensor(columns(self._batch, inputs.shape[3]), device=self._device)
        return inputs[:, :, :, index].permute(0, 3, 1, 2, 4).flatten(0, 1)

    def loss(self, output: Tensor, pictures: Tensor) -> Tensor:
        """Against how bright a picture is, in as many steps as there are classes."""
        wanted = (pictures.mean(dim=(1, 2, 3)) * (self._classes - 1)).long().repeat_interleave(self._batch)
        return functional.cross_entropy(output, wanted)


class _Sentences(_TorchPublished):
    def __init__(self, setup: Setup, options: Any) -> None:
        self._vocabulary, self._every = int(setup.stream["vocabulary"]), options.mask_every
        self._context = options.context
        model = TorchBert(self._vocabulary, options)
        weights = initial(setup.seed, shapes.bert(options, self._vocabulary))
        model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
        super().__init__(setup, model, options.learning_rate)

    def tensor(self, item: Sequences) -> Tensor:
        tokens = shapes.within(self._context, item.tokens).astype(np.int64)
        return torch.tensor(tokens, device=self._device)

    def pictures(self, tokens: Tensor) -> Tensor:
        return tokens

    def batched(self, inputs: Tensor) -> Tensor:
        masked = inputs.clone()
        masked[:, :: self._every] = self._vocabulary
        return masked

    def loss(self, output: Tensor, tokens: Tensor) -> Tensor:
        return functional.cross_entropy(output, tokens[:, :: self._every].flatten())


BUILDERS: Mapping[str, Callable[[Setup, Any], _TorchPublished]] = {"resnet50": _Pictures, "bert": _Sentences}
