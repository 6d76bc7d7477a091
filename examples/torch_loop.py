"""A plain PyTorch training loop that reports its steps to soak.

Without a leak, and with one (a list of losses that holds every graph):

    soak exec --duration 2min -- python examples/torch_loop.py
    soak exec --duration 2min -- python examples/torch_loop.py --leak
"""

from __future__ import annotations

import argparse

import torch

import soak


def main() -> None:
    """Train a small network on random data until it is asked to end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10**9)
    parser.add_argument("--leak", action="store_true", help="keep every loss, with the graph that it hangs on")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 1))
    optimizer = torch.optim.Adam(model.parameters())
    losses: list[torch.Tensor] = []
    for step in range(options.steps):
        inputs, targets = torch.randn(32, 64), torch.randn(32, 1)
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if options.leak:
            losses.append(loss)  # the bug: it holds its graph; `loss.item()` would not
        soak.beat(step=step, loss=loss.detach(), samples=len(inputs))
    soak.done()


if __name__ == "__main__":
    main()
