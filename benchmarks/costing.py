"""How long it takes to cost an architecture: each family's members, and candidates of a search space.

    python benchmarks/costing.py [--repeats 7] [--candidates 2000]

Each member is costed once to warm the memory of its parts, then `repeats` times, all members in turn; medians are printed.
In the space every candidate is new, and the words it is made of have mostly been met before: what a search does. No torch
is loaded.
"""

import argparse
import random
import sys
import time
from statistics import median

from glocal.design import Architecture, Conv, Linear, Mean, Norm, OneOf, Stage, cost, decide, sample, vary
from glocal.design.space import size
from glocal.families import architecture, list_models
from glocal.families.convmixer import ConvMixerLayer
from glocal.families.vit import TransformerLayer


def seconds(name: str) -> tuple[float, float]:
    """To build the description of a name, and to cost it once it is warm."""
    start = time.perf_counter()
    arch = architecture(name)
    built = time.perf_counter() - start
    start = time.perf_counter()
    cost(arch)
    return built, time.perf_counter() - start


def random_space() -> Architecture:
    """Twelve blocks at one width, each one of six ConvMixer layers or six encoder layers: 12^12 candidates."""
    mixers = vary(ConvMixerLayer(5), {"kernel": (3, 5, 7), "act": ("gelu", "relu")}).options
    layers = vary(TransformerLayer(4), {"heads": (2, 4, 8), "expansion": (2.0, 4.0)}).options
    question = OneOf((*mixers, *layers))
    return Architecture(
        "space",
        stem=(Conv(256, 4, 4), Norm("layer")),
        stages=(Stage(256, (question,) * 12),),
        head=(Mean(), Linear(10)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--candidates", type=int, default=2000)
    args = parser.parse_args()

    names = list_models()
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for _ in range(args.repeats + 1):
        for name in names:  # interleaved: a slow moment of the machine falls on all
            rows[name].append(seconds(name))
    families = {"cct": "cct_*", "cvt": "cvt_*", "vit_lite": "vit_lite_*", "convmixer": "convmixer_*"}
    families |= {"vit": "vit_[a-z]*[a-z]", "deit": "deit_*"}
    print(
        f"{'family':<12} {'members':>8} {'blocks':>8} {'name -> data':>14} {'cost, warm':>12} {'slowest':>10}   (microseconds)"
    )
    for family, pattern in families.items():
        members = list_models(pattern)
        built = median(median(b for b, _ in rows[name][1:]) for name in members)
        costed = [median(c for _, c in rows[name][1:]) for name in members]
        blocks = sum(len(stage.blocks) for name in members for stage in architecture(name).stages) / len(members)
        print(
            f"{family:<12} {len(members):>8} {blocks:>8.1f} {built * 1e6:>14.0f} {median(costed) * 1e6:>12.0f} "
            f"{max(costed) * 1e6:>10.0f}"
        )

    space, rng, rates = random_space(), random.Random(0), []
    for _ in range(args.repeats):
        start = time.perf_counter()
        for _ in range(args.candidates):
            cost(decide(space, sample(space, rng)))
        rates.append(args.candidates / (time.perf_counter() - start))
    print(
        f"\nrandom candidates of a space of {size(space):.1e}: {median(rates):,.0f} a second ({args.repeats} x {args.candidates})"
    )
    print(f"torch loaded: {'torch' in sys.modules}")


if __name__ == "__main__":
    main()
