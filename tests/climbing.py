"""A search by ASHA in which nothing is trained: accuracies are made of a network's number and its epochs.

Import it as `from climbing import ...`, from processes that tests start too.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from glocal.searching.candidates.candidate import Candidate
from glocal.searching.racing.workbench import FolderBench
from glocal.searching.strategies.strategy import Found, run, strategies
from glocal.trials.coordinator import coordinate
from glocal.trials.plan import Plan
from glocal.trials.table import Table
from glocal.trials.trial import Json, Trial
from glocal.trials.workers.worker import Run

NETWORKS, HORIZON, BUDGET = 40, 9, 90  # the budget in epochs


@dataclass(frozen=True)
class MadeUp:
    """The task: a network that is better than another mostly is so early."""

    sleep_s: float = 0.0  # for an epoch

    def prepare(self) -> Run:
        return self._run

    def _run(self, settings: Json) -> Json:
        time.sleep(self.sleep_s * settings["epochs"])
        right = self.right(tuple(settings["answers"]), settings["epochs"])
        return {"accuracy": float(right.mean()), "n": right.size, "epochs": settings["epochs"], "failure": ""}

    def right(self, answers: tuple[int, ...], epochs: int) -> np.ndarray:
        truth = np.random.default_rng(answers).uniform(0.4, 0.6)
        return np.random.default_rng([*answers, epochs]).random((1, 200)) < truth


def climbed(where: Any, *, workers: int = 1, sleep_s: float = 0.0) -> Found:
    """What the search finds."""
    task, names = MadeUp(sleep_s), [f"{i}" for i in range(NETWORKS)]
    candidates = [Candidate((i,), 0, i, "random", (), {}) for i in range(NETWORKS)]
    choices = {"network": names, "epochs": range(1, HORIZON + 1)}
    with (
        Table.open(where, "race", identity={}, choices=choices, value="accuracy") as table,
        coordinate(task, table, workers=workers) as coordinator,
    ):
        nothing = cast(Any, None)  # the folder and space, which trainings would need
        search = cast(Any, SimpleNamespace(plan=Plan(Path(), (), budget_s=None)))
        bench = FolderBench(search, "race", nothing, nothing, candidates, cast(Any, task), coordinator)
        return run(strategies("macs")["asha"], bench, budget_s=BUDGET, horizon=HORIZON)


def decisions(where: Any) -> list[Trial]:
    """What was decided so far, in its order."""
    with Table.join(where, "race") as table:
        return table.enqueued()
