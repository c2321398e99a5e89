"""What a study will take: every network is timed for a moment before the first training, and the seconds are added up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from glocal.comparing.arms import BuiltArm
from glocal.comparing.settings import StudySettings
from glocal.comparing.trial import trainings
from glocal.errors import ComparisonError
from glocal.monitoring.eta import clock
from glocal.trials.measuring import evaluation_seconds, training_seconds

LEAST_SEEDS = 3  # of each arm, for a verdict about methods and not about runs
BATCH = 250
SHARE = 0.9  # of a budget that the trainings may take: the rest is for checking, evaluating and the page
EVALUATIONS = 2  # of the held-out pictures after a training: for its temperature and of its last weights
FILES_S = 4.0  # for the start, the probe, the figures and the files of one training


@dataclass(frozen=True)
class Cost:
    """A training: seconds of one epoch with its validation, and its epochs."""

    name: str
    arms: tuple[str, ...]
    epoch_s: float
    validation_s: float
    epochs: int

    @property
    def seconds(self) -> float:
        """Of one seed."""
        return self.epochs * self.epoch_s + self.fixed_s

    @property
    def fixed_s(self) -> float:
        """Of one seed, for what does not grow with the epochs."""
        return EVALUATIONS * self.validation_s + FILES_S


@dataclass(frozen=True)
class StudyQuote:
    """The seconds of every training of a study, with as many at a time as there are workers."""

    costs: tuple[Cost, ...]
    workers: int

    def seconds(self, seeds: int = LEAST_SEEDS, *, trainings: Sequence[str] | None = None) -> float:
        """Of so many seeds of all trainings, or of some."""
        chosen = [cost for cost in self.costs if trainings is None or cost.name in trainings]
        whole = seeds * sum(cost.seconds for cost in chosen) / min(self.workers, max(1, seeds * len(chosen)))
        return max([whole, *(cost.seconds for cost in chosen)])

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


def measure(arms: Sequence[BuiltArm], *, device: torch.device, threads: int, workers: int) -> StudyQuote:
    """Times each network with as many at once as will train at once."""
    costs = []
    for name, group in trainings(arms).items():
        arm, n = group[0], len(group[0].data.train)
        batch = min(arm.recipe.batch_size, n)
        step = training_seconds([arm.architecture], batch_size=batch, device=device, threads=threads, at_once=workers)
        look = evaluation_seconds([arm.architecture], batch_size=BATCH, device=device, threads=threads, at_once=workers)
        validation_s = look * len(arm.data.val)
        epoch_s = step * n * arm.recipe.repeats + validation_s
        costs.append(Cost(name, tuple(each.name for each in group), epoch_s, validation_s, arm.recipe.total_epochs))
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
    per_epoch = LEAST_SEEDS * sum(cost.epoch_s for cost in quote.costs) / quote.workers
    fixed = LEAST_SEEDS * sum(cost.fixed_s for cost in quote.costs) / quote.workers
    epochs = int((left - fixed) / per_epoch)
    if settings.epochs is None and epochs >= 1:
        return epochs
    needed = (per_epoch * (settings.epochs or 1) + fixed) / SHARE
    cheapest = sorted(quote.costs, key=lambda cost: cost.epoch_s)[:2]
    two = LEAST_SEEDS * sum(c.epoch_s + c.fixed_s for c in cheapest) / min(quote.workers, 2) / SHARE
    names = " and ".join(cost.arms[0] for cost in cheapest)
    least = f"{settings.epochs} epochs" if settings.epochs else "one epoch"
    raise ComparisonError(
        f"--budget {clock(settings.budget_s)} is too short for {LEAST_SEEDS} seeds of {len(quote.costs)} trainings: {least} "
        f"of each would take {clock(needed)}. In {clock(two)}, one epoch of {names} alone could be compared. "
        "Give more time, fewer arms (--arms), or a smaller --scale"
    )
