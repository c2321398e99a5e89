"""What a study will take: every network is timed for a moment before the first training, and the seconds are added up."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import Any

import torch

from glocal.comparing.arms import BuiltArm
from glocal.comparing.settings import StudySettings
from glocal.comparing.trial import trainings
from glocal.data import Data
from glocal.errors import ComparisonError
from glocal.monitoring.eta import clock
from glocal.recipes.schema import Recipe
from glocal.trials.measuring import evaluation_seconds, training_seconds
from glocal.weights import AnyArchitecture

LEAST_SEEDS = 3  # of each arm, for a verdict about methods and not about runs
BATCH = 250
SHARE = 0.9  # of a budget that the trainings may take: the rest is for checking, evaluating and the page
EVALUATIONS = 2  # of the held-out pictures after a training: for its temperature and of its last weights
FILES_S = 4.0  # for the start, the probe, the figures and the files of one training


@dataclass(frozen=True)
class Cost:
    """A training: seconds of one epoch with its validation, seconds that do not grow with the epochs, and its epochs.

    length: its epochs as a multiple of the study's.
    """

    name: str
    arms: tuple[str, ...]
    epoch_s: float
    fixed_s: float
    epochs: int
    length: float = 1.0

    @property
    def seconds(self) -> float:
        """Of one seed."""
        return self.epochs * self.epoch_s + self.fixed_s


@dataclass(frozen=True)
class StudyQuote:
    """The seconds of every training of a study, with as many at a time as there are workers."""

    costs: tuple[Cost, ...]
    workers: int

    def seconds(self, seeds: int = LEAST_SEEDS, *, trainings: Sequence[str] | None = None) -> float:
        """Of so many seeds of all trainings, or of some; as many seeds as `seeds_at_once` are trained together."""
        chosen = [cost for cost in self.costs if trainings is None or cost.name in trainings]
        assert trainings is None or len(chosen) == len(trainings), "every training has a cost"
        if not chosen:
            return 0.0
        together = min(seeds, seeds_at_once(self.workers, len(chosen)))
        at_once = min(self.workers, together * len(chosen))
        whole = together * sum(cost.seconds for cost in chosen) / at_once
        return ceil(seeds / together) * max([whole, *(cost.seconds for cost in chosen)])

    def with_epochs(self, epochs: int) -> "StudyQuote":
        """The same with other epochs of the study."""
        return replace(
            self, costs=tuple(replace(cost, epochs=max(1, round(cost.length * epochs))) for cost in self.costs)
        )

    def of(self, arms: Sequence[BuiltArm]) -> "StudyQuote":
        """The same for the same arms, built with other epochs."""
        groups = trainings(arms).items()
        costs = [
            replace(cost, name=name, epochs=group[0].recipe.total_epochs)
            for cost, (name, group) in zip(self.costs, groups, strict=True)
        ]
        return replace(self, costs=tuple(costs))

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        rows = [{"arms": list(c.arms), "epochs": c.epochs, "seconds_a_seed": c.seconds} for c in self.costs]
        return {"trainings": rows, "workers": self.workers, "seconds_of_3_seeds": self.seconds()}

    def __str__(self) -> str:
        width = max(len(", ".join(cost.arms)) for cost in self.costs)
        lines = [
            f"{', '.join(c.arms):<{width}}  {c.epochs:>4,} epochs {clock(c.seconds):>9} a seed" for c in self.costs
        ]
        at_once = f", {self.workers} at a time" if self.workers > 1 else ""
        return "\n".join([*lines, f"{LEAST_SEEDS} seeds of each{at_once}: about {clock(self.seconds())}"])


def seeds_at_once(workers: int, trainings: int) -> int:
    """Seeds of so many trainings that are trained together, so that all workers have something to do."""
    return max(1, workers // trainings)


@dataclass(frozen=True)
class _Timer:
    """Times networks with as many at once as will train at once."""

    device: torch.device
    threads: int
    workers: int

    def seconds(self, arch: AnyArchitecture, recipe: Recipe, data: Data) -> tuple[float, float]:
        """Of one epoch with its validation, and of what comes after the last one."""
        n = len(data.train)
        batch = min(recipe.batch_size, n)
        measured = partial(training_seconds, device=self.device, threads=self.threads, at_once=self.workers)
        looked = partial(evaluation_seconds, device=self.device, threads=self.threads, at_once=self.workers)
        validation_s = looked([arch], batch_size=BATCH) * len(data.val)
        epoch_s = measured([arch], batch_size=batch, amp=recipe.amp) * n * recipe.repeats + validation_s
        return epoch_s, EVALUATIONS * validation_s + FILES_S


def measure(
    arms: Sequence[BuiltArm], *, first_data: Data | None, device: torch.device, threads: int, workers: int
) -> StudyQuote:
    """Times each network, and those of a first stage on other pictures."""
    timer, costs = _Timer(device, threads, workers), []
    for name, group in trainings(arms).items():
        arm, names = group[0], tuple(each.name for each in group)
        epoch_s, fixed_s = timer.seconds(arm.architecture, arm.recipe, arm.data)
        if arm.arm.pretraining is not None and first_data is not None:
            recipe = arm.first_recipe()
            first_epoch_s, after_s = timer.seconds(arm.architecture_for(recipe, first_data), recipe, first_data)
            fixed_s += recipe.total_epochs * first_epoch_s + after_s
        costs.append(Cost(name, names, epoch_s, fixed_s, arm.recipe.total_epochs, arm.arm.length))
    return StudyQuote(tuple(costs), workers)


def fitting_epochs(quote: StudyQuote, settings: StudySettings) -> int | None:
    """The epochs of every training that fit the budget; None where the recipe's do, or where nothing is to be fitted.

    ComparisonError where three seeds of one epoch do not fit, with what would.
    """
    if settings.budget_s is None:
        return None
    left = SHARE * settings.budget_s
    if quote.seconds() <= left:
        return None
    most = max(round(cost.epochs / cost.length) for cost in quote.costs)
    fitting = (epochs for epochs in range(most, 0, -1) if quote.with_epochs(epochs).seconds() <= left)
    if settings.epochs is None and (epochs := next(fitting, None)) is not None:
        return epochs
    needed = quote.with_epochs(settings.epochs or 1).seconds() / SHARE
    cheapest = sorted(quote.costs, key=lambda cost: cost.epoch_s)[:2]
    two = replace(quote, costs=tuple(cheapest)).with_epochs(1).seconds() / SHARE
    names = " and ".join(cost.arms[0] for cost in cheapest)
    least = f"{settings.epochs} epochs" if settings.epochs else "one epoch"
    raise ComparisonError(
        f"--budget {clock(settings.budget_s)} is too short for {LEAST_SEEDS} seeds of {len(quote.costs)} trainings: {least} "
        f"of each would take {clock(needed)}. In {clock(two)}, one epoch of {names} alone could be compared. "
        "Give more time, fewer arms (--arms), or a smaller --scale"
    )
