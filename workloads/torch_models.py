"""The two architectures in PyTorch, and how a stream drives one. Imports torch: for the child only."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.architecture import REPLAY_TOLERANCE, Sizes, shapes
from workloads.weights import initial
from workloads.workload import Clip, Setup


class Stem(nn.Module):
    """Frames to one vector of features each: two strided convolutions and the mean over the picture."""

    def __init__(self, channels: int, sizes: Sizes) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, sizes.stem, 3, stride=2)
        self.conv2 = nn.Conv2d(sizes.stem, 2 * sizes.stem, 3, stride=2)
        self.project = nn.Linear(2 * sizes.stem, sizes.hidden)

    def forward(self, frames: Tensor) -> Tensor:
        """frames: shape (T, channels, height, width), 0 to 1. Returns shape (T, hidden)."""
        features = functional.relu(self.conv2(functional.relu(self.conv1(frames))))
        projected: Tensor = self.project(features.mean(dim=(2, 3)))
        return projected


class Recurrent(nn.Module):
    """Stem, GRU over the frames, linear head. The state is the GRU's hidden vector."""

    def __init__(self, channels: int, sizes: Sizes) -> None:
        super().__init__()
        self.stem = Stem(channels, sizes)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, channels)

    def forward(self, frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Returns a prediction for each frame, shape (T, channels), and the state, shape (1, hidden)."""
        hidden, state = self.gru(self.stem(frames), state)
        return self.head(hidden), state


class Layer(nn.Module):
    """One layer of a transformer encoder, norms first."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.norm1 = nn.LayerNorm(sizes.hidden)
        self.attend = nn.Linear(sizes.hidden, 3 * sizes.hidden)
        self.merge = nn.Linear(sizes.hidden, sizes.hidden)
        self.norm2 = nn.LayerNorm(sizes.hidden)
        self.widen = nn.Linear(sizes.hidden, 4 * sizes.hidden)
        self.narrow = nn.Linear(4 * sizes.hidden, sizes.hidden)

    def forward(self, tokens: Tensor, bias: Tensor) -> Tensor:
        """tokens: shape (n, hidden). bias: shape (n, n), added to the scores."""
        count, hidden = tokens.shape
        parts = self.attend(self.norm1(tokens)).reshape(count, 3, self.heads, hidden // self.heads)
        query, key, value = parts.permute(1, 2, 0, 3)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        tokens = tokens + self.merge(seen.transpose(0, 1).reshape(count, hidden))
        widened = functional.gelu(self.widen(self.norm2(tokens)), approximate="tanh")
        narrowed: Tensor = self.narrow(widened)
        return tokens + narrowed


class VideoTransformer(nn.Module):
    """Stem, transformer over a sliding window of frames, linear head. The state is the window of features."""

    def __init__(self, channels: int, sizes: Sizes) -> None:
        super().__init__()
        self.window = sizes.window
        self.stem = Stem(channels, sizes)
        self.layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.layers))
        self.norm = nn.LayerNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, channels)

    def forward(self, frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Returns a prediction for each frame, shape (T, channels), and the state, shape (window, hidden)."""
        tokens = torch.cat((state, self.stem(frames)))
        place = torch.arange(len(tokens), device=tokens.device)
        back = place[:, None] - place[None, :]
        bias = (-back / self.window).masked_fill((back < 0) | (back >= self.window), -torch.inf)
        seen = tokens
        for layer in self.layers:
            seen = layer(seen, bias)
        return self.head(self.norm(seen[self.window :])), tokens[-self.window :]


_MODELS = {"recurrent": Recurrent, "transformer": VideoTransformer}


class Driven:
    """A model driven by a stream, its state carried from clip to clip. Satisfies `Model`."""

    replay_tolerance = REPLAY_TOLERANCE

    def __init__(self, architecture: str, setup: Setup, sizes: Sizes, keep_graph: bool = False) -> None:
        self._device = torch.device(setup.device)
        self._model: nn.Module = _MODELS[architecture](setup.channels, sizes)
        weights = initial(setup.seed, shapes(architecture, setup.channels, sizes))
        self._model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
        self._model.to(self._device)
        self._train, self._keep_graph = setup.mode == "train", keep_graph
        self._optimizer = torch.optim.SGD(self._model.parameters(), lr=sizes.learning_rate, momentum=0.9)
        # What a replay runs: in training a copy, whose weights stay what they were at first.
        self._frozen = copy.deepcopy(self._model).requires_grad_(False) if self._train else self._model
        rows = sizes.window if architecture == "transformer" else 1
        self._state = self._zero = torch.zeros(rows, sizes.hidden, device=self._device)
        self.output: Any = None

    def step(self, clip: Clip) -> float:
        """Run one clip; the loss when training, the mean of the output when inferring."""
        frames = self._frames(clip)
        return self._learn(frames) if self._train else self._infer(frames)

    def _frames(self, clip: Clip) -> Tensor:
        return torch.tensor(clip.frames, device=self._device).permute(0, 3, 1, 2).float() / 255

    def _infer(self, frames: Tensor) -> float:
        with torch.set_grad_enabled(self._keep_graph):
            self.output, self._state = self._model(frames, self._state)
            return float(self.output.detach().mean())

    def _learn(self, frames: Tensor) -> float:
        self._optimizer.zero_grad()
        self.output, state = self._model(frames, self._state)
        loss = functional.mse_loss(self.output, following(frames))
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._state = state.detach()
        self.output = self.output.detach()
        return float(loss.detach())

    def replay(self, clip: Clip) -> npt.NDArray[np.float32]:
        """Run the initial weights over a clip, from the zero state. Returns shape (T, channels)."""
        with torch.no_grad():
            answer, _ = self._frozen(self._frames(clip), self._zero)
        numbers: npt.NDArray[np.float32] = answer.float().cpu().numpy()
        return numbers

    def alter_head(self, change: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> None:
        """Replace the weights of the last layer by what `change` makes of them; shape (channels, hidden)."""
        weight = self._model.get_parameter("head.weight").detach()
        weight.copy_(torch.tensor(change(weight.float().cpu().numpy())))

    def counters(self) -> Mapping[str, float]:
        """There are none."""
        return {}

    def close(self) -> None:
        """Let go of the model."""
        self.output = None


def following(frames: Tensor) -> Tensor:
    """What a model learns to foretell: the next frame's mean colour, shape (T, channels); the last's is its own."""
    means = frames.mean(dim=(2, 3))
    return torch.cat((means[1:], means[-1:]))
