"""How many candidates of a search space are drawn, decided, costed and held against limits per second.

    python benchmarks/candidates.py [--seconds 2] [--spaces glit_tiny_joint glit_tiny_details hybrid_cifar]

What a search does before it trains or measures anything. Limits are the medians of 200 networks, so that about a quarter
passes. The first pass meets words and shapes that no cost is remembered of; it is printed on its own. No torch is loaded.
"""

import argparse
import random
import statistics
import sys
import time

from glocal.design import Architecture, cost, decide, sample
from glocal.design.memory import memory_bytes
from glocal.design.space import canonical, size
from glocal.families.spaces import space

SPACES = ("glit_tiny_joint", "glit_tiny_details", "glit_cifar_joint", "hybrid_cifar", "coatnet_layouts")


def medians(asked: Architecture) -> tuple[float, float]:
    """Params and multiply-adds that half of the networks do not exceed."""
    rng = random.Random(1)
    drawn = [cost(decide(asked, sample(asked, rng))) for _ in range(200)]
    return statistics.median(c.params for c in drawn), statistics.median(c.macs for c in drawn)


def rate(asked: Architecture, seconds: float, *, limits: tuple[float, float], memory: bool) -> tuple[float, float]:
    """Candidates a second, and the share of them within the limits."""
    rng, n, legal, start = random.Random(0), 0, 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds or not n:
        for _ in range(50):
            arch = decide(asked, canonical(asked, sample(asked, rng)))
            params, macs = cost(arch)
            legal += params <= limits[0] and macs <= limits[1] and (not memory or memory_bytes(arch) < 1e9)
            n += 1
    return n / spent, legal / n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--spaces", nargs="+", default=SPACES)
    args = parser.parse_args()
    print(f"{'space':<20} {'networks':>9} {'first 50':>9} {'a second':>9} {'with memory':>12} {'within limits':>14}")
    for name in args.spaces:
        asked = space(name)
        first, _ = rate(asked, 0, limits=(0, 0), memory=True)
        limits = medians(asked)
        warm, share = rate(asked, args.seconds, limits=limits, memory=False)
        memory, _ = rate(asked, args.seconds, limits=limits, memory=True)
        print(f"{name:<20} {size(asked):>9.2g} {first:>9,.0f} {warm:>9,.0f} {memory:>12,.0f} {share:>14.0%}")
    print(f"torch loaded: {'torch' in sys.modules}")


if __name__ == "__main__":
    main()
