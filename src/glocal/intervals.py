"""Intervals of what was counted, for every room that prints a share."""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np

Share = TypeVar("Share", float, "np.ndarray")


def wilson(share: Share, n: int) -> tuple[Share, Share]:
    """Wilson's 95 % interval of a share of n, or of several, each of n (Wilson 1927, JASA 22:209); from 0 to 1 of none."""
    if not n:
        return 0 * share, 0 * share + 1
    z2 = 1.959964**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = (z2 * (share * (1 - share) / n + z2 / (4 * n * n))) ** 0.5 / (1 + z2 / n)
    return middle - half, middle + half
