"""Intervals of what was counted, for every room that prints a share."""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np

Share = TypeVar("Share", float, "np.ndarray")


def wilson(share: Share, n: int) -> tuple[Share, Share]:
    """Wilson's 95 % interval of a share of n, or of several, each of n (Wilson 1927, JASA 22:209); from 0 to 1 of none."""
    if not n:
        return 0 * share, 0 * share + 1
    z2 = 1.959963984540054**2  # of the normal distribution's 97.5 % quantile
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = (z2 * (share * (1 - share) / n + z2 / (4 * n * n))) ** 0.5 / (1 + z2 / n)
    return middle - half, middle + half


def count_interval(right: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of the share that `right` is of n, within [0, 1]; (0, 1) where n is 0."""
    low, high = wilson(right / n if n else 0.0, n)
    return max(0.0, low), min(1.0, high)
