"""What fits a budget: how long a training in full is, who races, and how many finalists are trained with how many seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import mean
from typing import Self

import torch

from glocal.comparing.racing.rules import ETA, Entrant, Rules
from glocal.data import Data
from glocal.errors import ComparisonError
from glocal.monitoring.eta import clock
from glocal.picking.candidates import Candidate, Refused
from glocal.picking.settings import PickSettings
from glocal.recipes.schema import Recipe
from glocal.trials.measuring import evaluation_seconds, training_seconds

LEAST_EPOCHS = 9  # of a training in full: its rungs are after 3 and 6
LEAST_FINALISTS = 2  # for which time is reserved; more are trained where less was spent than planned
RUNGS = (1, 2)  # thirds of a training in full; at a ninth the order says little of the end (docs/pick.md)
LONGEST = 4  # times the epochs of the recipe
SHARE = 0.85  # of the time that is left, which the plan fills: the rest is for networks that take longer than they were timed
BATCH = 250


@dataclass(frozen=True)
class RacePlan:
    """A race and its finals. finals_s: what two finalists would take with all seeds; workers: trainings at a time."""

    horizon: int
    rules: Rules
    entrants: tuple[Entrant, ...]
    left_out: tuple[Refused, ...]
    finals_s: float
    workers: int

    @property
    def race_s(self) -> float:
        """What the race would take if each rung kept a third."""
        return _race_seconds(self.entrants, self.rules) / self.workers

    def __str__(self) -> str:
        rungs = " and ".join(f"{epochs}" for epochs in self.rules.rungs)
        return (
            f"{len(self.entrants)} networks race, and are compared after {rungs} of {self.horizon} epochs: about "
            f"{clock(self.race_s)}; then two at least, {self.rules.places} at most are trained in full: about "
            f"{clock(self.finals_s)} for two"
        )


def measure_epochs(
    candidates: Sequence[Candidate], data: Data, recipe: Recipe, *, device: torch.device, threads: int, workers: int
) -> dict[str, float]:
    """Seconds of one epoch with its validation, each network timed on noise for a moment, with as many at once as will train."""
    n, found = len(data.train), {}
    for each in candidates:
        step = training_seconds(
            [each.architecture],
            batch_size=min(recipe.batch_size, n),
            amp=recipe.amp,
            device=device,
            threads=threads,
            at_once=workers,
        )
        look = evaluation_seconds(
            [each.architecture], batch_size=min(BATCH, len(data.val)), device=device, threads=threads, at_once=workers
        )
        found[each.name] = step * n * recipe.repeats + look * len(data.val)
    return found


def plan_race(
    epoch_s: Mapping[str, float], settings: PickSettings, *, seconds: float, recipe: Recipe, workers: int
) -> RacePlan:
    """The longest training in full that fits `seconds` for all candidates, or for all but the costliest.

    Without --epochs, networks are left out, the costliest first, until a training of at least nine epochs fits. ComparisonError
    where not even two networks fit.
    """
    names = sorted(epoch_s, key=lambda name: (epoch_s[name], name))
    longest = settings.epochs or LONGEST * recipe.epochs
    least = settings.epochs or min(LEAST_EPOCHS, longest)
    whole = tuple(Entrant(name, epoch_s[name]) for name in names)
    if len(whole) < 2:
        raise ComparisonError(f"{len(whole)} candidate is left, {', '.join(names)}; a race needs two: widen the limits")
    for n in range(len(whole), 1, -1):
        entrants = whole[:n]
        fitting = [h for h in range(least, longest + 1) if _total(entrants, settings, h) <= SHARE * seconds * workers]
        if fitting:
            horizon = fitting[-1]
            out = tuple(Refused(e.name, _too_long(e, horizon, seconds)) for e in whole[n:])
            rules = _rules(settings, horizon)
            finals = _finals_seconds(entrants, settings, rules, horizon) / workers
            return RacePlan(horizon, rules, entrants, out, finals, workers)
    needed = _total(whole[:2], settings, least) / workers / SHARE
    raise ComparisonError(
        f"--budget {clock(settings.budget_s)} is too short: a race of {whole[0].name} and {whole[1].name} over {least} epochs "
        f"would take {clock(needed)}, and {clock(max(seconds, 0))} are left. Give more time, fewer --epochs or --seeds, or "
        "smaller networks: --candidates 'vit_lite*@tiny,cvt*@tiny'"
    )


def _rules(settings: PickSettings, horizon: int) -> Rules:
    rungs = tuple(sorted({horizon * thirds // 3 for thirds in RUNGS} - {0})) or (1,)
    return Rules(rungs, margin=settings.margin / 100, level=settings.level, places=settings.finalists)


def _total(entrants: Sequence[Entrant], settings: PickSettings, horizon: int) -> float:
    rules = _rules(settings, horizon)
    return _race_seconds(entrants, rules) + _finals_seconds(entrants, settings, rules, horizon)


def _race_seconds(entrants: Sequence[Entrant], rules: Rules) -> float:
    """If each rung kept one arm of `ETA`, whatever it costs."""
    total = 0.0
    for rung in range(len(rules.rungs)):
        seconds = mean(rules.seconds(entrants, rung).values())
        total += ceil(len(entrants) / ETA**rung) * seconds
    return total


def _finals_seconds(entrants: Sequence[Entrant], settings: PickSettings, rules: Rules, horizon: int) -> float:
    places = min(rules.places, len(entrants), LEAST_FINALISTS)
    return places * (settings.seeds * horizon - rules.rungs[-1]) * mean(each.epoch_s for each in entrants)


def _too_long(entrant: Entrant, horizon: int, seconds: float) -> str:
    return (
        f"{entrant.epoch_s:.1f} s an epoch: with it, a race over {horizon} epochs would not fit the {clock(seconds)} that "
        "are left"
    )


def rung_allowance(plan: RacePlan, left_s: float) -> float:
    """What the next rung may take of all workers' time, where `left_s` of the clock are left: all but what the finals need."""
    return max(0.0, (left_s - plan.finals_s) * plan.workers)


def choose_finals(
    ranked: Sequence[str],
    epoch_s: Mapping[str, float],
    *,
    horizon: int,
    done: Mapping[str, int],
    seeds: int,
    seconds: float,
    workers: int,
) -> "Finals":
    """How many of the ranked finalists are trained in full and with how many seeds: the most seeds of two or more that fit, then
    fewer; one network with one seed fits always. done: epochs that each has
    with the first seed."""
    for n, k in ((n, k) for k in range(seeds, 0, -1) for n in range(len(ranked), min(2, len(ranked)) - 1, -1)):
        work = sum((k * horizon - done[name]) * epoch_s[name] for name in ranked[:n])
        longest = max(horizon * epoch_s[name] for name in ranked[:n])
        if max(work / workers, longest) <= seconds:
            return Finals(tuple(ranked[:n]), k)
    return Finals(tuple(ranked[:1]), 1)


@dataclass(frozen=True)
class StoredPlan:
    """A plan as plan.json has it: the epochs of a training in full and of each rung, the seconds of an epoch of each entrant, and
    why others were left out."""

    horizon: int
    rungs: tuple[int, ...]
    entrants: dict[str, float]
    left_out: dict[str, str]
    finals_s: float

    @classmethod
    def of(cls, plan: RacePlan) -> Self:
        """Of a plan that was just made."""
        entrants = {each.name: each.epoch_s for each in plan.entrants}
        left_out = {each.name: each.reason for each in plan.left_out}
        return cls(plan.horizon, plan.rules.rungs, entrants, left_out, plan.finals_s)

    def plan(self, settings: PickSettings, *, workers: int) -> RacePlan:
        """The plan as it was made when the race was started."""
        entrants = tuple(Entrant(name, seconds) for name, seconds in self.entrants.items())
        left_out = tuple(Refused(name, reason) for name, reason in self.left_out.items())
        return RacePlan(self.horizon, _rules(settings, self.horizon), entrants, left_out, self.finals_s, workers)


@dataclass(frozen=True)
class Finals:
    """The networks that are trained in full, and the seeds of each."""

    names: tuple[str, ...]
    seeds: int


@dataclass
class Decisions:
    """plan.json: each decision that depended on the time, so that a session after a kill decides alike. allowances: the seconds
    of each rung, by its number."""

    plan: StoredPlan
    allowances: dict[int, float] = field(default_factory=dict)
    finals: Finals | None = None
