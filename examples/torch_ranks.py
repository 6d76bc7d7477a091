"""Two ranks of `torch.distributed` that report their steps to soak; one of them may leak.

soak exec --ranks 2 --duration 2min -- python examples/torch_ranks.py
soak exec --ranks 2 --duration 2min -- python examples/torch_ranks.py --leak-in-rank 1
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import distributed

import soak


def main() -> None:
    """Train a small network on random data, each rank on its own, with gradients that all of them share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10**9)
    parser.add_argument("--leak-in-rank", type=int, help="keep what each step makes, 32 KiB, in this rank")
    options = parser.parse_args()
    torch.set_num_threads(1)
    distributed.init_process_group("gloo")  # it reads RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, set by soak
    rank = distributed.get_rank()
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(64, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    kept: list[torch.Tensor] = []
    for step in range(options.steps):
        inputs = torch.randn(128, 64)
        loss = model(inputs).square().mean()
        optimizer.zero_grad()
        loss.backward()  # waits for the other rank
        optimizer.step()
        if options.leak_in_rank == rank:
            kept.append(inputs)  # the bug
        soak.beat(step=step, loss=loss.detach(), samples=len(inputs))
        time.sleep(0.02)
    soak.done()  # the trial ends once every rank is done
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
