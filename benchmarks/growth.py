"""How a search grows with its workers: the bench is replayed with 1 to 1,000 of them, some of them slow or dying.

    python -m benchmarks.growth [--table benchmarks/nas_bench/table.npz] [--networks 2000] [--figure docs/growth.svg]

Networks are drawn from the bench with replacement, with its seconds and accuracies. Two ways to halve them are compared: in rungs
(all networks of a rung end before any goes on) and without barriers (ASHA). Each is simulated on machines that are all alike, on
machines of which one training in twenty takes five times as long, and on machines that die once in `LIFE_S` seconds on average: a
training is then lost, and is given to another worker after `STALE_S`, as `glocal.trials` does it. Evolution waits for the last of
each generation of 50 candidates, whatever the workers. Utilisation is the work that was used over the time of all workers.
"""

import argparse
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from glocal.searching.strategies.asha import Asha
from glocal.searching.strategies.replay import BenchTable
from glocal.trials.workers.liveness import STALE_S

WORKERS = (1, 3, 10, 30, 100, 300, 1000)
STRAGGLERS, SLOWER = 0.05, 5.0
LIFE_S = 600.0  # the mean of a worker's life where workers die: 85 full trainings of the bench
GENERATION = 50

Job = tuple[str, int]  # a network and its rung
Next = Callable[[], Job | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=Path("benchmarks/nas_bench/table.npz"))
    parser.add_argument("--networks", type=int, default=2000)
    parser.add_argument("--figure", type=Path)
    settings = parser.parse_args()
    table = BenchTable.read(settings.table)
    found: dict[str, dict[int, Result]] = {}
    for machines in ("alike", "stragglers", "deaths"):
        for name, simulate in {"rungs": in_rungs, "ASHA": without_barriers, "generations": in_generations}.items():
            found[f"{name}, {machines}"] = {
                n: simulate(Drawn(table, settings.networks, random.Random(0)), Machines(n, machines, random.Random(1)))
                for n in WORKERS
            }
    print(f"{settings.networks:,} networks; utilisation (hours), and regret in points of what was found\n")
    print(f"| {'':<22} |" + "".join(f" {n:>14,} |" for n in WORKERS))
    for name, row in found.items():
        print(f"| {name:<22} |" + "".join(f" {row[n]!s:>14} |" for n in WORKERS))
    if settings.figure:
        draw(found, settings.figure)


@dataclass(frozen=True)
class Result:
    """What a simulated search took and found."""

    utilisation: float
    seconds: float
    regret: float | None

    def __str__(self) -> str:
        regret = "" if self.regret is None else f" {100 * self.regret:.1f}"
        return f"{self.utilisation:.0%} ({self.seconds / 3600:.2g}){regret}"


@dataclass
class Drawn:
    """Networks drawn from a bench, by names of their own."""

    table: BenchTable
    n: int
    rng: random.Random
    of: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.means = self.table.val[self.table.horizon].mean(-1)
        self.of = {f"{i}": self.rng.randrange(len(self.table.networks)) for i in range(self.n)}

    @property
    def rungs(self) -> tuple[int, ...]:
        horizon = self.table.horizon
        return max(1, horizon // 9), max(2, horizon // 3), horizon

    def seconds(self, job: Job) -> float:
        """Of a training that continues from the rung before."""
        name, rung = job
        epochs = self.rungs[rung] - (self.rungs[rung - 1] if rung else 0)
        return epochs * float(self.table.epoch_s[self.of[name]])

    def accuracy(self, job: Job) -> float:
        name, rung = job
        seed = int(name) % self.table.seeds
        return float(self.means[self.of[name], seed, self.rungs[rung] - 1])

    def regret(self, accuracies: dict[str, float]) -> float:
        best = max(accuracies, key=lambda name: accuracies[name])
        return self.table.regret(self.table.networks[self.of[best]])


@dataclass
class Machines:
    """Workers that finish jobs at some time, and what of their time was of use."""

    workers: int
    kind: str
    rng: random.Random
    used_s: float = 0.0

    def run(self, following: Next, drawn: Drawn, on_finished: Callable[[Job], None], *, start_s: float = 0.0) -> float:
        """Gives jobs to workers until there are none and all have ended; returns when the last one did."""
        free, busy, lost, now = self.workers, list[tuple[float, int, Job | None, bool]](), list[Job](), start_s
        count = 0
        while True:
            while free and (job := lost.pop() if lost else following()):
                count, free = count + 1, free - 1
                seconds, dies = self._takes(drawn.seconds(job))
                heapq.heappush(busy, (now + seconds, count, job, dies))
            if not busy:
                return now
            now, _, ended, died = heapq.heappop(busy)
            if ended is None:  # another worker was started
                free += 1
                continue
            if died:
                lost.append(ended)
                count += 1
                heapq.heappush(busy, (now + STALE_S, count, None, False))
                continue
            self.used_s += drawn.seconds(ended)
            free += 1
            on_finished(ended)

    def _takes(self, seconds: float) -> tuple[float, bool]:
        if self.kind == "stragglers" and self.rng.random() < STRAGGLERS:
            return SLOWER * seconds, False
        if self.kind == "deaths" and (life := self.rng.expovariate(1 / LIFE_S)) < seconds:
            return life, True
        return seconds, False

    def result(self, ended_s: float, regret: float | None) -> Result:
        return Result(self.used_s / (self.workers * ended_s), ended_s, regret)


def in_rungs(drawn: Drawn, machines: Machines) -> Result:
    """Successive halving, rung by rung."""
    names, now, accuracies = list(drawn.of), 0.0, dict[str, float]()
    for rung in range(len(drawn.rungs)):
        waiting, accuracies = iter([(name, rung) for name in names]), {}
        finish = lambda job, kept=accuracies: kept.__setitem__(job[0], drawn.accuracy(job))  # noqa: E731
        now = machines.run(lambda jobs=waiting: next(jobs, None), drawn, finish, start_s=now)  # type: ignore[misc]
        names = sorted(accuracies, key=lambda name: -accuracies[name])[: max(1, len(accuracies) // 3)]
    return machines.result(now, drawn.regret(accuracies))


def without_barriers(drawn: Drawn, machines: Machines) -> Result:
    """ASHA."""
    asha = Asha(list(drawn.of), drawn.rungs)
    now = machines.run(asha.next, drawn, lambda job: asha.finish(*job, drawn.accuracy(job)))
    return machines.result(now, drawn.regret(dict(asha.finished)))


def in_generations(drawn: Drawn, machines: Machines) -> Result:
    """Generations of candidates that each take one epoch to evaluate: evolution's schedule, without its choices."""
    names, now = list(drawn.of), 0.0
    for first in range(0, len(names), GENERATION):
        waiting = iter([(name, 0) for name in names[first : first + GENERATION]])
        now = machines.run(lambda jobs=waiting: next(jobs, None), drawn, lambda job: None, start_s=now)  # type: ignore[misc]
    return machines.result(now, None)


def draw(found: dict[str, dict[int, Result]], path: Path) -> None:
    """Utilisation against the number of workers."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4))
    colours, styles = (
        {"rungs": "C0", "ASHA": "C1", "generations": "C2"},
        {"alike": "-", "stragglers": "--", "deaths": ":"},
    )
    for name, row in found.items():
        way, machines = name.split(", ")
        axes.plot(
            list(row), [100 * r.utilisation for r in row.values()], styles[machines], color=colours[way], label=name
        )
    axes.set(xscale="log", xlabel="workers", ylabel="utilisation, %", ylim=(0, 102))
    axes.legend(fontsize=7, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    print(f"mean utilisation {mean(r.utilisation for row in found.values() for r in row.values()):.0%}; {path}")


if __name__ == "__main__":
    main()
