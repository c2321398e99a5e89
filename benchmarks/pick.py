"""Replays the policy of `glocal pick` on a table of trainings, and says what its picks cost against the best candidate.

    python benchmarks/pick.py [--worlds 50] [--seeds 2]

The table (`pick_bench/table.npz`, made by `pick_bench/make.py`) holds what every candidate predicts on every held-out picture
after each epoch. The policy is the code of `glocal pick`: `plan_race`, `race`, `rung_allowance`, `choose_finals`. A world is a
data set, the seed that races, and held-out pictures drawn with replacement; in the second table also a draw of the candidates.
Regret is the best accuracy of any candidate on the test split, which no policy sees, minus that of the pick: means over the
seeds, in points. The best of many is the luckiest too, so regret is too high rather than too low. Takes a minute.

What a replay cannot represent: other lengths than the horizons of the table (9 epochs of CIFAR pictures, 18 of the digits), more
seeds in the finals than the table has, and a machine whose speed changes.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from glocal.comparing.racing.race import Heat, race
from glocal.comparing.racing.rules import Rules
from glocal.errors import ComparisonError
from glocal.picking.plan import choose_finals, plan_race, rung_allowance
from glocal.picking.settings import PickSettings
from glocal.recipes.schema import Recipe

TABLE = Path(__file__).parent / "pick_bench" / "table.npz"
FIXED = "resnet50@tiny"
SUBSET = 16


@dataclass(frozen=True, eq=False)
class Bench:
    """The trainings of a data set. right: (candidates, seeds, epochs, pictures); test: (candidates, seeds, pictures)."""

    name: str
    candidates: tuple[str, ...]
    macs: np.ndarray
    horizon: int
    right: np.ndarray
    test: np.ndarray
    epoch_s: np.ndarray  # of each candidate
    own: (
        np.ndarray | None
    )  # (candidates, pictures): the first seed after a third of the horizon, with a schedule of its own

    @property
    def cost_of_all(self) -> float:
        """Seconds of training every candidate with every seed."""
        return float(self.epoch_s.sum()) * self.horizon * self.right.shape[1]


@dataclass(frozen=True, eq=False)
class World:
    """A bench as a policy meets it: `chosen` candidates, the seed that races first, and the pictures that are held out."""

    bench: Bench
    chosen: np.ndarray
    first: int
    pictures: np.ndarray

    def accuracy(self, candidate: int, epochs: int, seeds: int) -> float:
        """Of the first seeds, on the held-out pictures."""
        return float(self._rows(candidate, epochs, seeds).mean())

    def _rows(self, candidate: int, epochs: int, seeds: int) -> np.ndarray:
        order = [self.first, *(s for s in range(self.bench.right.shape[1]) if s != self.first)][:seeds]
        return self.bench.right[candidate, order, epochs - 1][:, self.pictures]

    def measured(self, candidate: int, epochs: int) -> dict[int, np.ndarray]:
        """What the race sees of a candidate: its predictions after each epoch so far, with one seed."""
        return {e: self._rows(candidate, e, 1) for e in range(1, epochs + 1)}

    def regret(self, candidate: int) -> float:
        """Points behind the best of the chosen candidates on the test split."""
        found = self.bench.test[self.chosen].mean((1, 2))
        return 100 * float(found.max() - self.bench.test[candidate].mean())


@dataclass(frozen=True)
class Outcome:
    """What a policy picked and what it spent, in seconds."""

    candidate: int
    seconds: float


Policy = Callable[[World, np.random.Generator], Outcome]


def replayed_pick(settings: PickSettings, share: float, *, rules: Callable[[Rules], Rules] = lambda r: r) -> Policy:
    """The policy of `glocal pick` with a budget of a share of training everything."""

    def policy(world: World, rng: np.random.Generator) -> Outcome:
        bench, number = world.bench, {world.bench.candidates[i]: int(i) for i in world.chosen}
        epoch_s = {name: float(bench.epoch_s[i]) for name, i in number.items()}
        seeds = bench.right.shape[1]
        budget = share * sum(epoch_s.values()) * bench.horizon * seeds
        own = settings.model_copy(update={"epochs": bench.horizon, "seeds": seeds, "budget_s": budget})
        plan = plan_race(epoch_s, own, seconds=budget, recipe=Recipe(), workers=1)
        plan = replace(plan, rules=rules(plan.rules))
        trained: dict[tuple[str, int], int] = {}

        def spent() -> float:
            return sum(epochs * epoch_s[name] for (name, _), epochs in trained.items())

        def measure(heats: Sequence[Heat]) -> dict[str, dict[int, np.ndarray]]:
            for heat in heats:
                trained[heat.arm, 0] = heat.epochs
            return {heat.arm: world.measured(number[heat.arm], heat.epochs) for heat in heats}

        raced = race(
            plan.entrants, measure, rules=plan.rules, allowance_s=lambda rung: rung_allowance(plan, budget - spent())
        )
        finals = choose_finals(
            raced.finalists,
            epoch_s,
            horizon=bench.horizon,
            done=plan.rules.epochs(plan.entrants, len(raced.rungs) - 1),
            seeds=seeds,
            seconds=budget - spent(),
            workers=1,
        )
        trained |= {(name, seed): bench.horizon for name in finals.names for seed in range(finals.seeds)}
        best = max(finals.names, key=lambda name: world.accuracy(number[name], bench.horizon, finals.seeds))
        return Outcome(number[best], spent())

    return policy


def fixed_network(world: World, rng: np.random.Generator) -> Outcome:
    """Always the same good network, trained in full."""
    i = world.bench.candidates.index(FIXED)
    return Outcome(i, float(world.bench.epoch_s[i]) * world.bench.horizon)


def most_macs(world: World, rng: np.random.Generator) -> Outcome:
    """The network of the most multiply-adds, trained in full."""
    i = int(world.chosen[np.argmax(world.bench.macs[world.chosen])])
    return Outcome(i, float(world.bench.epoch_s[i]) * world.bench.horizon)


def after_one_epoch(world: World, rng: np.random.Generator) -> Outcome:
    """The best after one epoch of all, trained in full."""
    i = int(max(world.chosen, key=lambda i: world.accuracy(i, 1, 1)))
    cost = float(world.bench.epoch_s[world.chosen].sum()) + float(world.bench.epoch_s[i]) * (world.bench.horizon - 1)
    return Outcome(i, cost)


def random_at_cost(share: float) -> Policy:
    """Candidates in a random order, each trained in full with one seed, until the budget is spent; the best of them."""

    def policy(world: World, rng: np.random.Generator) -> Outcome:
        bench = world.bench
        budget = share * float(bench.epoch_s[world.chosen].sum()) * bench.horizon * bench.right.shape[1]
        spent, tried = 0.0, list[int]()
        for i in rng.permutation(world.chosen):
            cost = float(bench.epoch_s[i]) * bench.horizon
            if spent + cost <= budget or not tried:
                tried.append(int(i))
                spent += cost
        return Outcome(max(tried, key=lambda i: world.accuracy(i, bench.horizon, 1)), spent)

    return policy


def read_benches(path: Path, *, seeds: int | None = None) -> list[Bench]:
    """The data sets of a table, with its first seeds or all."""
    found = []
    with np.load(path) as table:
        about = json.loads(table["about"].tobytes())
        for name, facts in about.items():
            h, n = facts["horizon"], facts["pictures"]
            right = np.unpackbits(table[f"{name}.{h}.right"][:, :seeds], axis=-1)[..., : n["val"]].astype(bool)
            test = np.unpackbits(table[f"{name}.{h}.test"][:, :seeds], axis=-1)[..., : n["test"]].astype(bool)
            seconds = table[f"{name}.{h}.train_s"] + table[f"{name}.{h}.val_s"]
            own = None
            if f"{name}.{h // 3}.right" in table:
                own = np.unpackbits(table[f"{name}.{h // 3}.right"], axis=-1)[:, 0, -1, : n["val"]].astype(bool)
            found.append(
                Bench(
                    name,
                    tuple(facts["candidates"]),
                    np.array(facts["macs"]),
                    h,
                    right,
                    test,
                    np.median(seconds, axis=(1, 2)).astype(float),
                    own,
                )
            )
    return found


def worlds(benches: list[Bench], n: int, *, subset: bool, seed: int) -> Iterator[World]:
    """So many worlds of each data set and each seed that races."""
    rng = np.random.default_rng(seed)
    for bench in benches:
        for first in range(bench.right.shape[1]):
            for _ in range(n):
                chosen = np.arange(len(bench.candidates))
                if subset:
                    fixed = bench.candidates.index(FIXED)
                    others = rng.choice(np.delete(chosen, fixed), SUBSET - 1, replace=False)
                    chosen = np.sort(np.append(others, fixed))
                pictures = rng.integers(0, bench.right.shape[3], (bench.right.shape[3],))
                yield World(bench, chosen, first, pictures)


@dataclass(frozen=True, eq=False)
class Found:
    """Of a policy over all worlds: regrets in points, and costs as shares of training everything."""

    regrets: np.ndarray
    shares: np.ndarray
    sets: np.ndarray  # the data set of each world


def run(policy: Policy, everything: list[World], *, seed: int) -> Found:
    """Lets a policy pick in every world."""
    rng, rows = np.random.default_rng(seed), []
    for world in everything:
        outcome = policy(world, rng)
        whole = float(world.bench.epoch_s[world.chosen].sum()) * world.bench.horizon * world.bench.right.shape[1]
        rows.append((world.regret(outcome.candidate), outcome.seconds / whole, world.bench.name))
    regrets, shares, sets = zip(*rows, strict=True)
    return Found(np.array(regrets), np.array(shares), np.array(sets))


def line(name: str, found: Found, pick: Found | None) -> str:
    """A row of the Markdown table; against pick, the mean difference of the regrets with its 95 % interval over worlds."""
    sets = sorted(set(found.sets))
    each = " / ".join(f"{np.median(found.regrets[found.sets == s]):.2f}" for s in sets)
    cells = [
        name,
        f"{np.median(found.regrets):.2f}",
        each,
        f"{np.quantile(found.regrets, 0.9):.2f}",
        f"{found.regrets.mean():.2f}",
        f"{found.shares.mean():.0%}",
    ]
    if pick is not None:
        difference = found.regrets - pick.regrets
        drawn = np.random.default_rng(0).integers(0, len(difference), (2000, len(difference)))
        low, high = np.quantile(difference[drawn].mean(1), [0.025, 0.975])
        cells.append(f"{difference.mean():+.2f} ({low:+.2f} to {high:+.2f})")
    else:
        cells.append("")
    return "| " + " | ".join(cells) + " |"


HEAD = (
    "| policy | median regret | by data set | 90th percentile | mean | cost | mean regret minus pick's |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def policies(share: float) -> dict[str, Policy]:
    """What pick is compared with, the pick itself first."""
    return {
        "glocal pick": replayed_pick(PickSettings(), share),
        f"always {FIXED}": fixed_network,
        "most multiply-adds": most_macs,
        "best after one epoch": after_one_epoch,
        "random at equal cost": random_at_cost(share),
    }


def variants(share: float) -> dict[str, Policy]:
    """Other rules of the race."""
    base = PickSettings()
    found = {"the default": replayed_pick(base, share)}
    for level in (0.5, 0.8, 0.9, 0.99):
        found[f"level {level:.0%}"] = replayed_pick(base.model_copy(update={"level": level}), share)
    for margin in (0.0, 1.0, 2.0):
        found[f"margin {margin:g}"] = replayed_pick(base.model_copy(update={"margin": margin}), share)
    for places in (1, 2, 4):
        found[f"{places} finalist{'s' * (places > 1)}"] = replayed_pick(
            base.model_copy(update={"finalists": places}), share
        )
    for aware in (True, False):
        name = f"costly arms get {'fewer' if aware else 'as many'} epochs first"
        found[name] = replayed_pick(base, share, rules=partial(replace, cost_aware=aware))
    for name, rungs in (("a ninth, a third", (1, 3)), ("a third", (3,)), ("two thirds", (6,))):
        found[f"rungs at {name}"] = replayed_pick(base, share, rules=partial(_with_rungs, ninths=rungs))
    return found


def _with_rungs(rules: Rules, *, ninths: tuple[int, ...]) -> Rules:
    """Rules whose rungs are at so many ninths of the horizon; the last of the default is at six."""
    return replace(rules, rungs=tuple(rules.rungs[-1] * n // 6 for n in ninths))


def schedules(benches: list[Bench]) -> Iterator[str]:
    """How well accuracy after a third of the horizon ranks the candidates as the test split does in the end."""
    from scipy.stats import kendalltau

    for bench in benches:
        if bench.own is None:
            continue
        third, rows = bench.horizon // 3, []
        final = bench.test.mean((1, 2))
        stopped, own = bench.right[:, 0, third - 1].mean(1), bench.own.mean(1)
        rng = np.random.default_rng(0)
        for _ in range(1000):
            c, p = rng.integers(0, len(final), len(final)), rng.integers(0, bench.own.shape[1], bench.own.shape[1])
            a = kendalltau(bench.right[c, 0, third - 1][:, p].mean(1), final[c]).statistic
            rows.append((a, kendalltau(bench.own[c][:, p].mean(1), final[c]).statistic))
        low, high = np.quantile(np.diff(rows, axis=1), [0.025, 0.975])
        taus = [kendalltau(each, final).statistic for each in (stopped, own)]
        yield (
            f"| {bench.name} | {third} of {bench.horizon} | {taus[0]:.2f} | {taus[1]:.2f} | "
            f"{taus[1] - taus[0]:+.2f} ({low:+.2f} to {high:+.2f}) |"
        )


def table(title: str, chosen: dict[str, Policy], everything: list[World], *, seed: int) -> None:
    """Prints a table whose other rows are compared with the first."""
    print(f"\n{title}\n\n{HEAD}")
    first = None
    for name, policy in chosen.items():
        found = run(policy, everything, seed=seed)
        print(line(name, found, first), flush=True)
        first = first or found


def main() -> None:
    """Prints the tables of docs/pick.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=50, help="of each data set and racing seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=0.25, help="budget, as a share of training everything")
    parser.add_argument("--seeds", type=int, help="of the table; by default all")
    options = parser.parse_args()
    benches = read_benches(TABLE, seeds=options.seeds)
    for b in benches:
        final = b.test.mean((1, 2))
        print(
            f"{b.name}: {len(b.candidates)} candidates, {b.right.shape[1]} seeds, {b.horizon} epochs; in full "
            f"{final.min():.1%} to {final.max():.1%}, the best is {b.candidates[int(final.argmax())]}"
        )
    some, everything = (list(worlds(benches, options.worlds, subset=s, seed=options.seed)) for s in (True, False))
    for what, chosen in (("all candidates", everything), (f"{SUBSET} candidates drawn", some)):
        title = f"{what}, budget {options.share:.0%} of training everything, {len(chosen)} worlds"
        table(title, policies(options.share), chosen, seed=options.seed)
    print(f"\nshares of the budget, all candidates\n\n{HEAD}")
    for share in (0.1, 0.15, 0.2, 0.3, 0.5):
        try:
            print(line(f"pick, {share:.0%}", run(replayed_pick(PickSettings(), share), everything, seed=0), None))
        except ComparisonError as error:
            print(f"| pick, {share:.0%} | {str(error)[:60]} |")
    table(f"other rules, all candidates, {options.share:.0%}", variants(options.share), everything, seed=options.seed)
    if rows := list(schedules(benches)):
        print("\n| data set | epochs | tau, schedule stopped | tau, own schedule | difference |")
        print("\n".join(["| --- | --- | ---: | ---: | ---: |", *rows]))


if __name__ == "__main__":
    main()
