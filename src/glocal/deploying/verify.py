"""An exported file against PyTorch, on real held-out pictures: the same predictions, and by how much probabilities differ."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from glocal.comparing.statistics.paired import paired_difference
from glocal.data import Split
from glocal.data.batches.preprocess import Preprocess
from glocal.deploying.exported import ExportedModel
from glocal.weights import Model

BATCH = 32
TIE = 1e-5  # probabilities closer than this are equal up to the rounding of float32
LEAST_OWN = 0.998  # agreement through the file's own resizing, below which the resizing is left out of the file


@dataclass(frozen=True)
class Agreement:
    """How often two ways of computing the same network predict the same class.

    A picture whose two predicted classes are equally probable to `TIE` is not counted as changed, but as a tie.
    """

    n: int
    changed: int
    ties: int
    largest_difference: float  # of any probability

    @property
    def top1(self) -> float:
        """The share of pictures with the same prediction."""
        return 1 - self.changed / self.n

    def __str__(self) -> str:
        ties = f", {self.ties:,} of them tied" if self.ties else ""
        return (
            f"the same prediction as PyTorch on {self.n - self.changed:,} of {self.n:,} pictures{ties}; probabilities differ by "
            f"at most {self.largest_difference:.1e}"
        )


@dataclass(frozen=True)
class GreyLevels:
    """How far the file's own resizing is from Pillow's, in grey levels of 255."""

    share: float  # of the values that differ
    largest: int

    def __str__(self) -> str:
        if not self.largest:
            return "no value of a pixel differs from Pillow's"
        return (
            f"{self.share:.2%} of the pixels' values differ from Pillow's, by at most {self.largest} of 255 grey levels"
        )


@dataclass(frozen=True)
class Loss:
    """Accuracy that an exported file loses against PyTorch on the same pictures, and the upper end of its 95 % interval."""

    mean: float
    upper: float
    n: int

    def __str__(self) -> str:
        changes = f"gains {-100 * self.mean:.2f}" if self.mean < 0 else f"loses {100 * self.mean:.2f}"
        return f"it {changes} points of accuracy, and at worst loses {100 * self.upper:.2f} (95 %, {self.n:,} pictures)"


def agreement(found_NK: np.ndarray, expected_NK: np.ndarray) -> Agreement:
    """Of the probabilities of two ways, (n, classes) each."""
    rows = np.arange(len(expected_NK))
    theirs, ours = expected_NK.argmax(1), found_NK.argmax(1)
    differ = theirs != ours
    tied = differ & (expected_NK[rows, theirs] - expected_NK[rows, ours] < TIE)
    largest = float(np.abs(found_NK - expected_NK).max())
    return Agreement(len(rows), int((differ & ~tied).sum()), int(tied.sum()), largest)


def accuracy_loss(found_NK: np.ndarray, expected_NK: np.ndarray, labels: np.ndarray) -> Loss:
    """The loss of the first against the second, paired picture by picture."""
    right, right_before = (is_right(each, labels) for each in (found_NK, expected_NK))
    difference = paired_difference(right[None], right_before[None], arm="the exported file", baseline="PyTorch")
    return Loss(-difference.mean, -difference.interval(0.95).low, len(labels))


def is_right(probabilities_NK: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether the most probable class of each picture is its class, or one of its classes."""
    predicted = probabilities_NK.argmax(1)
    right: np.ndarray = labels == predicted if labels.ndim == 1 else labels[np.arange(len(labels)), predicted] > 0
    return right


def torch_probabilities(model: Model, split: Split, preprocess: Preprocess) -> np.ndarray:
    """What PyTorch gives for the pictures of a split, prepared by Pillow, as `glocal val` and `predict` do."""
    network, found = model.network.cpu().eval(), []
    with torch.inference_mode():
        for pictures in _batches(split):
            x = torch.from_numpy(np.stack([preprocess.resize(picture) for picture in pictures]))
            logits = network(preprocess.normalise(x)).float() / model.temperature
            found.append(logits.sigmoid() if model.multi_label else logits.softmax(1))
    return torch.cat(found).numpy()


def exported_probabilities(exported: ExportedModel, split: Split) -> np.ndarray:
    """What an exported file gives for the pictures of a split, resized by Pillow."""
    return np.concatenate([exported.probabilities(pictures) for pictures in _batches(split)])


def own_probabilities(exported: ExportedModel, split: Split) -> np.ndarray:
    """What an exported file gives for the pictures of a split as they are, which it resizes itself, one by one."""
    return np.concatenate([exported.probabilities(_rgb(picture)[None]) for (picture,) in _batches(split, size=1)])


def grey_levels(split: Split, prepare: object, preprocess: Preprocess) -> GreyLevels:
    """Compares a preparation (uint8 (1, h, w, 3) to uint8 (1, c, H, W)) with Pillow's on the pictures of a split."""
    assert callable(prepare)
    changed, values, largest = 0, 0, 0
    for (picture,) in _batches(split, size=1):
        off = np.abs(prepare(_rgb(picture)[None])[0].astype(int) - preprocess.resize(picture))
        changed, values, largest = changed + int((off > 0).sum()), values + off.size, max(largest, int(off.max()))
    return GreyLevels(changed / values, largest)


def _rgb(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))


def _batches(split: Split, *, size: int = BATCH) -> Iterator[Sequence[np.ndarray]]:
    for start in range(0, len(split), size):
        yield [split.picture(i) for i in range(start, min(start + size, len(split)))]
