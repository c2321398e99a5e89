"""Finds pictures that are crops of others: of the middle, or of a corner, by shares of the sides that crops often have."""

from collections.abc import Iterator

import numpy as np

from glocal.data.checks.scan import THUMBNAIL
from glocal.data.checks.thumbnails import SAME, waves

MOST_FOR_CROPS = 5_000
"""Pictures among which crops are looked for, since all are compared with all; docs/data.md has the time it takes."""

LEAST_FOR_CROPS = 64
"""Pixels of a side; smaller pictures have no details by which a crop could be recognised."""

_SHARES = (0.8, 0.82, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98)  # of both sides
_SQUARES = (1.0, 0.875)  # of the shorter side, for both: what Resize and CenterCrop leave
_MIDDLE, _CORNERS = (0.5, 0.5), ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
_CELLS = 10


def cropped_pairs(thumbnails: np.ndarray, sizes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Index pairs of which the second shows a crop of the first. thumbnails: uint8 (n, 256). sizes: (h, w) of each picture."""
    if not len(sizes):
        return
    grey = thumbnails.reshape(-1, THUMBNAIL, THUMBNAIL).astype(np.float32)
    square = sizes.min(1, keepdims=True) / sizes  # share of (h, w) that the middle square takes
    wholes = _cut(grey, np.ones_like(square), _MIDDLE)
    for shares, place in (
        *((np.full_like(square, share), place) for share in _SHARES for place in (_MIDDLE, *_CORNERS)),
        *((share * square, _MIDDLE) for share in _SQUARES),
    ):
        cropped = np.flatnonzero((shares < 1).any(1))  # of a square picture the square is the whole
        for a, b in _near(_cut(grey[cropped], shares[cropped], place), wholes):
            apart = cropped[a] != b
            yield cropped[a][apart], b[apart]


def _cut(grey: np.ndarray, shares: np.ndarray, place: tuple[float, float]) -> np.ndarray:
    """A part of each thumbnail, a share of its height and its width, at 10 x 10 cells of mean 0 and length 1: (n, 100).

    place: 0 at the top (left), 1 at the bottom (right), for height and width.
    """
    start = (1 - shares) * place
    edges = (start[:, :, None] + shares[:, :, None] * np.linspace(0, 1, _CELLS + 1)) * THUMBNAIL  # (n, 2, 11)
    cells = np.arange(THUMBNAIL)
    covered = np.minimum(edges[:, :, 1:, None], cells + 1) - np.maximum(edges[:, :, :-1, None], cells)
    weights = np.maximum(covered, 0).astype(np.float32)  # (n, 2, 10, 16): how much of a cell lies in each
    parts = (weights[:, 0] @ grey @ weights[:, 1].transpose(0, 2, 1)).reshape(len(grey), _CELLS**2)
    parts -= parts.mean(1, keepdims=True)
    normal: np.ndarray = parts / np.maximum(np.sqrt((parts**2).sum(1, keepdims=True)), 1e-6)
    return normal


def _near(parts: np.ndarray, wholes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Index pairs of unit vectors (n, 100) and (m, 100) that differ by less than SAME; their coarse waves come first."""
    basis = waves(_CELLS, 24)
    low, all_low = parts @ basis, wholes @ basis
    # |u - v|^2 < SAME^2 only if it holds of the projections: u.v > (|u|^2 + |v|^2 - SAME^2) / 2, as one product of matrices.
    left = np.column_stack([low, -(low**2).sum(1) / 2, np.ones(len(low), np.float32)])
    right = np.column_stack([all_low, np.ones(len(all_low), np.float32), -(all_low**2).sum(1) / 2])
    for start in range(0, len(parts), 1024):
        a, b = np.nonzero(left[start : start + 1024] @ right.T > -(SAME**2) / 2)
        a += start
        near = ((parts[a] - wholes[b]) ** 2).sum(1) < SAME**2
        yield a[near], b[near]
