"""Leaving unsure predictions open: how often a threshold does so, and how often the other predictions are right."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from glocal.artifacts.run_folder import RunFolder
from glocal.errors import RecipeError
from glocal.evaluation import predictions
from glocal.evaluation.pictures import Labelled
from glocal.evaluation.predict import SEVERAL, Predictor
from glocal.evaluation.predictions import Predictions
from glocal.intervals import count_interval


@dataclass(frozen=True)
class Selective:
    """What a threshold does on held-out pictures: predictions with a lower probability are left open.

    coverage: share of the pictures whose prediction is kept. accuracy: share of the kept predictions that are right. Both with
    Wilson's 95 % intervals of the pictures drawn.
    """

    threshold: float
    n: int
    kept: int
    right: int  # of those kept
    chosen_here: bool = False  # the threshold was chosen on these same pictures

    @property
    def coverage(self) -> float:
        """Share of the pictures whose prediction is kept."""
        return self.kept / self.n

    @property
    def accuracy(self) -> float | None:
        """Share of the kept predictions that are right; None where none is kept."""
        return self.right / self.kept if self.kept else None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "threshold": self.threshold,
            "n": self.n,
            "kept": self.kept,
            "right": self.right,
            "coverage": self.coverage,
            "coverage_interval": list(count_interval(self.kept, self.n)),
            "accuracy": self.accuracy,
            "accuracy_interval": list(count_interval(self.right, self.kept)),
            "chosen_here": self.chosen_here,
        }

    def __str__(self) -> str:
        low, high = count_interval(self.n - self.kept, self.n)
        text = (
            f"threshold {self.threshold:.4f}: of {self.n:,} held-out pictures {1 - self.coverage:.1%} are left open "
            f"(95 % interval {low:.1%} to {high:.1%})"
        )
        if self.accuracy is None:
            return f"{text}, so none is predicted"
        low, high = count_interval(self.right, self.kept)
        caution = "; it was chosen on these pictures, so this is a little optimistic" if self.chosen_here else ""
        return f"{text}, and {self.accuracy:.1%} of the others are right ({low:.1%} to {high:.1%}){caution}"


class Threshold(NamedTuple):
    """What --threshold asks for: a probability, or the accuracy that a threshold shall reach."""

    kind: Literal["probability", "accuracy"]
    value: float

    @classmethod
    def parse(cls, text: str) -> "Threshold":
        """ "0.8" or "80%" as a probability, "auto:95%" as the accuracy to reach. RecipeError for anything else."""
        m = re.fullmatch(r"(auto:)?\s*(\d*\.?\d+)\s*(%?)", text.strip())
        value = float(m[2]) / (100 if m[3] else 1) if m else -1.0
        if not m or not 0 < value <= 1:
            raise RecipeError(
                f"--threshold {text!r}: give a probability (0.8 or 80%), or an accuracy to reach (auto:95%)"
            )
        return cls("accuracy" if m[1] else "probability", value)


def at_threshold(held_out: Predictions, threshold: float) -> Selective:
    """What a threshold does on held-out pictures."""
    kept = held_out.confidence >= threshold
    right = kept & (held_out.truth == held_out.predicted)
    return Selective(threshold, len(kept), int(kept.sum()), int(right.sum()))


def smallest_threshold(held_out: Predictions, accuracy: float) -> Selective:
    """The smallest threshold at which the lower end of the 95 % interval of the accuracy is as high as `accuracy`.

    It is chosen on the same pictures that it is measured on, so both are a little optimistic. RecipeError where none reaches it.
    """
    order = np.argsort(-held_out.confidence, kind="stable")
    confidence = held_out.confidence[order]
    right = np.cumsum((held_out.truth == held_out.predicted)[order])
    kept = np.arange(1, len(order) + 1)
    last_of_equals = np.append(confidence[1:] < confidence[:-1], True)
    counts = zip(right.tolist(), kept.tolist(), last_of_equals.tolist(), strict=True)
    low = np.array([count_interval(r, n)[0] if last else -1.0 for r, n, last in counts])
    if not (reached := np.flatnonzero(low >= accuracy)).size:
        best = int(low.argmax())
        raise RecipeError(
            f"no threshold reaches {accuracy:.1%} on {len(order):,} held-out pictures: the highest lower end of an interval is "
            f"{low[best]:.1%}, at --threshold {confidence[best]:.4f}; ask for less, or train a better network"
        )
    return replace(at_threshold(held_out, float(confidence[reached[-1]])), chosen_here=True)


def held_out_predictions(weights: Path, run: RunFolder | None, classes: tuple[str, ...]) -> Predictions | None:
    """The predictions of these weights on the validation pictures of their run, where the run has kept them."""
    if run is None or weights.resolve() != run.weights("best").resolve():
        return None
    path = run.path / predictions.FILE
    return Predictions.read(path, classes) if path.is_file() else None


def threshold_of(classifier: Labelled, text: str | None) -> tuple[float | None, Selective | None]:
    """The threshold that --threshold asks of a classifier, and what it does on the held-out pictures where those are known.

    RecipeError where it has no effect or cannot be chosen.
    """
    if text is None:
        return None, None
    if classifier.multi_label:
        raise RecipeError(SEVERAL)
    held_out = None
    if isinstance(classifier, Predictor):
        held_out = held_out_predictions(classifier.file, classifier.run, classifier.classes)
    return choose_threshold(text, held_out)


def choose_threshold(text: str, held_out: Predictions | None) -> tuple[float, Selective | None]:
    """The threshold that --threshold asks for, and what it does on the held-out pictures where they are known.

    RecipeError where an accuracy is asked for and there are no held-out predictions, or no threshold reaches it.
    """
    wanted = Threshold.parse(text)
    if wanted.kind == "probability":
        return wanted.value, None if held_out is None else at_threshold(held_out, wanted.value)
    if held_out is None:
        raise RecipeError(
            f"--threshold {text}: there are no held-out predictions of these weights to choose a threshold on; "
            "give the folder of a run, or a probability"
        )
    found = smallest_threshold(held_out, wanted.value)
    return found.threshold, found
