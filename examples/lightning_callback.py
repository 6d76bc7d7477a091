"""A Lightning callback that reports every training batch to soak. Needs `pip install lightning`.

soak exec --duration 2min -- python examples/lightning_callback.py
"""

from __future__ import annotations

import argparse
from typing import Any

import lightning
import torch

import soak


class SoakBeat(lightning.Callback):
    """Give it to `Trainer(callbacks=[SoakBeat()])`; outside soak it does nothing."""

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """One step, by the number that Lightning counts over all epochs."""
        soak.beat(step=trainer.global_step, loss=outputs["loss"].detach(), samples=len(batch[0]))


class Network(lightning.LightningModule):
    """A small network."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 1))

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        """The loss of one batch."""
        inputs, targets = batch
        return torch.nn.functional.mse_loss(self.layers(inputs), targets)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters())


def main() -> None:
    """Train it on random data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10**9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = torch.utils.data.TensorDataset(torch.randn(640, 64), torch.randn(640, 1))
    trainer = lightning.Trainer(
        accelerator="cpu", max_steps=options.steps, max_epochs=-1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[SoakBeat()],
    )  # fmt: skip
    trainer.fit(Network(), torch.utils.data.DataLoader(data, batch_size=32))
    soak.done()


if __name__ == "__main__":
    main()
