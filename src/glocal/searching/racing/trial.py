"""One trial of a race: a network is trained alone up to an epoch of its schedule, and its predictions are saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from glocal.artifacts.run_folder import RunFolder
from glocal.comparing.trial import read_right, write_predictions
from glocal.data import Data
from glocal.design import Architecture, decide
from glocal.design.space import Answers
from glocal.evaluation.scores import Scores
from glocal.machine.processes import Machine
from glocal.recipes.schema import Recipe
from glocal.searching.candidates.candidate import format_answers
from glocal.trials.training import Entry, train_in_time
from glocal.trials.trial import Json, Trial
from glocal.trials.workers.worker import Run


@dataclass(frozen=True, eq=False)
class TrainNetworks:
    """The task of a race's workers. `recipe` has the epochs of a full training; `folder` gets a folder for each network.

    ends_at: of `time.time`, by the epochs of a rung; a training for it stops then, wherever it is. Empty without a budget.
    """

    folder: Path
    space: Architecture
    recipe: Recipe
    data: Data
    machine: Machine
    threads: int  # of torch, for one network
    ends_at: Mapping[int, float]

    def prepare(self) -> Run:
        """A function from a network's answers and epochs to its accuracy after them, or to why it did not get there."""
        return self._run

    def _run(self, settings: Json) -> Json:
        answers, epochs = tuple(settings["answers"]), int(settings["epochs"])
        entry, folder = self.entry(answers), self.folder / format_answers(answers)
        failure = train_in_time(
            entry,
            threads=self.threads,
            epochs=epochs,
            on_epoch=partial(_save_predictions, folder),
            ends_at=self.ends_at.get(epochs),
        )
        rows = RunFolder(entry.folder).metrics()[:epochs]
        return {
            "accuracy": rows[-1]["val_top1"] if rows and not failure else 0.0,
            "n": len(self.data.val),
            "epochs": len(rows),
            "failure": failure,
        }

    def entry(self, answers: Answers) -> Entry:
        """The full training of a network."""
        arch = decide(self.space, answers)
        folder = self.folder / format_answers(answers) / "run"
        return Entry.of(folder, arch, self.recipe, data=self.data, machine=self.machine, origin="search")

    def right(self, answers: Answers, epochs: int) -> np.ndarray:
        """Whether each held-out picture was right after so many epochs: (1, pictures)."""
        return read_right(_predictions_file(self.folder / format_answers(answers), epochs))[None]


def as_trial(answers: Answers, epochs: int, *, promoted: Mapping[str, int] | None = None) -> Trial:
    """The training of a network up to an epoch, as a trial of the table. promoted: why it goes on, where ASHA decided that."""
    name = format_answers(answers)
    settings: Json = {"answers": answers, "epochs": epochs, **({"promoted": promoted} if promoted else {})}
    return Trial(f"{name}, {epochs} epochs", settings, {"network": name, "epochs": epochs})


def _save_predictions(folder: Path, epoch: int, scores: Scores) -> None:
    assert scores.predictions
    write_predictions(_predictions_file(folder, epoch), scores.predictions)


def _predictions_file(folder: Path, epoch: int) -> Path:
    return folder / f"epoch-{epoch:04}.npz"
