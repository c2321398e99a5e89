"""The files of an evaluation: report.csv, reliability.png and predictions.csv, in a folder that never takes another's place."""

from itertools import count
from pathlib import Path

from glocal.evaluation import per_class, predictions
from glocal.evaluation.calibration.reliability import draw_reliability
from glocal.evaluation.scores import Scores
from glocal.files import name_of_source, write_whole

FOLDER = "evaluations"  # in the folder of a run


def write_report(scores: Scores, folder: Path, *, title: str) -> Path:
    """Writes what `evaluate` found into `folder`, and returns where it lies. RunError where it cannot be written.

    report.csv: the scores of each class, fractions with all their digits (`per_class.COLUMNS`).
    predictions.csv: path, truth, predicted class and its probability of each picture, where a picture has one class.
    reliability.png: how often predictions of each probability come true.

    Nothing is overwritten: where the folder exists and its report.csv and predictions.csv hold the same, it is left as it is, and
    where they hold anything else, the first free of folder-2, folder-3, ... is taken.
    """
    files = {"report.csv": per_class.to_csv(scores.per_class).encode(errors="surrogateescape")}
    if scores.predictions:
        files[predictions.FILE] = scores.predictions.to_csv().encode(errors="surrogateescape")
    for number in count(1):
        place = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        if not place.exists():
            break
        if all((place / name).is_file() and (place / name).read_bytes() == data for name, data in files.items()):
            return place
    if scores.calibration:
        draw_reliability(scores.calibration, place / "reliability.png", title=title)
    for name, data in files.items():
        write_whole(place / name, data)
    return place


def name_of_evaluation(source: str | None, split: str) -> str:
    """The name of an evaluation's folder: the split of a run's own pictures; the source and its split for others."""
    if source is None:
        return split
    stem = name_of_source(source)
    return stem if split == "all" else f"{stem}-{split}"
