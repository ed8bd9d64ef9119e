"""Numbers of torch's CPU generator: every length around the 16-element block, large seeds, mixed calls.

Usage: python scripts/golden/rng.py FOLDER
"""

import sys

import torch

from common import generator, save

SEEDS = [0, 42, 2**32 + 5, 2**63 - 1]
# Calls on one generator in this order: function and count; 1000 is the upper bound of randint.
MIXED = [("randn", 1), ("randn", 3), ("rand", 2), ("randn", 16), ("randn", 2), ("randint", 5), ("randn", 17),
         ("randperm", 9), ("randn", 5), ("rand", 20), ("randn", 100), ("randn", 1), ("randint", 1), ("randn", 1)]


def draw(function, count, g):
    if function == "randint":
        return torch.randint(0, 1000, (count,), generator=g).float()
    return getattr(torch, function)(count, generator=g).float()


def main(folder):
    tensors = {}
    for seed in SEEDS:
        # n = 1, 2 ... 40, each from a fresh generator, end to end
        tensors[f"randn_1_to_40.{seed}"] = torch.cat([torch.randn(n, generator=generator(seed)) for n in range(1, 41)])
        tensors[f"randn_1000.{seed}"] = torch.randn(1000, generator=generator(seed))
        g = generator(seed)
        tensors[f"mixed.{seed}"] = torch.cat([draw(f, n, g) for f, n in MIXED])
    save(folder, "rng", tensors, seeds=[str(s) for s in SEEDS], mixed=MIXED,
         kernels=torch.backends.cpu.get_cpu_capability())


if __name__ == "__main__":
    main(sys.argv[1])
