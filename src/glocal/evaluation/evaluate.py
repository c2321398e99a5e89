"""The verb evaluate: a run's best weights, or a file of weights, scored on pictures with labels."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from glocal.artifacts.run_folder import RunFolder
from glocal.command_line import command
from glocal.data import Split
from glocal.data.batches.preprocess import Preprocess
from glocal.data.options import DataOptions
from glocal.errors import DataError, RecipeError, WeightError
from glocal.evaluation.calibration.temperature import report_calibration
from glocal.evaluation.pictures import Labelled, Pictures, run_pictures, source_pictures
from glocal.evaluation.scores import Scores, logits_of, scores
from glocal.machine.processes import Machine
from glocal.weights import Model, load_model, load_timm_file
from glocal.weights.networks.timm_architecture import weights_file


def evaluate(
    weights: str | Path,
    source: str | Path | None = None,
    *,
    split: str | None = None,
    device: str = "auto",
    batch_size: int = 256,
    workers: int | None = None,
    options: DataOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Scores of a run's best weights, or of a file of weights, on the run's own pictures or on those of another source.

    split: by default "val". Of a source without splits all pictures are scored; `Scores.trained` says how many the run was
        trained on. The test split is opened only by split="test"; each opening is noted in the run's tests.csv.
    progress: called with (pictures read, all), then with (batches evaluated, all).

    Classes are matched by name, and the source may lack some of them. Raises DataError for a split that is not there or a class
    that the network does not know.
    """
    machine = Machine.start(device, workers=workers)
    file, run = find_run_weights(weights)
    model = load_evaluated(weights, file)
    if source is not None:
        reading = options or DataOptions()
        pictures = source_pictures(source, split, model=model, options=reading, progress=progress)
    elif run is None:
        raise DataError(
            f"{file} lies in no run's folder; name the pictures to evaluate on: {command('val', file)} FOLDER"
        )
    elif options not in (None, DataOptions()):
        raise RecipeError(
            "options of pictures have no effect on the run's own; name a folder or table to use them with"
        )
    else:
        pictures = run_pictures(run, split or "val", progress=progress)
    logits_NK = logits_of(
        model.network.to(machine.device),
        pictures.split,
        preprocess=Preprocess.from_json(model.preprocess),
        machine=machine,
        batch_size=batch_size,
        progress=progress,
    )
    found = scores_of(model, pictures, logits_NK, run=run)
    if pictures.split_name == "test" and run and machine.main:
        noted = {"weights": file.name, "source": pictures.source, "top1": found.top1, "n": found.n}
        return replace(found, opened=run.count_test(noted))
    return found


def scores_of(model: Labelled, pictures: Pictures, logits_NK: Tensor, *, run: RunFolder | None) -> Scores:
    """Scores of logits without the temperature, their calibration, and what the run has seen of the pictures before."""
    split = pictures.split
    labels, temperature = torch.as_tensor(split.labels), model.temperature
    found = scores(logits_NK, labels, classes=model.classes, paths=split.paths, temperature=temperature)
    trained, chosen_on = _seen(run, split)
    return replace(
        found,
        split=pictures.split_name,
        split_rule=pictures.rule,
        trained=trained,
        chosen_on=chosen_on,
        skipped=pictures.skipped,
        calibration=report_calibration(logits_NK, labels, temperature=temperature, fitted_here=chosen_on == found.n),
    )


def _seen(run: RunFolder | None, split: Split) -> tuple[int, int]:
    """How many pictures, byte for byte, are in the run's train split, and how many in its val."""
    if run is None:
        return 0, 0
    rows = run.manifest().rows
    train, val = ({row.digest for row in rows[name]} for name in ("train", "val"))
    return sum(row.digest in train for row in split.rows), sum(row.digest in val for row in split.rows)


def load_evaluated(weights: str | Path, file: Path) -> Model:
    """The model in a file of weights that `find_run_weights` found. WeightError where the names of its classes are not known."""
    if weights_file(weights) is None:
        return load_model(file)
    model = load_timm_file(str(weights))
    if not model.classes:
        raise WeightError(
            f"{weights} does not say its classes; fine-tune it: {command('train', 'DATA')} --weights {weights}"
        )
    return model


def find_run_weights(weights: str | Path) -> tuple[Path, RunFolder | None]:
    """The file of weights meant by a run's folder or a file, and the run's folder where there is one."""
    if (file := weights_file(weights)) is not None:
        return file, None
    path = Path(weights)
    if path.is_dir():
        run = RunFolder.find(path)
        return run.weights("best"), run
    run = RunFolder(path.resolve().parent.parent)
    return path, run if run.settings.is_file() else None
