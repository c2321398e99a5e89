"""How long a search takes: measured before it begins, told, and kept to. What is decided on the way is written down.

A budget is divided among the phases that are still to come, whenever one of them begins, by what things have been measured to
take; so time that one phase took too long is taken from all others alike, and the end comes on time.
"""

import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import torch
from torch.nn import functional

from glocal.design import Architecture
from glocal.errors import SearchError
from glocal.net import Network
from glocal.training.pace import clock
from glocal.training.recipe import Recipe
from glocal.training.run import threads as number_of_threads
from glocal.weights.files import whole_file

SHARES = {"supernet": 9, "candidates": 3, "finalists": 8}
"""Of a level's time; our choice: the one supernet ranks all candidates, and five finalists are trained anew."""

UNITS = {"supernet": "epochs", "candidates": "candidates", "finalists": "epochs each"}
UnitSeconds = Callable[[str], float]
"""What a unit of "supernet", "candidates" or "finalists" takes, measured when it is called."""


@dataclass
class Plan:
    """How much of everything, phase by phase ("details/supernet"), and what it took."""

    path: Path  # plan.json
    levels: tuple[str, ...]
    wanted: Mapping[str, int | None]  # units by kind of phase; None: as many as fit the budget
    budget_s: float | None
    decided: dict[str, int] = field(default_factory=dict)
    spent_s: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, path: Path, *, levels: tuple[str, ...], wanted: Mapping[str, int | None], budget_s: float | None
    ) -> "Plan":
        """The plan of a search, as far as it had come."""
        told = json.loads(path.read_text()) if path.exists() else {}
        return cls(path, levels, wanted, budget_s, told.get("decided", {}), told.get("spent_s", {}))

    @property
    def phases(self) -> list[str]:
        """All of them in order."""
        return [f"{level}/{phase}" for level in self.levels for phase in SHARES]

    def decide(self, phase: str, unit_s: UnitSeconds) -> int:
        """How many units a phase has: as it was decided before, as wanted, or as many as fit."""
        if phase not in self.decided:
            self.decided[phase] = self._units(phase, unit_s, spent=self.spent_s)
            self._write()
        return self.decided[phase]

    def _units(self, phase: str, unit_s: UnitSeconds, *, spent: Mapping[str, float]) -> int:
        kind = phase.split("/")[1]
        wanted = self.wanted[kind]
        return wanted if wanted is not None else max(1, int(self.seconds_for(phase, spent) / unit_s(kind)))

    def seconds_for(self, phase: str, spent: Mapping[str, float]) -> float:
        """The share of a phase in what is left of the budget, where it and those after it are still to come."""
        assert self.budget_s is not None
        ahead = self.phases[self.phases.index(phase) :]
        left = self.budget_s - sum(s for name, s in spent.items() if name not in ahead)
        weights = [SHARES[name.split("/")[1]] for name in ahead]
        return max(0.0, left) * weights[0] / sum(weights)

    def quote(self, unit_s: UnitSeconds) -> "Quote":
        """What all will take, if every level is like the first. SearchError where not even the least fits the budget."""
        spent: dict[str, float] = {}
        rows, unit_s = [], cache(unit_s)
        for name in self.phases:
            n = self._units(name, unit_s, spent=spent)
            spent[name] = n * unit_s(name.split("/")[1])
            rows.append((name, n, spent[name]))
        quote = Quote(tuple(rows))
        if self.budget_s is not None and quote.seconds > 1.1 * self.budget_s:
            least = "; ".join(f"{name}: {n:,} {UNITS[name.split('/')[1]]}, {clock(s)}" for name, n, s in rows)
            raise SearchError(
                f"--budget {clock(self.budget_s)} is too short: the search would take {clock(quote.seconds)} ({least}). Give "
                "more, a smaller space or picture, or fewer finalists"
            )
        return quote

    @contextmanager
    def spending(self, phase: str, *, since: float | None = None) -> Iterator[None]:
        """Counts the time inside to a phase, from `since` (of time.monotonic) on, with what it took before a stop."""
        began, before = since or time.monotonic(), self.spent_s.get(phase, 0.0)
        try:
            yield
        finally:
            self.spent_s[phase] = before + time.monotonic() - began
            self._write()

    def _write(self) -> None:
        with whole_file(self.path) as file:
            told = {"budget_s": self.budget_s, "decided": self.decided, "spent_s": self.spent_s}
            file.write(json.dumps(told, indent=1).encode())


@dataclass(frozen=True)
class Quote:
    """Phases with their units and seconds."""

    rows: tuple[tuple[str, int, float], ...]

    @property
    def seconds(self) -> float:
        """Of all."""
        return sum(seconds for *_, seconds in self.rows)

    def __str__(self) -> str:
        lines = [f"{name:<24}{n:>7,} {UNITS[name.split('/')[1]]:<12}{clock(s):>9}" for name, n, s in self.rows]
        return "\n".join([*lines, f"{'all':<44}{clock(self.seconds):>9}"])


def train_s(
    archs: Sequence[Architecture], recipe: Recipe, *, device: torch.device, threads: int, at_once: int = 1
) -> float:
    """Seconds for one picture in training, the mean over networks: forward, backward and step on noise, batch by batch."""

    def took(arch: Architecture) -> float:
        network = Network(arch).to(device).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=0.0, fused=True)
        x = torch.randn(recipe.batch_size, *arch.image, device=device)

        def step() -> None:
            functional.log_softmax(network(x), 1).mean().backward()
            optimizer.step()
            optimizer.zero_grad()

        return _median_s(step, device) / recipe.batch_size

    return _mean(took, archs, threads=threads, at_once=at_once)


def judge_s(
    archs: Sequence[Architecture], batch: int, *, device: torch.device, threads: int, at_once: int = 1
) -> float:
    """Seconds for one picture forward, the mean over networks."""

    @torch.inference_mode()
    def took(arch: Architecture) -> float:
        network, x = Network(arch).to(device).eval(), torch.randn(batch, *arch.image, device=device)
        return _median_s(lambda: network(x), device) / batch

    return _mean(took, archs, threads=threads, at_once=at_once)


def _mean(took: Callable[[Architecture], float], archs: Sequence[Architecture], *, threads: int, at_once: int) -> float:
    """With so many of torch's threads each, and so many at once, since cores that share a cache or a pipe slow each other."""
    with number_of_threads(threads), ThreadPoolExecutor(at_once) as pool:
        return statistics.mean(pool.map(took, [*archs] * math.ceil(at_once / len(archs))))


def _median_s(call: Callable[[], object], device: torch.device) -> float:
    """Of three calls after one that is not timed."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    took = []
    for _ in range(4):
        began = time.perf_counter()
        call()
        wait()
        took.append(time.perf_counter() - began)
    return statistics.median(took[1:])
