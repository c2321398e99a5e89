"""Finds pictures that are mirror images of others, or turned by a quarter, a half or three quarters."""

from collections.abc import Iterator

import numpy as np

from glocal.data.checks.scan import THUMBNAIL
from glocal.data.checks.thumbnails import SAME, projected, same_pairs, waves


def turned_pairs(thumbnails: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Index pairs of thumbnails, uint8 (n, 256), that show the same picture after one of the eight symmetries of the square.

    Each thumbnail is brought to a standard position: light on its left, light at its top, and more contrast across than down.
    Where a difference is too small to tell, it stands in both positions. So two copies always share a position.
    """
    of, positions = _standard_positions(thumbnails)
    for a, b in same_pairs(positions):
        yield of[a], of[b]


def _standard_positions(thumbnails: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The index of each thumbnail in one or more standard positions, int64 (m,), and the positions, uint8 (m, 256)."""
    unsure = SAME * THUMBNAIL  # by as much may a coordinate of two copies differ
    across, down = projected(thumbnails, waves(THUMBNAIL, 2)).T
    squares = thumbnails.reshape(-1, THUMBNAIL, THUMBNAIL)
    found = []
    for transposed in (False, True):
        x, y = (down, across) if transposed else (across, down)
        wide = np.abs(x) > np.abs(y) - unsure
        its = squares.transpose(0, 2, 1) if transposed else squares
        for flip_x, flip_y in ((False, False), (False, True), (True, False), (True, True)):
            fits = wide & (np.where(flip_x, -x, x) > -unsure) & (np.where(flip_y, -y, y) > -unsure)
            of = np.flatnonzero(fits)
            found.append(
                (of, its[of][:, :: -1 if flip_y else 1, :: -1 if flip_x else 1].reshape(len(of), THUMBNAIL**2))
            )
    return np.concatenate([of for of, _ in found]), np.concatenate([position for _, position in found])
