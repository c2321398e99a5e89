"""What a network said of each picture of a split, kept beside a run's metrics. How good it is is in `scores`."""

import csv
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np

from glocal.weights.files import whole_file


@dataclass(frozen=True, eq=False)
class Answers:
    """One answer a picture, in the order of the split."""

    classes: tuple[str, ...]
    paths: tuple[str, ...]
    truth: np.ndarray  # int64 (n,)
    said: np.ndarray  # int64 (n,)
    confidence: np.ndarray  # float (n,): the probability given to what was said

    def confusion(self) -> np.ndarray:
        """int64 (K, K): pictures by their class (row) and by what was said (column)."""
        k = len(self.classes)
        return np.bincount(self.truth * k + self.said, minlength=k * k).reshape(k, k)

    def most_wrong(self, n: int) -> list[int]:
        """At most n wrongly answered pictures, the most confident answer first."""
        wrong = np.flatnonzero(self.truth != self.said)
        return [int(i) for i in wrong[np.argsort(-self.confidence[wrong], kind="stable")][:n]]

    def write(self, path: Path) -> None:
        """A table with the columns path, truth, said, confidence."""
        text = StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(("path", "truth", "said", "confidence"))
        names, told = self.classes, (self.truth.tolist(), self.said.tolist(), self.confidence.tolist())
        table.writerows((p, names[t], names[s], f"{c:.4f}") for p, t, s, c in zip(self.paths, *told, strict=True))
        with whole_file(path) as file:
            file.write(text.getvalue().encode(errors="surrogateescape"))

    @classmethod
    def read(cls, path: Path, classes: tuple[str, ...]) -> "Answers":
        """Answers as `write` wrote them."""
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = list(csv.DictReader(file))
        number = {name: i for i, name in enumerate(classes)}
        return cls(
            classes,
            tuple(row["path"] for row in rows),
            np.array([number[row["truth"]] for row in rows]),
            np.array([number[row["said"]] for row in rows]),
            np.array([float(row["confidence"]) for row in rows]),
        )
