"""One trial of a pick: a candidate is trained with a seed up to an epoch of its schedule, and its predictions are kept."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from glocal.artifacts.run_folder import RunFolder
from glocal.comparing.racing.decision import Right
from glocal.comparing.trial import read_right, write_predictions
from glocal.data import Data
from glocal.evaluation.scores import Scores
from glocal.files import unique_name
from glocal.machine.processes import Machine
from glocal.picking.candidates import Candidate
from glocal.picking.recipe import with_horizon
from glocal.recipes.schema import Recipe
from glocal.trials.training import Entry, train_in_time
from glocal.trials.trial import Json, Trial
from glocal.trials.workers.worker import Run


class Part(NamedTuple):
    """A part of a training: the first `epochs` of a schedule that is `horizon` epochs long."""

    candidate: str
    seed: int
    epochs: int
    horizon: int

    @property
    def trial(self) -> Trial:
        """The part as a trial of the table."""
        key = f"{self.candidate}, seed {self.seed}, {self.epochs} of {self.horizon} epochs"
        return Trial(key, self._asdict(), {"candidate": self.candidate, "seed": self.seed})

    @property
    def folder(self) -> str:
        """Its folder below the pick's, which all parts of the same training share."""
        return f"trials/{unique_name(self.candidate)}/seed-{self.seed}"


@dataclass(frozen=True, eq=False)
class PickTask:
    """What a worker needs to run any trial of a pick. ends_at: of `time.time`; a training stops then, wherever it is."""

    folder: Path
    candidates: tuple[Candidate, ...]
    recipe: Recipe
    data: Data
    machine: Machine
    threads: int
    ends_at: float

    def prepare(self) -> Run:
        """A function from the settings of a trial to its result."""
        return partial(self._run, {each.name: each for each in self.candidates})

    def _run(self, candidates: Mapping[str, Candidate], settings: Json) -> Json:
        part = Part(**settings)
        folder, started = self.folder / part.folder, time.monotonic()
        failure = train_in_time(
            self._entry(candidates[part.candidate], part),
            threads=self.threads,
            epochs=part.epochs,
            on_epoch=partial(_save_predictions, folder),
            ends_at=self.ends_at,
        )
        rows = RunFolder(folder / "run").metrics()[: part.epochs]
        return {
            "folder": part.folder,
            "epochs": len(rows),
            "accuracy": rows[-1]["val_top1"] if rows else 0.0,
            "seconds": time.monotonic() - started,
            "curve": [round(row["val_top1"], 6) for row in rows],
            "failure": failure,
        }

    def _entry(self, candidate: Candidate, part: Part) -> Entry:
        recipe = with_horizon(self.recipe, part.horizon).merged({"seed": part.seed})
        if candidate.weights is not None:
            recipe = recipe.merged({"weights": str(candidate.weights)})
        folder = self.folder / part.folder / "run"
        return Entry.of(folder, candidate.architecture, recipe, data=self.data, machine=self.machine, origin="pick")


def _save_predictions(folder: Path, epoch: int, scores: Scores) -> None:
    assert scores.predictions
    write_predictions(folder / f"epoch-{epoch:04}.npz", scores.predictions)


def predictions_file(folder: Path, part: Part, epoch: int) -> Path:
    """The file of the predictions after an epoch of a training."""
    return folder / part.folder / f"epoch-{epoch:04}.npz"


def read_epochs(folder: Path, part: Part) -> dict[int, Right]:
    """Whether each held-out picture was classified correctly, after each epoch of a part: (1, pictures) by epoch."""
    return {e: read_right(predictions_file(folder, part, e))[None] for e in range(1, part.epochs + 1)}


def is_finished(trial: Trial) -> bool:
    """Whether the training of a trial reached its epochs."""
    return trial.result is not None and trial.result["epochs"] >= trial.settings["epochs"]


def training_seconds(trials: Sequence[Trial]) -> dict[str, float]:
    """What each candidate cost so far."""
    found: dict[str, float] = {}
    for trial in trials:
        if trial.result is not None:
            name = trial.settings["candidate"]
            found[name] = found.get(name, 0.0) + trial.result["seconds"]
    return found
