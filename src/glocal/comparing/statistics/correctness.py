"""What an arm classified correctly: an array (seeds, pictures), checked before anything is computed from it."""

import numpy as np
from numpy.typing import ArrayLike

from glocal.comparing.statistics.crossed import Floats
from glocal.errors import ComparisonError


def right_array(right: ArrayLike, whose: str) -> Floats:
    """What one arm classified correctly, as fractions (seeds, pictures); otherwise a ComparisonError that names the arm."""
    try:
        given = np.asarray(right)
    except ValueError as e:
        raise ComparisonError(f"{whose} is no array (seeds, pictures): give every seed the same pictures ({e})") from e
    if given.dtype.kind not in "bfiu":
        raise ComparisonError(
            f"{whose} holds values of type {given.dtype}: give booleans or fractions, true where right"
        )
    if given.ndim != 2:
        raise ComparisonError(
            f"{whose} is an array of shape {given.shape}: give (seeds, pictures); of one run, `right[None]` has one seed"
        )
    if not given.shape[0]:
        raise ComparisonError(f"{whose} has no seeds: train it at least once, better three times")
    if given.shape[1] < 2:
        raise ComparisonError(
            f"{whose} has {given.shape[1]} pictures: an interval needs at least two, better a thousand; hold out more"
        )
    values: Floats = given.astype(np.float64)
    for wrong, what in ((~np.isfinite(values), "not a finite number"), ((values < 0) | (values > 1), "outside 0 to 1")):
        if wrong.any():
            seed, picture = np.argwhere(wrong)[0]
            raise ComparisonError(
                f"{whose} holds {values[seed, picture]} for seed {seed}, picture {picture}, which is {what}: "
                "give 1 where it was right and 0 where it was wrong, or evaluate that run again"
            )
    return values
