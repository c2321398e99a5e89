"""One number, the temperature, that makes a network's probabilities honest: how it is fitted, checked and kept with the weights.

Logits are divided by it before softmax or sigmoid (Guo et al., ICML 2017). The predicted class stays the same.
"""

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional

from glocal.evaluation.calibration.errors import Calibration, calibration

_LOW, _HIGH = 0.01, 100.0  # a temperature outside says that the pictures do not determine one


@dataclass(frozen=True)
class CalibrationReport:
    """Calibration without and with the temperature of the weights.

    cross_fitted: where the temperature was fitted on these same pictures, which flatters `after`: the calibration of each half of
    them with the temperature that was fitted on the other half.
    """

    temperature: float
    before: Calibration
    after: Calibration
    cross_fitted: Calibration | None

    @property
    def honest(self) -> Calibration:
        """The calibration with a temperature that has not seen the pictures, as new pictures will show it."""
        return self.cross_fitted or self.after

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "temperature": self.temperature,
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "cross_fitted": self.cross_fitted.to_json() if self.cross_fitted else None,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "CalibrationReport":
        """The inverse of `to_json`."""
        before, after, crossed = (
            Calibration.from_json(values[name]) if values[name] else None
            for name in ("before", "after", "cross_fitted")
        )
        assert before
        assert after
        return cls(values["temperature"], before, after, crossed)


def fit_temperature(logits_BK: Tensor, labels: Tensor) -> float | None:
    """The temperature with the lowest negative log-likelihood of the labels, found to 12 digits.

    The likelihood is convex in 1 / temperature, so there is at most one. None where there is none between 0.01 and 100: where
    every picture is right, for one, it would be 0. logits, labels: as for `calibration`.
    """
    from scipy.optimize import brentq

    logits_BK = logits_BK.double()
    one_label = labels.ndim == 1
    target_BK = functional.one_hot(labels, logits_BK.shape[1]).double() if one_label else (labels > 0).double()

    def slope(log_temperature: float) -> float:
        """Derivative of the negative log-likelihood with respect to 1 / temperature."""
        scaled_BK = logits_BK * math.exp(-log_temperature)
        p_BK = scaled_BK.softmax(1) if one_label else scaled_BK.sigmoid()
        return float(((p_BK - target_BK) * logits_BK).sum())

    low, high = math.log(_LOW), math.log(_HIGH)
    if not slope(low) > 0 > slope(high):
        return None
    return math.exp(brentq(slope, low, high, xtol=1e-13, rtol=1e-12))


def cross_fitted(logits_BK: Tensor, labels: Tensor) -> Calibration:
    """The calibration of each half of the pictures with the temperature of the other. Halves: every second picture, so that both
    have the same classes where pictures are sorted by class."""
    scaled_BK = logits_BK.double().clone()
    for half in (0, 1):
        fitted = fit_temperature(logits_BK[1 - half :: 2], labels[1 - half :: 2])
        scaled_BK[half::2] /= fitted or 1.0
    return calibration(scaled_BK, labels)


def choose_temperature(logits_BK: Tensor, labels: Tensor) -> float:
    """The fitted temperature where it helps on pictures that it was not fitted on; otherwise 1, which changes nothing."""
    fitted = fit_temperature(logits_BK, labels)
    helps = len(labels) > 1 and cross_fitted(logits_BK, labels).nll < calibration(logits_BK, labels).nll
    return fitted if fitted and helps else 1.0


def report_calibration(
    logits_BK: Tensor, labels: Tensor, *, temperature: float, fitted_here: bool
) -> CalibrationReport:
    """The calibration of logits without and with the temperature of the weights.

    fitted_here: whether that temperature was fitted on these same pictures.
    """
    return CalibrationReport(
        temperature=temperature,
        before=calibration(logits_BK, labels),
        after=calibration(logits_BK / temperature, labels),
        cross_fitted=cross_fitted(logits_BK, labels) if fitted_here and temperature != 1 else None,
    )


def describe(report: CalibrationReport) -> str:
    """The calibration in a sentence."""
    before, after = report.before, report.honest
    chance = f"{after.ece_by_chance:.1%} by chance alone"
    if report.temperature == 1:
        return f"calibration: expected calibration error {before.ece:.1%} ({chance}), without a temperature"
    how = "cross-fitted, " if report.cross_fitted else ""
    return (
        f"calibration: temperature {report.temperature:.3f}; expected calibration error {before.ece:.1%} before, "
        f"{after.ece:.1%} after ({how}{chance})"
    )
