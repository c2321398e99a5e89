"""How near evolution comes to the best there is, on landscapes whose optimum is known; and what proposing and keeping cost.

python benchmarks/evolution.py [--seeds 20]

Every option of every block is worth a number drawn from N(0, 1); a candidate is worth the sum (GLiT's level 2 with the released
distribution, multiply-adds as the authors' counter prints them). The constrained optimum is exact, by dynamic programming.
"""

import argparse
import random
import statistics
import tempfile
import time
from dataclasses import replace

from glocal.design.architecture import Architecture
from glocal.design.cost import cost
from glocal.design.limits import Limits
from glocal.design.space import decide, questions
from glocal.families.glit import legacy_macs
from glocal.families.spaces import space
from glocal.searching.candidates.candidate import Candidate, best
from glocal.searching.candidates.candidate_table import as_trial, candidates, open_candidates
from glocal.searching.candidates.methods import Evolution, Method, RandomSearch, Strategy
from glocal.searching.candidates.proposals import propose
from glocal.trials.table import Table

SPACE = space("glit_tiny_details")
OPTIONS = [len(question.options) for question in questions(SPACE)]
# What the algorithm of SPOS gave in a simulation of 20 seeds: best found over the constrained optimum, mean and least.
SIMULATED = {1335e6: (0.999, 0.986), 1250e6: (0.992, 0.946)}


def price(arch: Architecture) -> dict[str, float]:
    return {"params": cost(arch).params, "macs": legacy_macs(arch)}


def optimum(values: list[list[float]], most: float) -> float:
    """The greatest worth within `most` multiply-adds: block by block, what is beaten in both worth and cost is dropped."""
    first = [0] * len(OPTIONS)

    def macs(answers: list[int]) -> int:
        return legacy_macs(decide(SPACE, tuple(answers)))

    base = macs(first)
    kept = [(base, 0.0)]
    for i, n in enumerate(OPTIONS):
        more = [macs([*first[:i], k, *first[i + 1 :]]) - base for k in range(n)]
        grown = [(m + extra, v + worth) for m, v in kept for extra, worth in zip(more, values[i], strict=True)]
        kept = []
        for m, v in sorted(grown, key=lambda x: (x[0], -x[1])):
            if not kept or v > kept[-1][1]:
                kept.append((m, v))
    return max(v for m, v in kept if m <= most)


def searched(method: Method, values: list[list[float]], *, seed: int, most: float) -> float:
    done: list[Candidate] = []
    for generation in range(len(method.batches)):
        strategy = Strategy(SPACE, method, Limits(max_macs=most), price, seed)
        batch = propose(strategy, generation=generation, done=done)
        done += [replace(c, accuracy=sum(v[k] for v, k in zip(values, c.answers, strict=True))) for c in batch]
    return best(done, 1)[0].accuracy or 0.0


def effectiveness(seeds: int) -> None:
    print("| limit, legacy | method | mean of best / optimum | least | the specification's simulation |")
    print("|---|---|---|---|---|")
    for most, simulated in SIMULATED.items():
        parts: dict[str, list[float]] = {"evolution": [], "random": []}
        for seed in range(seeds):
            rng = random.Random(f"landscape {seed}")
            values = [[rng.gauss(0, 1) for _ in range(n)] for n in OPTIONS]
            known = optimum(values, most)
            for name, method in (("evolution", Evolution()), ("random", RandomSearch())):
                parts[name].append(searched(method, values, seed=seed, most=most) / known)
        for name, found in parts.items():
            told = f"{simulated[0]}, {simulated[1]}" if name == "evolution" else "about 0.6"
            print(f"| {most / 1e6:.0f} M | {name} | {statistics.mean(found):.3f} | {min(found):.3f} | {told} |")
        wins = sum(a > b for a, b in zip(*parts.values(), strict=True))
        print(f"| {most / 1e6:.0f} M | evolution beats random in | {wins} of {seeds} seeds | | |")


def speed() -> None:
    """Processor time, since other work on the machine changes the wall's."""
    limits = Limits(max_macs=1335e6)
    begun = time.process_time()
    batch = propose(Strategy(SPACE, RandomSearch(4000, 4000), limits, price), generation=0, done=())
    print(
        f"\ncosted and filtered: {len(batch) / (time.process_time() - begun):,.0f} candidates a second that are legal"
    )
    strategy = Strategy(SPACE, RandomSearch(200, 200), limits, price)
    with tempfile.TemporaryDirectory() as folder:
        for name, where in {"memory": None, "SQLite": f"{folder}/a.db", "journal": f"journal:{folder}/a.log"}.items():
            table = open_candidates(where, "level", strategy)
            wall, begun = time.perf_counter(), time.process_time()
            table.enqueue([as_trial(candidate, strategy) for candidate in batch[:200]])
            while claim := table.claim("me:1:1"):
                table.finish(claim, {"accuracy": 0.5, "n": 1}, seconds=0.0)
            processor, wall = (time.process_time() - begun) * 5, (time.perf_counter() - wall) * 5
            begun = time.process_time()
            candidates(Table.join(where, "level") if where else table)
            read = (time.process_time() - begun) * 5
            print(
                f"{name}: {processor:.1f} ms of processor a candidate ({wall:.1f} on the wall), {read:.2f} to read it"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    effectiveness(parser.parse_args().seeds)
    speed()
