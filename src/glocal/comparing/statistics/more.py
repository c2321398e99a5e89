"""What to buy more of where a comparison cannot tell: seeds, pictures, or both, from the components of the variance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glocal.comparing.statistics.crossed import Counts, half_width, least_variance
from glocal.comparing.statistics.paired import PairedDifference

MOST_SEEDS = 100  # of an arm; nobody trains more to settle one question
MOST_PICTURES = 1_000_000
POWER = 0.8  # chance that the data asked for decide, if the true difference is the one that was seen


@dataclass(frozen=True)
class MoreData:
    """How much more data would probably decide.

    `seeds` are with the pictures as they are and `pictures` with the seeds as they are; None where even 100 seeds, or a million
    pictures, would not do. Where neither would, `together` has numbers of both that would, up to 100 seeds.
    """

    seeds: int | None
    pictures: int | None
    together: tuple[int, int] | None = None


def more_data(difference: PairedDifference, *, level: float, margin: float) -> MoreData | None:
    """What would bring a decision at this level with a chance of 0.8, if the true difference is the one that was seen.

    A decision is an interval off 0 or one inside +-margin. None with one seed: nobody knows then how much the difference
    varies over seeds.
    """
    if not difference.seeds_varied:
        return None
    k, n = difference.seeds, difference.pictures
    seeds = np.arange(k + 1, MOST_SEEDS + 1)
    pictures = np.unique(np.geomspace(n + 1, max(MOST_PICTURES, n + 1), 500).astype(np.int64))
    first_seeds = _first(_decides(difference, seeds=seeds, pictures=n, level=level, margin=margin))
    first_pictures = _first(_decides(difference, seeds=k, pictures=pictures, level=level, margin=margin))
    if first_seeds is None and first_pictures is None:
        return MoreData(None, None, _together(difference, seeds, level=level, margin=margin))
    return MoreData(
        None if first_seeds is None else int(seeds[first_seeds]) - k,
        None if first_pictures is None else int(pictures[first_pictures]) - n,
    )


def _together(
    difference: PairedDifference, seeds: NDArray[np.int64], *, level: float, margin: float
) -> tuple[int, int] | None:
    """More seeds and pictures, in the proportion there is now."""
    k, n = difference.seeds, difference.pictures
    pictures = -(-n * seeds // k)
    first = _first(_decides(difference, seeds=seeds, pictures=pictures, level=level, margin=margin))
    return None if first is None else (int(seeds[first]) - k, int(pictures[first]) - n)


def _first(decides: NDArray[np.bool_]) -> int | None:
    return int(decides.argmax()) if decides.any() else None


def _decides(
    difference: PairedDifference, *, seeds: Counts, pictures: Counts, level: float, margin: float
) -> NDArray[np.bool_]:
    """Whether so many seeds and pictures would decide; at least one of the two is an array."""
    spread = difference.spread
    assert spread.seed_sd is not None
    assert spread.noise_sd is not None
    by_seeds = np.asarray(spread.seed_sd**2 + spread.noise_sd**2 / pictures) / seeds
    total = np.maximum(by_seeds + spread.picture_sd**2 / pictures, least_variance(seeds, pictures))
    needed, stray = (
        half_width(by_seeds, total, seeds=seeds, pictures=pictures, alpha=alpha)
        for alpha in (1 - level, 2 * (1 - POWER))  # the mean strays to one side with half of its alpha
    )
    distance = abs(difference.mean)
    return (needed + stray < distance) | (needed + stray < margin - distance)
