"""How often the interval of a comparison holds the true difference, and how often it claims one that is not there.

    python benchmarks/verdicts.py [--worlds 4000] [--seed 0]

Simulates experiments in which the truth is known, and prints three Markdown tables: one comparison, a comparison that is
looked at after 3, 5, 8 and 12 seeds, and several arms against one baseline. Takes three minutes on one core.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import ndtr, ndtri

from glocal.comparing.statistics.compare import MARGIN
from glocal.comparing.statistics.crossed import (
    Floats,
    MeanSquares,
    floored_variance,
    half_width,
    mean_squares,
    satterthwaite,
    students,
)
from glocal.comparing.statistics.looks import Looks
from glocal.comparing.statistics.paired import Interval
from glocal.comparing.statistics.verdicts import Outcome, outcome_of

SEED_SDS = (0.004, 0.01)  # of an arm's accuracy over seeds
GAPS = (0.0, 0.01, 0.02)  # between the two arms' accuracies
SEEDS = {1000: (3, 5), 2000: (10,), 10000: (3, 5)}  # of one comparison, for each number of pictures
LOOKED_AT = (2000, 10000)  # pictures of the comparisons with looks
ARMS = (4, 12)  # beside the baseline
AT_ONCE = 500_000  # entries of an array; more would not fit the processor's cache


@dataclass(frozen=True)
class World:
    """A model of right and wrong: a run is right on a picture if skill + ease of the picture + taste + luck > 0.

    The picture's ease is shared by all arms, the taste is an arm's for a picture, and the luck is a run's for a picture. Skill
    differs from seed to seed, so that accuracy has standard deviation `seed_sd`.
    """

    seed_sd: float
    accuracy: float = 0.8
    ease: float = 1.6
    taste: float = 0.5
    luck: float = (0.55**2 + 1) ** 0.5

    @property
    def slope(self) -> float:
        """Change of accuracy by a change of skill, where skill is in standard deviations of all that varies."""
        return float(np.exp(-(ndtri(self.accuracy) ** 2) / 2) / np.sqrt(2 * np.pi))

    def expected(self, gap: float) -> float:
        """Accuracy over all seeds and pictures of an arm whose skill is better by what makes `gap` of accuracy."""
        return float(ndtr((ndtri(self.accuracy) + gap / self.slope) / np.hypot(1, self.seed_sd / self.slope)))

    def runs(
        self,
        experiments: int,
        seeds: int,
        *,
        pictures: int,
        gaps: tuple[tuple[float, ...], ...],
        rng: np.random.Generator,
    ) -> list[dict[float, np.ndarray]]:
        """What each arm classifies correctly, (experiments, seeds, pictures), at each of its gaps."""
        unit = (self.ease**2 + self.taste**2 + self.luck**2) ** 0.5
        ease = rng.normal(0, self.ease, (experiments, 1, pictures))
        arms = []
        for of_arm in gaps:
            taste = rng.normal(0, self.taste, (experiments, 1, pictures))
            skill = ndtri(self.accuracy) + rng.normal(0, self.seed_sd / self.slope, (experiments, seeds, 1))
            drawn = rng.standard_normal((experiments, seeds, pictures), dtype=np.float32)
            drawn *= np.float32(self.luck)
            drawn += (ease + taste).astype(np.float32)
            arms.append({gap: drawn > (-unit * (skill + gap / self.slope)).astype(np.float32) for gap in of_arm})
        return arms


def chunks(worlds: int, size: int) -> Iterator[int]:
    """Numbers of experiments that fit the cache, which sum to `worlds`."""
    most = max(1, AT_ONCE // size)
    for start in range(0, worlds, most):
        yield min(most, worlds - start)


def crossed(squares: MeanSquares, *, seeds: int, pictures: int, alpha: float) -> Floats:
    """Half of the interval that is shipped."""
    total = floored_variance(squares, seeds=seeds, pictures=pictures)
    return half_width(squares.seeds, total, seeds=seeds, pictures=pictures, alpha=alpha)


def textbook(squares: MeanSquares, *, seeds: int, pictures: int, alpha: float) -> Floats:
    """The crossed interval with Satterthwaite's degrees of freedom as they stand, and a variance of at least either part's."""
    by_seeds, by_pictures, noise = squares[1:]
    rest = np.maximum(by_pictures - noise, 0)
    total = np.maximum(by_seeds + by_pictures - noise, np.maximum(by_seeds, by_pictures))
    scale = (total / (by_seeds + rest)) ** 2
    df = np.maximum(scale * satterthwaite(by_seeds, rest, seeds=seeds, pictures=pictures), seeds - 1)
    return students(total, df, alpha=alpha)


def seeds_alone(squares: MeanSquares, *, seeds: int, pictures: int, alpha: float) -> Floats:
    """Student's interval of the differences of the seeds' accuracies, as if the pictures were all there are."""
    return students(squares.seeds, np.asarray(seeds - 1.0), alpha=alpha)


Method = Callable[..., Floats]
METHODS: tuple[Method, ...] = (crossed, textbook, seeds_alone)


def one_comparison(differences: Floats, truth: float) -> Counter[tuple[str, str]]:
    """How often each method's 95 % interval holds the truth, and how often it is off 0."""
    k, n = differences.shape[-2:]
    squares, counts = mean_squares(differences), Counter[tuple[str, str]]()
    first = differences[:, 0]
    intervals = [(f.__name__, squares.mean, f(squares, seeds=k, pictures=n, alpha=0.05)) for f in METHODS]
    intervals.append(("pictures_alone", first.mean(-1), 1.96 * first.std(-1, ddof=1) / n**0.5))
    for name, mean, half in intervals:
        counts[name, "covered"] += int((abs(mean - truth) <= half).sum())
        counts[name, "claimed"] += int((abs(mean) > half).sum())
    return counts


def with_looks(differences: Floats) -> Counter[tuple[str, str]]:
    """Outcomes at the first look that decides, by method and level of each look, and the seeds that were used."""
    looks, counts = Looks(), Counter[tuple[str, str]]()
    n = differences.shape[-1]
    squares = {k: mean_squares(differences[:, :k]) for k in looks.at}
    for name, method, level in (
        ("crossed", crossed, looks.level_each),
        ("textbook", textbook, looks.level_each),
        ("uncorrected", crossed, looks.level),
    ):
        halves = {k: method(squares[k], seeds=k, pictures=n, alpha=1 - level) for k in looks.at}
        for i in range(len(differences)):
            for k in looks.at:
                mean, half = float(squares[k].mean[i]), float(halves[k][i])
                outcome = outcome_of(Interval(mean - half, mean + half), margin=MARGIN)
                if outcome is not Outcome.UNDECIDED:
                    break
            counts[name, outcome] += 1
            counts[name, "seeds"] += k
    return counts


Tables = dict[tuple[float, ...], Counter[tuple[str, str]]]


def simulate(worlds: int, rng: np.random.Generator) -> tuple[Tables, Tables]:
    """Counts of single comparisons by (seed sd, seeds, pictures, gap), and of those with looks by (seed sd, pictures, gap)."""
    single: Tables = {}
    looked: Tables = {}
    for seed_sd, (n, numbers) in product(SEED_SDS, SEEDS.items()):
        world = World(seed_sd)
        k = max(*numbers, *(Looks().at if n in LOOKED_AT else ()))
        for experiments in chunks(worlds, k * n):
            baseline, arm = world.runs(experiments, k, pictures=n, gaps=((0.0,), GAPS), rng=rng)
            for gap in GAPS:
                differences = np.subtract(arm[gap], baseline[0.0], dtype=np.float64)
                truth = world.expected(gap) - world.expected(0)
                for seeds in numbers:
                    counts = one_comparison(differences[:, :seeds], truth)
                    single.setdefault((seed_sd, seeds, n, gap), Counter()).update(counts)
                if n in LOOKED_AT:
                    looked.setdefault((seed_sd, n, gap), Counter()).update(with_looks(differences))
    return single, looked


def several_arms(worlds: int, *, seed_sd: float, pictures: int, rng: np.random.Generator) -> Counter[tuple[int, str]]:
    """In how many experiments any arm is told apart from a baseline that none differs from, at any look.

    Holm's first step is Bonferroni's, and where all arms are equal whatever it rejects is false: one level serves all arms.
    """
    looks, false = Looks(), Counter[tuple[int, str]]()
    n = pictures
    for experiments in chunks(worlds, looks.at[-1] * n):
        runs = World(seed_sd).runs(experiments, looks.at[-1], pictures=n, gaps=((0.0,),) * (1 + max(ARMS)), rng=rng)
        baseline, *arms = (run[0.0] for run in runs)
        told_apart: dict[tuple[int, str], np.ndarray] = {}
        for i, arm in enumerate(arms):
            differences = np.subtract(arm, baseline, dtype=np.float64)
            for k in looks.at:
                squares = mean_squares(differences[:, :k])
                for count in (count for count in ARMS if i < count):
                    each = 1 - looks.level_each
                    for name, method, alpha in (
                        ("Holm", crossed, each / count),
                        ("Holm, textbook df", textbook, each / count),
                        ("uncorrected", crossed, each),
                    ):
                        off = abs(squares.mean) > method(squares, seeds=k, pictures=n, alpha=alpha)
                        told_apart[count, name] = told_apart.get((count, name), False) | off
        false.update({key: int(off.sum()) for key, off in told_apart.items()})
    return false


def line(*cells: object) -> None:
    print("|", " | ".join(str(cell) for cell in cells), "|")


def header(*cells: str) -> None:
    line(*cells)
    line(*("---:" for _ in cells))


def share(count: float, of: int) -> str:
    return f"{100 * count / of:.1f} %"


def print_single(table: Tables, worlds: int) -> None:
    """One row a setting: how often the intervals hold the true gap, and how often they claim one where there is none."""
    coverage = " / ".join(f"{100 * gap:g}" for gap in GAPS)
    others = [
        f"{name}: coverage, A/A false" for name in ("textbook df", "over seeds alone", "over pictures alone, one seed")
    ]
    header("seed sd", "seeds", "pictures", f"crossed: coverage at {coverage} points", "A/A false", *others)
    for seed_sd, seeds, n, gap in table:
        if gap:
            continue
        held = [share(table[seed_sd, seeds, n, g]["crossed", "covered"], worlds) for g in GAPS]
        row = table[seed_sd, seeds, n, 0.0]
        cells = [
            f"{share(row[name, 'covered'], worlds)}, {share(row[name, 'claimed'], worlds)}"
            for name in ("textbook", "seeds_alone", "pictures_alone")
        ]
        false = share(row["crossed", "claimed"], worlds)
        line(f"{100 * seed_sd:.1f}", seeds, f"{int(n):,}", " / ".join(held), false, *cells)


def print_looks(table: Tables, worlds: int) -> None:
    """One row a setting: the outcomes, the seeds used, and the false ones among the outcomes of other methods."""
    outcomes = (Outcome.BETTER, Outcome.WORSE, Outcome.EQUAL, Outcome.UNDECIDED)
    others = ("better, textbook df", "false, textbook df", "false, 95 % at each look")
    header("seed sd", "pictures", "true gap", *outcomes, "mean seeds", "false", *others)
    for (seed_sd, n, gap), row in table.items():
        wrong = (Outcome.WORSE, Outcome.EQUAL) if gap else (Outcome.WORSE, Outcome.BETTER)
        false = [share(sum(row[name, x] for x in wrong), worlds) for name in ("crossed", "textbook", "uncorrected")]
        found = [share(row["crossed", x], worlds) for x in outcomes]
        seeds = f"{row['crossed', 'seeds'] / worlds:.1f}"
        better = share(row["textbook", Outcome.BETTER], worlds)
        line(f"{100 * seed_sd:.1f}", f"{int(n):,}", f"{100 * gap:g}", *found, seeds, false[0], better, *false[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--worlds", type=int, default=4000, help="experiments for each setting; half as many for several arms"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    start, rng = time.perf_counter(), np.random.default_rng(args.seed)
    single, looked = simulate(args.worlds, rng)
    print(f"One comparison, 95 % intervals ({args.worlds:,} worlds a row, seed {args.seed}; seed sd in points)\n")
    print_single(single, args.worlds)
    print(f"\nLooks at {Looks().at} seeds, {100 * Looks().level_each:g} % each, margin {100 * MARGIN:g} points\n")
    print_looks(looked, args.worlds)
    few = max(1, args.worlds // 2)
    print(
        f"\nArms that do not differ from their baseline, {LOOKED_AT[0]:,} pictures, all looks, {few:,} worlds a row\n"
    )
    kinds = ("Holm", "Holm, textbook df", "uncorrected")
    header("seed sd", "arms", *(f"any told apart: {kind}" for kind in kinds))
    for seed_sd in SEED_SDS:
        counts = several_arms(few, seed_sd=seed_sd, pictures=LOOKED_AT[0], rng=rng)
        for arms in ARMS:
            line(f"{100 * seed_sd:.1f}", arms, *(share(counts[arms, kind], few) for kind in kinds))
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
