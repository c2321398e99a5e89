"""Compares the summed latency of parts with the measured one of whole networks: their ratio, and Kendall's tau of the orders.

    python benchmarks/latency.py [--device auto] [--batch-size 1] [--size 224] [--threads 1] [--bf16] [--table FILE]

GLiT-Tiny's mixes of global and local heads, networks of other families, and some drawn from spaces. A time is the fastest of
the passes, which other work on the machine disturbs least; docs/rank.md has what it told.
"""

import argparse
import random
import statistics
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from glocal.design import Architecture, adapt, decide, sample
from glocal.families import architecture
from glocal.families.glit import from_official
from glocal.families.spaces import space
from glocal.machine.device import pick_device
from glocal.net import Network
from glocal.net.timing.latency import measure_calls
from glocal.net.timing.latency_table import LatencyTable, latency, pieces
from glocal.searching.ranking.correlation import kendall

NAMES = ("glit_tiny", "convnext_atto", "convnext_nano", "coatnet_0", "cct_14_7x2_224", "resnet50", "convmixer_768_32")
SPACES = ("hybrid_224", "coatnet_layouts")  # three networks drawn of each
MIXES = {"global": [3] * 12, "local": [0] * 12, "half": [3, 0] * 6, "mixed": [1] * 6 + [2] * 6}


def networks(size: int) -> list[Architecture]:
    """The networks compared, for pictures of a size."""
    mixes = [from_official(thirds, [4] * 12, name=f"glit_tiny {name}") for name, thirds in MIXES.items()]
    mixes.append(from_official([3, 0, 1, 2] * 3, [0, 8, 2, 6] * 3, name="glit_tiny varied"))
    rng = random.Random(0)
    drawn = [
        replace(decide(each, sample(each, rng)), name=f"{name} {i}")
        for name in SPACES
        for i in range(3)
        for each in (space(name),)
    ]
    return [adapt(arch, size=size) for arch in (*mixes, *map(architecture, NAMES), *drawn)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--table", type=Path)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    device = pick_device(given.device)
    table = LatencyTable(given.table, device, batch_size=given.batch_size, bf16=given.bf16, rounds=given.rounds)
    archs = networks(given.size)
    table.measure_missing([piece for arch in archs for piece in pieces(arch)], echo=print)
    x = torch.randn(given.batch_size, *archs[0].image, device=device)
    calls = {arch.name: partial(Network(arch).to(device).eval(), x) for arch in archs}
    whole = measure_calls(calls, device=device, rounds=given.rounds, warmup=2, bf16=given.bf16)
    summed, measured = [latency(arch, table) for arch in archs], [min(whole[arch.name]) for arch in archs]
    print(f"\n{'ms':<22} {'summed':>9} {'measured':>9} {'ratio':>7} {'(median)':>9}")
    for arch, s, m in sorted(zip(archs, summed, measured, strict=True), key=lambda row: row[2]):
        print(f"{arch.name:<22} {s:>9.2f} {m:>9.2f} {s / m:>7.3f} {statistics.median(whole[arch.name]):>9.2f}")
    ratios = [s / m for s, m in zip(summed, measured, strict=True)]
    print(f"\nratio: median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}")
    print(f"Kendall's tau_b of summed and measured: {kendall(summed, measured):.3f} ({len(archs)} networks)")
    print(table.setting)


if __name__ == "__main__":
    main()
