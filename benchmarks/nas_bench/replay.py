"""Replays every strategy on the bench at equal total cost, and judges what each found.

    python -m benchmarks.nas_bench.replay [--table benchmarks/nas_bench/table.npz] [--orders 60] [--against random]

A budget is a number of full trainings of the bench's median network. In each replay two thirds of the networks, drawn at random,
are the candidates, and a strategy finds one by what it may see: the held-out pictures and one seed. It is judged by the pictures
that no strategy sees, with all seeds. A difference of two strategies is paired over the replays and over the pictures that judge;
the verdict is that of `glocal.comparing.statistics`, with the replays in the place of seeds.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmarks.nas_bench.space import bench_space

from glocal.comparing.statistics.compare import MARGIN, compare
from glocal.comparing.statistics.reliability import reliability
from glocal.errors import SearchError
from glocal.searching.candidates.candidate import format_answers
from glocal.searching.ranking.correlation import Pair, rank
from glocal.searching.sampling import corners
from glocal.searching.strategies.replay import BenchTable, Replay
from glocal.searching.strategies.strategy import GUIDED_SHARE, Strategy, run, strategies

BUDGETS = (3, 5, 12.5)  # full trainings; the last is what a search may spend by default
SHARE = 2 / 3  # of the networks that are candidates in a replay
Found = Mapping[tuple[int, int], str]
"""The network that a strategy found, by order of the candidates and seed."""

CORNERS = [format_answers(answers) for answers in corners(bench_space())]  # one kind of block throughout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=Path(__file__).parent / "table.npz")
    parser.add_argument("--orders", type=int, default=60)
    parser.add_argument("--against", default="random", help="the strategy that the verdicts compare with")
    settings = parser.parse_args()
    table = BenchTable.read(settings.table)
    describe(table)
    for budget in BUDGETS:
        judge(table, budget, orders=settings.orders, baseline=settings.against)


def variants(table: BenchTable) -> dict[str, Strategy]:
    """The strategies, with every proxy, and other ways to halve and to be guided."""
    proxies = sorted({name for name, _ in table.guides} - {"supernet", "fair", "sandwich"})
    known = strategies("macs")
    halving, guided = known["halving"], known["guided"]
    return {
        "random": Strategy(),
        "halving": halving,
        "asha": known["asha"],
        "halving, fresh schedules": replace(halving, continued=False),
        "halving, intervals decide too": replace(halving, margin=MARGIN),
        "halving from a third": replace(halving, rungs=1),
        **{name: Strategy(name) for name in ("supernet", "fair", "sandwich") if (name, 0) in table.guides},
        **{f"proxy {name}": Strategy(name) for name in proxies},
        **{f"guided by {name}": replace(guided, guide=name) for name in proxies},
        **{f"guided by {name} alone": replace(guided, guide=name, doubts=False) for name in proxies},
        **(
            {"guided by supernet": replace(guided, guide="supernet", guided_share=GUIDED_SHARE)}
            if ("supernet", 0) in table.guides
            else {}
        ),
    }


def describe(table: BenchTable) -> None:
    """The spread of the networks, the ceiling of tau, and the tau of every guide."""
    truth, test = table.truth, reliability(table.test)
    print(
        f"{len(table.networks)} networks, {truth.min():.2%} to {truth.max():.2%} on the pictures that judge; spread",
        end=" ",
    )
    print(
        f"{100 * test.spread:.2f} points, seed noise {100 * test.seed_noise:.2f}; tau of at most {test.ceiling:.2f}",
        end=" ",
    )
    low, high = test.ceiling_interval
    print(f"({low:.2f} to {high:.2f})")
    full = f"{table.horizon} epochs on held-out pictures"
    rows = {full: table.val[table.horizon][:, 0, -1].mean(-1)}
    for n in sorted(table.val)[:-1]:
        rows[f"{n} epochs of their own"] = table.val[n][:, 0, -1].mean(-1)
        rows[f"{n} of {table.horizon} epochs"] = table.val[table.horizon][:, 0, n - 1].mean(-1)
    for (name, seed), guides in sorted(table.guides.items()):
        if not seed:
            for guide in guides:
                rows[f"{name} ({guide.seconds:.0f} s)" if guide.seconds else name] = guide.scores
    print(f"{'':<34}{'tau':<24}of ceiling")
    macs = table.guides["macs", 0][0].scores
    for name, scores in rows.items():
        tau = rank([Pair(*pair) for pair in zip(scores, truth, macs, strict=True)]).tau
        if tau.value is not None:
            print(f"{name:<34}{tau!s:<24}{tau.value / test.ceiling:>10.0%}")


def judge(table: BenchTable, budget: float, *, orders: int, baseline: str) -> None:
    """One budget: the regret of every strategy, and verdicts against one of them."""
    full_s = table.horizon * float(np.median(table.epoch_s))
    found = {
        name: winners(table, strategy, budget * full_s, orders=orders) for name, strategy in variants(table).items()
    }
    found |= {"best corner": best_corners(table, orders=orders)}
    means = {name: float(np.mean(regrets(table, each))) if each else np.inf for name, each in found.items()}
    print(f"\nbudget: {budget} full trainings ({budget * full_s:.0f} s of one core)")
    print(f"{'strategy':<34}{'regret, points: mean':>20}{'90 %':>7}  against {baseline}")
    for name in sorted(found, key=lambda name: means[name]):
        if not found[name]:
            print(f"{name:<34}{'does not fit':>20}")
            continue
        lost = 100 * regrets(table, found[name])
        verdict = "" if name == baseline else against(table, found[name], found[baseline], (name, baseline))
        print(f"{name:<34}{np.mean(lost):>20.2f}{np.quantile(lost, 0.9):>7.2f}  {verdict}")


def winners(table: BenchTable, strategy: Strategy, budget_s: float, *, orders: int) -> dict[tuple[int, int], str]:
    """What a strategy found, by order and seed: all seeds that its guide has; empty where the budget does not suffice."""
    seeds = [s for s in range(table.seeds) if strategy.guide is None or (strategy.guide, s) in table.guides]
    try:
        return {
            (order, seed): run(
                strategy, replay(table, seed, order, doubts=strategy.doubts), budget_s=budget_s, horizon=table.horizon
            ).winner
            for order in range(orders)
            for seed in seeds
        }
    except SearchError as error:
        print(error, file=sys.stderr)
        return {}


def replay(table: BenchTable, seed: int, order: int, *, doubts: bool = False) -> Replay:
    """One replay, at its start, with the candidates that a search has: corners first where it doubts its guide."""
    return Replay(table, seed, order, share=SHARE, corners=CORNERS if doubts else ())


def regrets(table: BenchTable, found: Found) -> np.ndarray:
    """Of every replay, as fractions."""
    return np.array([replay(table, seed, order).regret(winner) for (order, seed), winner in found.items()])


def best_corners(table: BenchTable, *, orders: int) -> dict[tuple[int, int], str]:
    """The best network of one kind of block, by the held-out pictures: five full trainings, whatever the budget."""
    val = table.val[table.horizon][:, :, -1].mean(-1)
    found = {}
    for key in ((order, seed) for order in range(orders) for seed in range(table.seeds)):
        order, seed = key
        there = [name for name in CORNERS if name in replay(table, seed, order).networks]
        if there:
            found[key] = max(there, key=lambda name: val[table.networks.index(name), seed])
    return found


def against(table: BenchTable, found: Found, others: Found, names: tuple[str, str]) -> str:
    """The verdict on two strategies over the orders and seeds that both have."""
    right = table.test.mean(1)
    index = {network: i for i, network in enumerate(table.networks)}
    ours, theirs = (np.stack([right[index[each[key]]] for key in sorted(found)]) for each in (found, others))
    verdict = compare(ours, theirs, arm=names[0], baseline=names[1])
    low, high = verdict.interval
    return f"{100 * verdict.difference.mean:+.2f} ({100 * low:+.2f} to {100 * high:+.2f}) {verdict.outcome.value}"


if __name__ == "__main__":
    main()
