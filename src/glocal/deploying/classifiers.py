"""What reads a run's folder, a file of weights, or an exported file alike: loading, predicting and evaluating."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from glocal.command_line import command
from glocal.data.options import DataOptions
from glocal.deploying.evaluate import evaluate_exported
from glocal.deploying.exported import ExportedModel, find_exported, load_exported
from glocal.errors import DataError, RecipeError
from glocal.evaluation import evaluate as of_weights
from glocal.evaluation.predict import Prediction, Predictor, predictions_of
from glocal.evaluation.scores import Scores


def load_classifier(path: str | Path, *, device: str = "auto", threads: int | None = None) -> Predictor | ExportedModel:
    """The model at a path: an exported file or its folder, the folder of a run, or a file of weights.

    threads: of the runtime of an exported file, which has no device. WeightError or RunError where there is no model.
    """
    if (exported := find_exported(path)) is None:
        return Predictor.load(path, device=device)
    raise_device(exported, device)
    return load_exported(exported, threads=threads)


def iter_predictions(
    weights: str | Path,
    paths: str | Path | Iterable[str | Path],
    *,
    threshold: float | None = None,
    device: str = "auto",
    batch_size: int = 64,
) -> Iterator[Prediction]:
    """One prediction after the other, in the order of the pictures, while threads load the next ones; memory stays bounded.

    weights: a run's folder, whose best weights are taken, a file of weights, or an exported file or its folder.
    paths: pictures, folders, patterns and "@LIST" files, as `picture_paths` reads them; they may come from a generator.
    threshold: predictions with a lower probability are left open.

    A picture that cannot be read gives a prediction with an error that says why. WeightError where there are no such weights,
    RecipeError for a threshold with a network that predicts several labels, or a device with an exported file.
    """
    classifier = load_classifier(weights, device=device)
    return predictions_of(classifier, paths, threshold=threshold, batch_size=batch_size)


def predict(
    weights: str | Path,
    paths: str | Path | Iterable[str | Path],
    *,
    threshold: float | None = None,
    device: str = "auto",
    batch_size: int = 64,
) -> list[Prediction]:
    """`iter_predictions` as a list, for as many pictures as fit into memory."""
    return [*iter_predictions(weights, paths, threshold=threshold, device=device, batch_size=batch_size)]


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
    """`evaluation.evaluate` of a run's best weights or a file of weights; of an exported file the same scores on `source`.

    DataError for an exported file without a source, since it has no pictures of its own; RecipeError for one with a device.
    """
    if (exported := find_exported(weights)) is None:
        return of_weights.evaluate(
            weights,
            source,
            split=split,
            device=device,
            batch_size=batch_size,
            workers=workers,
            options=options,
            progress=progress,
        )
    if source is None:
        raise DataError(f"{exported} has no pictures of its own; name labelled ones: {command('val', exported)} FOLDER")
    raise_device(exported, device)
    return evaluate_exported(
        exported, source, split=split, batch_size=batch_size, workers=workers, options=options, progress=progress
    )


def raise_device(file: Path, device: str) -> None:
    """RecipeError for a device with an exported file."""
    if device not in ("auto", "cpu"):
        raise RecipeError(f"--device {device} has no effect on {file}: exported files compute on the processor")
