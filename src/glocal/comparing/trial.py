"""One trial of a study: an arm is trained with one seed, and says of each held-out picture what it shows."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from glocal.artifacts.run_folder import RunFolder
from glocal.comparing.arms import BuiltArm
from glocal.comparing.corruptions import Corrupted
from glocal.comparing.study import Evaluation
from glocal.data import Data, Preprocess, Split
from glocal.errors import ComparisonError, DivergedError
from glocal.evaluation.predictions import Predictions
from glocal.evaluation.scores import Resize, Scores, score
from glocal.files import reason_of, unique_name, whole_file
from glocal.machine.processes import Machine
from glocal.machine.threads import threads as number_of_threads
from glocal.recipes.schema import Recipe
from glocal.trials.training import Entry, train_entry
from glocal.trials.trial import Json, Trial
from glocal.trials.workers.worker import Run
from glocal.weights import load_model


def training_name(arms: Sequence[BuiltArm]) -> str:
    """The folder of a training: the name of its first arm, and enough of a checksum to tell trainings apart."""
    return unique_name(arms[0].name, of=repr(arms[0].training))


def predictions_name(arm: str) -> str:
    """The file of an arm's predictions in the folder of its trial."""
    return f"{unique_name(arm)}.npz"


def trainings(built: Sequence[BuiltArm]) -> dict[str, tuple[BuiltArm, ...]]:
    """Arms by their training, in the order of the study: those that are only evaluated otherwise are trained once."""
    groups: dict[tuple[Any, ...], list[BuiltArm]] = {}
    for each in built:
        groups.setdefault(each.training, []).append(each)
    return {training_name(group): tuple(group) for group in groups.values()}


def trial(name: str, seed: int) -> Trial:
    """A training with a seed, as a trial of the study's table."""
    return Trial(f"{name}, seed {seed}", {"training": name, "seed": seed}, {"training": name, "seed": seed})


@dataclass(frozen=True, eq=False)
class StudyTask:
    """What a worker needs to run any trial of a study. threads: of torch, which change the last bits."""

    folder: Path
    arms: tuple[BuiltArm, ...]
    machine: Machine
    threads: int
    first_data: Data | None = None  # of the first stage, in studies of transfer

    def prepare(self) -> Run:
        """A function from the settings of a trial to its result."""
        return partial(self._run, trainings(self.arms))

    def _run(self, groups: dict[str, tuple[BuiltArm, ...]], settings: Json) -> Json:
        group, seed = groups[settings["training"]], int(settings["seed"])
        folder = self.folder / "trials" / settings["training"] / f"seed-{seed}"
        place = {"folder": str(folder.relative_to(self.folder))}
        with number_of_threads(self.threads):
            try:
                run = RunFolder(train_entry(self._entry(group[0], folder, seed=seed)).folder)
            except DivergedError as error:
                return {**place, "accuracy": 0.0, "failure": str(error)}
            found = {each.name: self._evaluate(each, run) for each in group}
        metrics = run.metrics()
        return {
            **place,
            "accuracy": float(np.mean([arm["accuracy"] for arm in found.values()])),
            "time_s": metrics[-1]["time_s"],
            "curve": [round(row["val_top1"], 6) for row in metrics],
            "train_loss": metrics[-1]["train_loss"],
            "arms": found,
        }

    def _entry(self, arm: BuiltArm, folder: Path, *, seed: int) -> Entry:
        recipe = arm.recipe.merged({"seed": seed})
        if arm.arm.pretraining is not None:
            recipe = recipe.merged({"weights": str(self._pretrained(arm, folder / "pretraining", seed=seed))})
        return self._entry_of(arm, folder / "run", recipe=recipe, data=arm.data)

    def _pretrained(self, arm: BuiltArm, folder: Path, *, seed: int) -> Path:
        """The weights of the first stage, trained now or before."""
        assert self.first_data, "asked for before the first training"
        recipe = arm.first_recipe().merged({"seed": seed})
        entry = self._entry_of(arm, folder, recipe=recipe, data=self.first_data)
        return RunFolder(train_entry(entry).folder).weights("last").resolve()

    def _entry_of(self, arm: BuiltArm, folder: Path, *, recipe: Recipe, data: Data) -> Entry:
        arch = arm.architecture_for(recipe, data)
        return Entry.of(folder, arch, recipe, data=data, machine=self.machine, origin="study")

    def _evaluate(self, arm: BuiltArm, run: RunFolder) -> Json:
        """Accuracy of the last weights on the held-out pictures, shown as the arm says; its predictions go to a file."""
        scores = evaluate_arm(run, arm.data.val, arm.arm.evaluation, machine=self.machine)
        assert scores.predictions
        path = run.path.parent / predictions_name(arm.name)
        write_predictions(path, scores.predictions)
        return {"accuracy": scores.top1, "loss": scores.loss, "predictions": str(path.relative_to(self.folder))}


def evaluate_arm(run: RunFolder, split: Split, evaluation: Evaluation, *, machine: Machine) -> Scores:
    """The scores of a run's last weights on a split. The last, not the best: choosing an epoch by these pictures flatters."""
    model = load_model(run.weights("last"))
    network, preprocess = model.network, Preprocess.from_json(model.preprocess)
    if evaluation.img_size is not None:
        size = (evaluation.img_size, evaluation.img_size)
        network, preprocess = network.resized(size), replace(preprocess, size=size)
    transform = (
        Resize(preprocess)
        if evaluation.corruption is None
        else Corrupted(preprocess, evaluation.corruption, evaluation.severity)
    )
    return score(
        network.to(machine.device),
        split,
        classes=model.classes,
        preprocess=preprocess,
        machine=machine,
        transform=transform,
    )


def write_predictions(path: Path, predictions: Predictions) -> None:
    """The predicted class and its probability for each held-out picture, in their order."""
    with whole_file(path) as file:
        np.savez_compressed(
            file,
            truth=predictions.truth.astype(np.int32),
            predicted=predictions.predicted.astype(np.int32),
            confidence=predictions.confidence.astype(np.float32),
        )


def read_right(path: Path) -> np.ndarray:
    """Whether each held-out picture was classified correctly: bool (n,). ComparisonError for a file that is gone or damaged."""
    try:
        with np.load(path, allow_pickle=False) as found:
            right: np.ndarray = found["predicted"] == found["truth"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        what = "is not there" if isinstance(error, FileNotFoundError) else f"is damaged ({reason_of(error)})"
        raise ComparisonError(
            f"{path} {what}; delete {path.parent} and the table of trials (trials.db), and resume: "
            "other trainings that are finished are not repeated"
        ) from None
    return right
