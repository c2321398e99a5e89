"""Finds pairs of thumbnails that show the same: 16 x 16 grey levels, compared at mean 0 and deviation 1."""

from collections.abc import Iterator

import numpy as np

from glocal.data.checks.scan import THUMBNAIL

SAME = 0.12
"""Root-mean-square difference below which two thumbnails show the same picture. Chosen on photographs of 160 pixels and on
CIFAR; docs/data.md has the shares found and the false alarms."""

LEAST_CONTRAST = 4.0
"""Standard deviation in grey levels. Below it a thumbnail is mostly the noise of its encoding, and is not compared."""

_CELL = 2.0  # side of a grid cell, in units of the normalised thumbnail, whose length is 16
_GRIDS = 4  # shifted copies of the grid: two neighbours that one grid parts, another holds together
_AHEAD = 16  # comparisons in a cell a picture; bounds the work where thousands of pictures look alike


def same_pairs(thumbnails: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Index pairs of thumbnails, uint8 (n, 256), that show the same picture, round by round; a pair may come twice.

    Thumbnails that share a cell of a coarse grid are compared, not all with all.
    """
    coarse = projected(thumbnails, waves(THUMBNAIL, 24))
    for a, b in _neighbours(coarse[:, :6]):
        # A projection is never longer than what it projects, so this loses none of the pairs.
        near = ((coarse[a] - coarse[b]) ** 2).sum(1) < (SAME * THUMBNAIL) ** 2
        i, j = a[near], b[near]
        near = ((normalised(thumbnails[i]) - normalised(thumbnails[j])) ** 2).mean(1) < SAME**2
        yield i[near], j[near]


def normalised(thumbnails: np.ndarray) -> np.ndarray:
    """Mean 0 and deviation 1 for each: float32 (n, 256)."""
    centred = thumbnails - thumbnails.mean(1, dtype=np.float32, keepdims=True)
    normal: np.ndarray = centred / np.sqrt((centred**2).mean(1, keepdims=True))
    return normal


def waves(side: int, n: int) -> np.ndarray:
    """The n slowest cosine waves over side x side cells but the constant one, of unit length: float32 (side^2, n).

    The first is across, the second down. Encoding and resizing hardly touch a picture's coordinates on them.
    """
    x = (np.arange(side) + 0.5) * np.pi / side
    frequencies = sorted(
        ((v, u) for v in range(side) for u in range(side)), key=lambda vu: (vu[0] ** 2 + vu[1] ** 2, vu)
    )
    found = [np.outer(np.cos(v * x), np.cos(u * x)).ravel() for v, u in frequencies[1 : n + 1]]
    return np.stack([wave / np.linalg.norm(wave) for wave in found], axis=1).astype(np.float32)


def projected(thumbnails: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Coordinates of normalised thumbnails, uint8 (n, 256), on the columns of a basis: float32 (n, columns)."""
    chunks = [thumbnails[i : i + 4096] for i in range(0, len(thumbnails), 4096)]
    return np.concatenate([normalised(chunk) @ basis for chunk in chunks] or [basis[:0]])


def _neighbours(places: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Index pairs of places, float32 (n, 6), that share a cell of one of a few shifted grids; coordinates are in -16..16."""
    for grid in range(_GRIDS):
        cell = np.floor(places / _CELL + grid / _GRIDS).astype(np.int64) @ 64 ** np.arange(6)
        order = np.lexsort((places[:, 0], cell))
        for ahead in range(1, _AHEAD + 1):
            a, b = order[:-ahead], order[ahead:]
            together = cell[a] == cell[b]
            if not together.any():
                break
            yield a[together], b[together]
