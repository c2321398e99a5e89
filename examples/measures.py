"""Average precision of boxes as COCO computes it, intersection over union of classes, and their intervals over pictures.

Each measure is computed from one record a picture, so that pictures can be drawn again: an interval says how far other pictures
of the same kind would move the number. It does not say how far another seed of the training would.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of the intersection over union of boxes
RECALLS = np.linspace(0.0, 1.0, 101)
RESAMPLES = 1000


class Boxes(NamedTuple):
    """One picture: true boxes (n, 4) as left, top, right, bottom, and their labels; predicted ones with scores."""

    boxes: np.ndarray
    labels: np.ndarray
    found: np.ndarray
    found_labels: np.ndarray
    scores: np.ndarray


class Interval(NamedTuple):
    """A measure on all pictures, and the 2.5 and 97.5 percentiles over resampled pictures."""

    value: float
    low: float
    high: float


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair of boxes: (n, 4), (m, 4) -> (n, m)."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clip(0).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (a, b)]
    return shared / (areas[0][:, None] + areas[1][None] - shared).clip(1e-9)


def matched(boxes: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Whether each found box, the highest score first, is a true one's at each threshold: bool (thresholds, m).

    As in COCO, a found box takes the free true box that it overlaps most, if that is enough; each true box is taken once.
    """
    hit = np.zeros((len(THRESHOLDS), len(found)), bool)
    shares = overlaps(found, boxes)
    for t, least in enumerate(THRESHOLDS):
        free = np.ones(len(boxes), bool)
        for i in range(len(found) if len(boxes) else 0):
            best = int(np.where(free, shares[i], -1).argmax())
            if free[best] and shares[i, best] >= least:
                free[best], hit[t, i] = False, True
    return hit


class AveragePrecision:
    """COCO's AP at 0.50 to 0.95, the mean over classes and thresholds, of pictures counted as often as one likes."""

    def __init__(self, pictures: Sequence[Boxes], classes: Sequence[int]) -> None:
        self.n, self.of_class = len(pictures), []
        for k in classes:
            true = np.array([(each.labels == k).sum() for each in pictures])
            picture, score, hit = [np.zeros(0, int)], [np.zeros(0)], [np.zeros((len(THRESHOLDS), 0), bool)]
            for i, each in enumerate(pictures):
                mine = np.flatnonzero(each.found_labels == k)
                mine = mine[np.argsort(-each.scores[mine], kind="stable")]
                picture.append(np.full(len(mine), i))
                score.append(each.scores[mine])
                hit.append(matched(each.boxes[each.labels == k], each.found[mine]))
            order = np.argsort(-np.concatenate(score), kind="stable")
            self.of_class.append((true, np.concatenate(picture)[order], np.concatenate(hit, 1)[:, order]))

    def __call__(self, times: np.ndarray) -> float:
        """With picture i counted times[i] times."""
        found = [self._of_class(*each, times) for each in self.of_class if (each[0] * times).sum()]
        return float(np.mean(found)) if found else 0.0

    @staticmethod
    def _of_class(true: np.ndarray, picture: np.ndarray, hit: np.ndarray, times: np.ndarray) -> float:
        weights = times[picture]
        right = np.cumsum(hit * weights, 1)
        precision = right / np.cumsum(weights).clip(1)
        precision = np.maximum.accumulate(precision[:, ::-1], 1)[:, ::-1]  # the best at this recall or a higher one
        recall, areas = right / (true * times).sum(), []
        for row, line in zip(recall, precision, strict=True):
            at = np.searchsorted(row, RECALLS)
            areas.append(np.append(line, 0.0)[at.clip(max=len(line))].mean())
        return float(np.mean(areas))


class MeanIoU:
    """The mean over classes of the intersection over union of all pixels, the background being one class as in PASCAL VOC.

    right, wrong, missed: true positives, false positives and false negatives, pixels (pictures, classes), as
    `segmentation_models_pytorch.metrics.get_stats` counts them.
    """

    def __init__(self, right: np.ndarray, wrong: np.ndarray, missed: np.ndarray) -> None:
        self.n, self.shared, self.joined = len(right), right, right + wrong + missed

    def __call__(self, times: np.ndarray) -> float:
        """With picture i counted times[i] times."""
        joined = times @ self.joined
        there = joined > 0
        return float(((times @ self.shared)[there] / joined[there]).mean())


Measure = AveragePrecision | MeanIoU


def resampled(measure: Measure, *, seed: int = 0) -> np.ndarray:
    """The measure on all pictures, then on `RESAMPLES` draws of as many with replacement; the same draws for each measure
    of as many pictures, so that two of them can be subtracted."""
    n = measure.n
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    return np.array([measure(np.ones(n, int)), *(measure(row) for row in times)])


def interval(values: np.ndarray) -> Interval:
    """Of what `resampled` gives, or of the difference of two."""
    low, high = np.quantile(values[1:], (0.025, 0.975))
    return Interval(float(values[0]), float(low), float(high))


def verdict(found: Interval) -> str:
    """better, worse, or cannot tell."""
    return "better" if found.low > 0 else "worse" if found.high < 0 else "cannot tell"


class Trained(NamedTuple):
    """What one training left: the network, whether it began from "scratch" or "pretrained", its updates, and its measure."""

    name: str
    start: str
    steps: int
    measure: Measure


def table(trained: Sequence[Trained], *, title: str, baseline: str) -> str:
    """Markdown: each measure with its interval, in points of 100; its difference from the baseline of the same start; and for
    pretrained ones what the pretrained weights changed."""
    values = {(each.name, each.start): resampled(each.measure) for each in trained}
    lines = [
        f"| network | from | steps | {title} | minus `{baseline}` | | minus its own from scratch | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in trained:
        own = values[each.name, each.start]
        others = (baseline, each.start), (each.name, "scratch")
        cells = [
            "- | " if other == (each.name, each.start) or other not in values else _compared(own - values[other])
            for other in others
        ]
        lines.append(
            f"| `{each.name}` | {each.start} | {each.steps} | {_points(interval(own))} | {' | '.join(cells)} |"
        )
    return "\n".join(lines)


def _points(found: Interval, sign: str = "") -> str:
    value, low, high = (f"{100 * each:{sign}.1f}" for each in found)
    return f"{value} ({low} to {high})"


def _compared(differences: np.ndarray) -> str:
    found = interval(differences)
    return f"{_points(found, '+')} | {verdict(found)}"
