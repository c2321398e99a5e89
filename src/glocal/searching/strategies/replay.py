"""A bench replayed: a table of networks that were trained alone, at which a strategy runs in milliseconds."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glocal.comparing.racing.decision import Measured, Right
from glocal.comparing.racing.race import Heat
from glocal.errors import SearchError
from glocal.searching.strategies.asha import Asha

Bits = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Guide:
    """What a supernet or a proxy said of every network of a table, for one seed.

    seconds: to make it; seconds_each: to score one network. scores: one for each network of the table.
    """

    seconds: float
    seconds_each: float
    scores: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BenchTable:
    """Every network of a bench, trained alone with several seeds and schedules.

    val: by length of the schedule, bool (networks, seeds, epochs, pictures): the held-out pictures that were right after each
    epoch. test: bool (networks, seeds, pictures), after the longest schedule, on pictures that no strategy sees.
    epoch_s: seconds of one epoch of each network. guides: by name and seed, the cheapest first.
    """

    networks: tuple[str, ...]
    val: Mapping[int, NDArray[np.bool_]]
    test: NDArray[np.bool_]
    epoch_s: NDArray[np.float64]
    guides: Mapping[tuple[str, int], tuple[Guide, ...]]

    @classmethod
    def read(cls, path: str | Path) -> "BenchTable":
        """A table as `benchmarks.nas_bench.pack` writes it. SearchError for any other file."""
        try:
            with np.load(path) as file:
                values: dict[str, NDArray[Any]] = dict(file)
            pictures, judges = (int(n) for n in values["pictures"])
            lengths = sorted(int(name.removeprefix("val_")) for name in values if name.startswith("val_"))
            return cls(
                networks=tuple(map(str, values["networks"])),
                val={n: _unpacked(values[f"val_{n}"], pictures) for n in lengths},
                test=_unpacked(values["test"], judges),
                epoch_s=values["epoch_s"].astype(np.float64),
                guides=_guides(values),
            )
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise SearchError(
                f"{path} is no table of a bench ({error}); make it with benchmarks.nas_bench.pack"
            ) from None

    @property
    def horizon(self) -> int:
        """Epochs of the longest schedule."""
        return max(self.val)

    @property
    def seeds(self) -> int:
        """Trainings of each network with each schedule."""
        return int(self.test.shape[1])

    @cached_property
    def truth(self) -> NDArray[np.float64]:
        """The accuracy of each network on the pictures that judge, the mean of all seeds."""
        means: NDArray[np.float64] = self.test.mean((1, 2))
        return means

    def regret(self, network: str) -> float:
        """How far a network is below the best of the table, as a fraction of the pictures that judge."""
        return float(self.truth.max() - self.truth[self.networks.index(network)])


def _unpacked(bits: Bits, n: int) -> NDArray[np.bool_]:
    return np.unpackbits(bits, axis=-1, count=n).astype(bool)


def _guides(values: Mapping[str, NDArray[Any]]) -> dict[tuple[str, int], tuple[Guide, ...]]:
    """From arrays "guide NAME SEED VARIANT": the seconds, the seconds for each, and the scores."""
    found: dict[tuple[str, int], list[Guide]] = {}
    for key in sorted(name for name in values if name.startswith("guide ")):
        _, name, seed, _ = key.split(" ")
        seconds, each, *scores = values[key]
        found.setdefault((name, int(seed)), []).append(Guide(float(seconds), float(each), np.array(scores)))
    return {key: tuple(sorted(guides, key=lambda guide: guide.seconds)) for key, guides in found.items()}


@dataclass(eq=False)
class Replay:
    """A workbench that looks everything up.

    seed: of the trainings. order: seed of the candidates' order. share: of the table's networks that are candidates, chosen at
    random by `order`, so that what a strategy finds does not rest on a few networks that all replays have. corners: those of the
    candidates that come first, whatever the order.
    """

    table: BenchTable
    seed: int = 0
    order: int = 0
    share: float = 1.0
    corners: Collection[str] = ()
    spent_s: float = 0.0
    _trained: dict[str, dict[int, Right]] = field(default_factory=dict)

    @cached_property
    def networks(self) -> Sequence[str]:
        """The candidates, shuffled; corners first."""
        names = list(self.table.networks)
        random.Random(f"order {self.order}").shuffle(names)
        return sorted(names[: max(1, round(self.share * len(names)))], key=lambda name: name not in self.corners)

    def regret(self, network: str) -> float:
        """How far a network is below the best candidate, as a fraction of the pictures that judge."""
        truth = self.table.truth
        return float(max(truth[self._index[name]] for name in self.networks) - truth[self._index[network]])

    def left_s(self, budget_s: float, *, rung: int) -> float:
        """What was not spent."""
        return budget_s - self.spent_s

    def epoch_s(self, network: str) -> float:
        """The median over all epochs that the table has."""
        return float(self.table.epoch_s[self._index[network]])

    def guide(self, name: str, *, budget_s: float) -> Mapping[str, float]:
        """The scores of the most expensive guide of a name that fits."""
        n = len(self.networks)
        guides = self.table.guides.get((name, self.seed), ())
        if not guides:
            raise SearchError(f"the table has no guide {name!r} of seed {self.seed}")
        for guide in reversed(guides):
            if (cost := guide.seconds + n * guide.seconds_each) <= budget_s:
                self.spent_s += cost
                return dict(zip(self.table.networks, guide.scores.tolist(), strict=True))
        return {}

    def train(self, heats: Sequence[Heat], *, continued: bool) -> Measured:
        """What the table has of each heat: after so many epochs of the longest schedule where trainings are continued, else of a
        schedule of that length."""
        for arm, epochs, _ in heats:
            known = self._trained.setdefault(arm, {})
            done = max(known, default=0) if continued else 0
            length = self.table.horizon if continued else epochs
            known[epochs] = self.table.val[length][self._index[arm], self.seed, epochs - 1][None]
            self.spent_s += (epochs - done) * self.epoch_s(arm)
        return self._trained

    def climb(self, asha: Asha) -> Measured:
        """One job after the other, as one worker does them."""
        while job := asha.next():
            name, rung = job
            right = self.train([Heat(name, asha.rungs[rung], rung)], continued=True)[name][asha.rungs[rung]]
            asha.finish(name, rung, float(right.mean()))
        return self._trained

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.table.networks)}
