"""Predictions as files that grow while they are made: a table (CSV), and one JSON object a line (JSON Lines)."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from glocal.errors import RecipeError, RunError
from glocal.evaluation.predict import Prediction

Write = Callable[[Prediction], object]


def check_new_files(csv_file: Path | None, jsonl_file: Path | None, *, overwrite: bool) -> None:
    """RecipeError for a file that cannot be made, or that exists where `overwrite` does not allow to replace it."""
    if csv_file is not None and csv_file == jsonl_file:
        raise RecipeError(f"--csv and --jsonl both name {csv_file}; give each a file of its own")
    for path in (path for path in (csv_file, jsonl_file) if path is not None):
        if path.is_dir():
            raise RecipeError(f"{path} is a folder; name a file in it")
        if path.exists() and not overwrite:
            raise RecipeError(f"{path} exists and is not overwritten; give another name, or --overwrite")
        if not path.parent.is_dir():
            raise RecipeError(f"{path}: there is no folder {path.parent}; make it first")


@contextmanager
def prediction_files(csv_file: Path | None, jsonl_file: Path | None, *, classes: Sequence[str]) -> Iterator[Write]:
    """Opens new files, and gives a function that adds a prediction to each of them; RunError where one cannot be written.

    Every line is handed to the system at once, so whatever ends the process, a file is whole up to its last whole line.
    """
    try:
        with ExitStack() as stack:
            writers: list[Write] = []
            if csv_file is not None:
                writers.append(_csv_writer(stack.enter_context(_created(csv_file)), classes))
            if jsonl_file is not None:
                lines = stack.enter_context(_created(jsonl_file))
                writers.append(lambda prediction: lines.write(json_line(prediction) + "\n"))
            yield lambda prediction: [write(prediction) for write in writers]
    except OSError as error:  # of a write, or of the close after it
        names = " or ".join(str(path) for path in (csv_file, jsonl_file) if path is not None)
        raise RunError(f"{names} could not be written: {error.strerror}") from None


def _created(path: Path) -> IO[str]:
    return path.open("w", buffering=1, newline="", encoding="utf-8", errors="surrogateescape")


def _csv_writer(file: IO[str], classes: Sequence[str]) -> Write:
    """Writes the columns path, predicted, confidence, error, and p_CLASS for the probability of each class.

    Several labels are joined by "|". `predicted` is empty where the prediction is left open and where there is an error.
    """
    table = csv.writer(file, lineterminator="\n")
    table.writerow(("path", "predicted", "confidence", "error", *(f"p_{name}" for name in classes)))

    def write(prediction: Prediction) -> None:
        probabilities = [f"{p:.6g}" for p in prediction.probabilities.values()] or [""] * len(classes)
        confidence = "" if prediction.confidence is None else f"{prediction.confidence:.6g}"
        row = (prediction.path, "|".join(prediction.predicted), confidence, prediction.error or "", *probabilities)
        table.writerow(row)

    return write


def json_line(prediction: Prediction) -> str:
    """A prediction as one line of JSON that is always valid UTF-8; bytes of a path that are not are escaped."""
    values = prediction.to_json()
    line = json.dumps(values, ensure_ascii=False)
    return line if _encodes(line) else json.dumps(values)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
