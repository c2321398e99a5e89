"""The class that a network predicts for each picture of a split, and the file that keeps it: predictions.csv."""

import csv
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np

from glocal.errors import RunError
from glocal.files import write_whole

FILE = "predictions.csv"  # in the folder of a run: of its best epoch, on its validation pictures


@dataclass(frozen=True, eq=False)
class Predictions:
    """One predicted class for each picture, in the order of the split."""

    classes: tuple[str, ...]
    paths: tuple[str, ...]
    truth: np.ndarray  # int64 (n,)
    predicted: np.ndarray  # int64 (n,)
    confidence: np.ndarray  # float (n,): probability of the predicted class

    def confusion(self) -> np.ndarray:
        """int64 (K, K): pictures by their true class (row) and their predicted class (column)."""
        k = len(self.classes)
        return np.bincount(self.truth * k + self.predicted, minlength=k * k).reshape(k, k)

    def most_wrong(self, n: int) -> list[int]:
        """At most n wrongly predicted pictures, the most confident first."""
        wrong = np.flatnonzero(self.truth != self.predicted)
        return [int(i) for i in wrong[np.argsort(-self.confidence[wrong], kind="stable")][:n]]

    def to_csv(self) -> str:
        """A table with the columns path, truth, predicted, confidence."""
        text = StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(("path", "truth", "predicted", "confidence"))
        names, columns = self.classes, (self.truth.tolist(), self.predicted.tolist(), self.confidence.tolist())
        table.writerows((p, names[t], names[k], f"{c:.9g}") for p, t, k, c in zip(self.paths, *columns, strict=True))
        return text.getvalue()

    def write(self, path: Path) -> None:
        """Writes the table."""
        write_whole(path, self.to_csv().encode(errors="surrogateescape"))

    @classmethod
    def read(cls, path: Path, classes: tuple[str, ...]) -> "Predictions":
        """Predictions from a file that `write` wrote; RunError where it is not whole or has a class that is none of `classes`."""
        number = {name: i for i, name in enumerate(classes)}
        try:
            with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
                rows = [
                    (row["path"], number[row["truth"]], number[row["predicted"]], float(row["confidence"]))
                    for row in csv.DictReader(file)
                ]
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            raise RunError(f"{path} does not hold the predictions of these classes: {error!r}") from None
        paths, truth, predicted, confidence = zip(*rows, strict=True) if rows else ((), (), (), ())
        return cls(
            classes, paths, np.array(truth, np.int64), np.array(predicted, np.int64), np.array(confidence, np.float64)
        )
