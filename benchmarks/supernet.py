"""What a step of a supernet costs above a step of the same path as a network of its own, side by side in one run.

    python benchmarks/supernet.py [--rounds 40] [--batch-size 128]

Both take the same path, pictures and optimiser (AdamW), in turns: choosing and assembling the path, forward, backward, step.
Times are the processor's, of all threads. The table gives medians and the ratio, for both ways of sharing weights; wanted: at
most 1.05.
"""

import argparse
import statistics
import time

import torch
from torch.nn import functional

from glocal.design import decide
from glocal.families.spaces import space
from glocal.net import Network
from glocal.searching.supernet.paths import UniformPaths
from glocal.searching.supernet.supernet import SHARINGS, Supernet

CASES = ("glit_cifar_48_6_details_200020", "glit_cifar_96_6_joint", "coatnet_layouts_cifar")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=128)
    given = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, batch {given.batch_size}, AdamW")
    print(f"{'space':<34}{'sharing':<14}{'alone ms':>10}{'supernet ms':>13}{'ratio':>8}{'quartiles':>16}")
    for name in CASES:
        for sharing in SHARINGS:
            told = compare(name, sharing, rounds=given.rounds, batch_size=given.batch_size)
            print(f"{name:<34}{sharing:<14}{told}")


def compare(name: str, sharing: str, *, rounds: int, batch_size: int) -> str:
    torch.manual_seed(0)
    asked = space(name)
    supernet, paths = Supernet(asked, sharing=sharing).train(), UniformPaths(asked, seed=0)  # type: ignore[arg-type]
    by = torch.optim.AdamW(supernet.parameters(), fused=True)
    supernet.protect_other_paths(by)
    x, y = torch.randn(batch_size, *asked.image), torch.randint(10, (batch_size,))

    def step(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        functional.cross_entropy(network(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()

    ours, theirs = [], []
    for i in range(rounds + 2):
        alone = Network(decide(asked, paths.at(i)[0])).train()
        optimizer = torch.optim.AdamW(alone.parameters(), fused=True)
        step(alone, optimizer)  # its moments exist from here on, as those of a path that was trained before do
        taken = {}
        for which in ("alone", "supernet") if i % 2 else ("supernet", "alone"):
            begun = time.process_time()
            step(alone, optimizer) if which == "alone" else step(supernet.path(paths.at(i)[0]).train(), by)
            taken[which] = time.process_time() - begun
        if i >= 2:
            ours.append(taken["supernet"])
            theirs.append(taken["alone"])
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    ms = [1000 * statistics.median(taken) for taken in (theirs, ours)]
    return f"{ms[0]:>10.1f}{ms[1]:>13.1f}{middle:>8.3f}{f'{low:.3f} to {high:.3f}':>16}"


if __name__ == "__main__":
    main()
