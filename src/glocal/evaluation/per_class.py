"""Precision, recall and F1 of each class, as a table that is printed, written to report.csv and kept as JSON."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np

from glocal.intervals import count_interval

COLUMNS = ("class", "n", "predicted", "right", "precision", "recall", "recall_low", "recall_high", "f1")


@dataclass(frozen=True)
class ClassScores:
    """How well one class is recognised. Shares are fractions in [0, 1], or None where nothing can be divided."""

    name: str
    n: int  # pictures of the class
    predicted: int  # pictures that were predicted to be of it
    right: int  # pictures of the class that were predicted to be of it

    @property
    def precision(self) -> float | None:
        """Share of the pictures predicted as this class that are of it."""
        return self.right / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """Share of the pictures of this class that were predicted as it."""
        return self.right / self.n if self.n else None

    @property
    def recall_interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of the recall: of the pictures drawn, not of the training."""
        return count_interval(self.right, self.n) if self.n else None

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 right / (n + predicted)."""
        return 2 * self.right / (self.n + self.predicted)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        interval = self.recall_interval
        return {
            "class": self.name,
            "n": self.n,
            "predicted": self.predicted,
            "right": self.right,
            "precision": self.precision,
            "recall": self.recall,
            "recall_interval": list(interval) if interval else None,
            "f1": self.f1,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ClassScores":
        """The inverse of `to_json`."""
        return cls(values["class"], values["n"], values["predicted"], values["right"])


def class_scores(truth: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> tuple[ClassScores, ...]:
    """The scores of each class that has pictures or was predicted, in the order of `classes`.

    truth, predicted: class numbers (n,), or where pictures may have several labels bool (n, classes).
    """
    k = len(classes)
    if truth.ndim == 1:
        right = np.bincount(truth[truth == predicted], minlength=k)
        n, called = np.bincount(truth, minlength=k), np.bincount(predicted, minlength=k)
    else:
        n, called, right = truth.sum(0), predicted.sum(0), (truth & predicted).sum(0)
    rows = zip(classes, n.tolist(), called.tolist(), right.tolist(), strict=True)
    return tuple(ClassScores(*row) for row in rows if row[1] or row[2])


def macro_f1(per_class: Sequence[ClassScores]) -> float:
    """Mean F1 of the classes that have pictures."""
    return float(np.mean([row.f1 for row in per_class if row.n]))


def worst_first(per_class: Sequence[ClassScores]) -> list[ClassScores]:
    """The lowest F1 first, among equals the class with more pictures; classes without pictures come last."""
    return sorted(per_class, key=lambda row: (not row.n, row.f1, -row.n))


def to_csv(per_class: Sequence[ClassScores]) -> str:
    """The table with the columns `COLUMNS`; a cell is empty where a share is not defined."""
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in per_class:
        low, high = row.recall_interval or (None, None)
        table.writerow((row.name, row.n, row.predicted, row.right, row.precision, row.recall, low, high, row.f1))
    return text.getvalue()
