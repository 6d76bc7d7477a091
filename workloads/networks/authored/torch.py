"""The two architectures in PyTorch, as a user of it would write them. Imports torch: for the child only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.networks.architecture import NetworkSizes, shapes
from workloads.networks.lanes import columns
from workloads.networks.weights import first_state, initial
from workloads.protocol.contract import Clip, Setup


class TorchStem(nn.Module):
    """Frames to one vector of features each: two strided convolutions and the mean over the picture."""

    def __init__(self, channels: int, sizes: NetworkSizes) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, sizes.stem, 3, stride=2)
        self.conv2 = nn.Conv2d(sizes.stem, 2 * sizes.stem, 3, stride=2)
        self.project = nn.Linear(2 * sizes.stem, sizes.hidden)

    def forward(self, frames: Tensor) -> Tensor:
        """frames: shape (n, channels, height, width), 0 to 1. Returns shape (n, hidden)."""
        features = functional.relu(self.conv2(functional.relu(self.conv1(frames))))
        projected: Tensor = self.project(features.mean(dim=(2, 3)))
        return projected


class TorchRecurrent(nn.Module):
    """Stem, GRU over the frames, linear head. The state is the GRU's hidden vector of each lane."""

    def __init__(self, channels: int, sizes: NetworkSizes) -> None:
        super().__init__()
        self.stem = TorchStem(channels, sizes)
        self.gru = nn.GRU(sizes.hidden, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, channels)

    def forward(self, frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run one clip.

        Args:
            frames: shape (T · lanes, channels, height, width), the lanes of a frame side by side.
            state: shape (lanes, hidden).

        Returns:
            A prediction for each frame, shape (T · lanes, channels), and the state.
        """
        lanes, size = state.shape
        hidden, last = self.gru(self.stem(frames).reshape(-1, lanes, size), state[None])
        return self.head(hidden.reshape(-1, size)), last[0]


class TorchLayer(nn.Module):
    """One layer of a transformer encoder, norms first."""

    def __init__(self, sizes: NetworkSizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.norm1 = nn.LayerNorm(sizes.hidden)
        self.attend = nn.Linear(sizes.hidden, 3 * sizes.hidden)
        self.merge = nn.Linear(sizes.hidden, sizes.hidden)
        self.norm2 = nn.LayerNorm(sizes.hidden)
        self.widen = nn.Linear(sizes.hidden, 4 * sizes.hidden)
        self.narrow = nn.Linear(4 * sizes.hidden, sizes.hidden)

    def forward(self, tokens: Tensor, bias: Tensor) -> Tensor:
        """tokens: shape (lanes · n, hidden). bias: shape (n, n), added to the scores."""
        count, hidden = len(bias), tokens.shape[1]
        parts = self.attend(self.norm1(tokens)).reshape(-1, count, 3, self.heads, hidden // self.heads)
        # One lane alone goes without that dimension, as one would write it.
        query, key, value = parts.permute(2, 0, 3, 1, 4).squeeze(1).unbind()
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        tokens = tokens + self.merge(seen.transpose(-3, -2).reshape(-1, hidden))
        widened = functional.gelu(self.widen(self.norm2(tokens)), approximate="tanh")
        narrowed: Tensor = self.narrow(widened)
        return tokens + narrowed


class TorchVideoTransformer(nn.Module):
    """Stem, transformer over a sliding window of frames, linear head. The state is each lane's window of features."""

    def __init__(self, channels: int, sizes: NetworkSizes) -> None:
        super().__init__()
        self.window = sizes.window
        self.stem = TorchStem(channels, sizes)
        self.layers = nn.ModuleList(TorchLayer(sizes) for _ in range(sizes.layers))
        self.norm = nn.LayerNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, channels)

    def forward(self, frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run one clip.

        Args:
            frames: shape (T · lanes, channels, height, width), the lanes of a frame side by side.
            state: shape (lanes, window, hidden).

        Returns:
            A prediction for each frame, shape (T · lanes, channels), and the state.
        """
        lanes, _, hidden = state.shape
        tokens = torch.cat((state, self.stem(frames).reshape(-1, lanes, hidden).transpose(0, 1)), dim=1)
        place = torch.arange(tokens.shape[1], device=tokens.device)
        back = place[:, None] - place[None, :]
        bias = (-back / self.window).masked_fill((back < 0) | (back >= self.window), -torch.inf).to(tokens.dtype)
        seen = tokens.reshape(-1, hidden)
        for layer in self.layers:
            seen = layer(seen, bias)
        new = seen.reshape(lanes, -1, hidden)[:, self.window :].transpose(0, 1).reshape(-1, hidden)
        return self.head(self.norm(new)), tokens[:, -self.window :]


_MODELS = {"recurrent": TorchRecurrent, "transformer": TorchVideoTransformer}


class TorchNetwork:
    """A model, its optimizer, and how clips reach it. Satisfies `Network`."""

    def __init__(self, architecture: str, setup: Setup, sizes: NetworkSizes, keep_graph: bool) -> None:
        self._device, self._dtype = torch.device(setup.device), getattr(torch, sizes.precision)
        self._batch = sizes.batch
        self.keep_graph = keep_graph
        self.model = self._built(architecture, setup, sizes)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=sizes.learning_rate, momentum=0.9)
        # What a replay runs: in training another, whose weights stay what they were at first. A deep copy would lose
        # the order in memory that cuDNN wants the weights of a GRU in.
        trains = setup.mode == "train"
        self._frozen = self._built(architecture, setup, sizes).requires_grad_(False) if trains else self.model
        self.first = torch.tensor(first_state(architecture, sizes)).to(self._device, self._dtype)

    def _built(self, architecture: str, setup: Setup, sizes: NetworkSizes) -> nn.Module:
        """The model with its initial weights, on the device."""
        model: nn.Module = _MODELS[architecture](setup.channels, sizes)
        weights = initial(setup.seed, shapes(architecture, setup.channels, sizes))
        model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
        return model.to(self._device, self._dtype)

    def tensor(self, clip: Clip) -> Tensor:
        """The frames on the device: shape (T, height, width, channels), uint8."""
        return torch.tensor(clip.frames, device=self._device)

    def pictures(self, frames: Tensor) -> Tensor:
        """Shape (T, channels, height, width), 0 to 1."""
        return frames.permute(0, 3, 1, 2).float() / 255

    def forward(self, pictures: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run one clip."""
        found: tuple[Tensor, Tensor] = self.model(self.batched(pictures), state)
        return found

    def frozen(self, pictures: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run one clip with the weights of the beginning."""
        found: tuple[Tensor, Tensor] = self._frozen(self.batched(pictures), state)
        return found

    def batched(self, pictures: Tensor) -> Tensor:
        """In the model's precision, once for each lane: shape (T · lanes, channels, height, width)."""
        pictures = pictures.to(self._dtype)
        if self._batch == 1:
            return pictures
        count, channels, height, width = pictures.shape
        index = torch.tensor(columns(self._batch, width), device=self._device)
        lanes = pictures.permute(0, 2, 3, 1)[:, :, index].transpose(1, 2)
        return lanes.reshape(count * self._batch, height, width, channels).permute(0, 3, 1, 2)

    def mean(self, output: Tensor) -> Tensor:
        """Without history."""
        return output.detach().float().mean()

    def loss(self, output: Tensor, pictures: Tensor) -> Tensor:
        """Mean squared error against the following colour."""
        wanted = following(pictures)
        # A shifted picture has the same mean colour: every lane is told the same.
        wanted = wanted if self._batch == 1 else wanted.repeat_interleave(self._batch, 0)
        return functional.mse_loss(output.float(), wanted)

    def clear_gradients(self) -> None:
        """Drop those of the last step, which stay beside the weights until then."""
        self.optimizer.zero_grad()

    def update(self, loss: Tensor, tape: None = None) -> None:
        """One step of SGD."""
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def on_device(self) -> AbstractContextManager[None]:
        """Nothing need be said: tensors know where they are."""
        return contextlib.nullcontext()

    def unrecorded(self) -> AbstractContextManager[None]:
        """Without gradients."""
        return torch.no_grad()

    def numbers(self, output: Tensor) -> npt.NDArray[np.float32]:
        """On the host."""
        numbers: npt.NDArray[np.float32] = output.float().cpu().numpy()
        return numbers

    def alter_head(self, change: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> None:
        """Replace the weights of the last layer by what `change` makes of them; shape (channels, hidden)."""
        weight = self.model.get_parameter("head.weight").detach()
        weight.copy_(torch.tensor(change(weight.float().cpu().numpy())))


def following(pictures: Tensor) -> Tensor:
    """What a model learns to foretell: the next frame's mean colour, shape (T, channels); the last's is its own."""
    means = pictures.mean(dim=(2, 3))
    return torch.cat((means[1:], means[-1:]))


def build(architecture: str, setup: Setup, sizes: NetworkSizes, keep_graph: bool) -> TorchNetwork:
    """The network of that architecture, with its initial weights."""
    return TorchNetwork(architecture, setup, sizes, keep_graph)
