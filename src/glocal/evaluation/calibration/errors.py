"""How far the probabilities of a network can be trusted: calibration errors, likelihood, and the bins of a reliability plot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor
from torch.nn import functional

BINS = 15  # as in Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017)
_DRAWS, _NUMBERS = 200, 20_000_000  # of the error that chance alone gives: draws, and random numbers in all


class Bin(NamedTuple):
    """The probabilities that fall into one bin of a reliability plot."""

    n: int
    confidence: float  # their mean
    accuracy: float  # the share of them that came true


@dataclass(frozen=True)
class Calibration:
    """Errors of predicted probabilities, lower is better.

    Where a picture has one class, its probability is that of its predicted class, and it comes true where the class is right.
    Where a picture may have several labels, every class of every picture counts, and its probability comes true where the
    label is there.

    n: how many probabilities were compared.
    ece: expected calibration error: mean |accuracy - confidence| of 15 bins of equal width, weighted by n (Guo et al. 2017).
    ece_by_chance: the ECE that perfectly calibrated probabilities of the same sizes show on average on so few pictures.
    rms_debiased: root of the mean squared error of 15 bins of equal n, less what chance adds to it (Kumar et al., NeurIPS 2019);
        None of fewer than four probabilities.
    nll: negative log-likelihood of the labels, in nats a picture; of several labels in nats a label.
    brier: squared error of the probabilities, summed over the classes, 0 to 2; of several labels the mean over them, 0 to 1.
    """

    n: int
    ece: float
    ece_by_chance: float
    rms_debiased: float | None
    nll: float
    brier: float
    bins: tuple[Bin, ...]  # of equal width, those that are not empty

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "n": self.n,
            "ece": self.ece,
            "ece_by_chance": self.ece_by_chance,
            "rms_debiased": self.rms_debiased,
            "nll": self.nll,
            "brier": self.brier,
            "bins": [each._asdict() for each in self.bins],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Calibration":
        """The inverse of `to_json`."""
        return cls(**{**values, "bins": tuple(Bin(**each) for each in values["bins"])})


def calibration(logits_BK: Tensor, labels: Tensor) -> Calibration:
    """The errors of the probabilities that logits (B, classes) give.

    labels: class numbers (B,), or (B, classes) with 1 for each label that is there.
    """
    logits_BK = logits_BK.double()
    if labels.ndim == 1:
        log_p_BK = logits_BK.log_softmax(1)
        p_BK = log_p_BK.exp()
        best = p_BK.max(1)
        confidence, outcome = best.values.numpy(), (best.indices == labels).numpy()
        nll = float(functional.nll_loss(log_p_BK, labels))
        squared_B = (p_BK - functional.one_hot(labels, p_BK.shape[1])).square().sum(1)
    else:
        hot_BK = (labels > 0).double()
        p_BK = logits_BK.sigmoid()
        confidence, outcome = p_BK.flatten().numpy(), hot_BK.bool().flatten().numpy()
        nll = float(functional.binary_cross_entropy_with_logits(logits_BK, hot_BK))
        squared_B = (p_BK - hot_BK).square().mean(1)
    bins = equal_width_bins(confidence, outcome)
    return Calibration(
        n=len(confidence),
        ece=expected_error(bins),
        ece_by_chance=ece_by_chance(confidence),
        rms_debiased=rms_debiased(confidence, outcome),
        nll=nll,
        brier=float(squared_B.mean()),
        bins=bins,
    )


def _numbers_of_bins(confidence: np.ndarray) -> np.ndarray:
    """The bin ((i / 15, (i + 1) / 15]) of each probability: int64 (n,); 0 lies in the first."""
    number: np.ndarray = np.ceil(confidence * BINS).astype(np.int64) - 1
    return number.clip(0, BINS - 1)


def equal_width_bins(confidence: np.ndarray, outcome: np.ndarray) -> tuple[Bin, ...]:
    """Fifteen bins of equal width without the empty ones. confidence: (n,) in [0, 1]; outcome: bool (n,)."""
    number = _numbers_of_bins(confidence)
    counts = np.bincount(number, minlength=BINS)
    sums = np.bincount(number, weights=confidence, minlength=BINS)
    right = np.bincount(number, weights=outcome, minlength=BINS)
    return tuple(
        Bin(int(counts[i]), float(sums[i] / counts[i]), float(right[i] / counts[i])) for i in np.flatnonzero(counts)
    )


def expected_error(bins: Sequence[Bin]) -> float:
    """The ECE: mean |accuracy - confidence| of the bins, weighted by n (Guo et al. 2017)."""
    return float(sum(each.n * abs(each.accuracy - each.confidence) for each in bins) / sum(each.n for each in bins))


def ece_by_chance(confidence: np.ndarray) -> float:
    """Mean ECE of outcomes that are drawn with exactly these probabilities, from a fixed seed."""
    rng, number = np.random.default_rng(0), _numbers_of_bins(confidence)
    draws = max(1, min(_DRAWS, _NUMBERS // len(confidence)))
    errors = []
    for _ in range(draws):
        excess = (rng.random(len(confidence)) < confidence) - confidence
        errors.append(np.abs(np.bincount(number, weights=excess)).sum() / len(confidence))
    return float(np.mean(errors))


def rms_debiased(confidence: np.ndarray, outcome: np.ndarray) -> float | None:
    """Kumar et al.'s debiased estimate of the root-mean-square calibration error, in at most 15 bins of equal n; 0 where it is
    negative, None of fewer than four probabilities."""
    n = len(confidence)
    if n < 4:
        return None
    order = np.argsort(confidence, kind="stable")
    squared = 0.0
    for part in np.array_split(order, min(BINS, n // 2)):
        accuracy, mean = outcome[part].mean(), confidence[part].mean()
        squared += len(part) / n * ((mean - accuracy) ** 2 - accuracy * (1 - accuracy) / (len(part) - 1))
    return float(np.sqrt(max(0.0, squared)))
