"""Finds pictures that are the same: in bytes, or encoded, resized or cropped anew. What follows is `audit`'s and `partition`'s.

Two thumbnails (16 x 16, grey, mean 0, deviation 1) are the same picture when their root-mean-square difference is below
0.12. Near-linear: thumbnails that share a cell of a coarse grid are compared, not all with all. The middles of
thumbnails, cut out by shares that crops often have, are compared with all wholes, up to a number of pictures.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from glocal.data.survey import THUMBNAIL, Look

SAME = 0.12
"""Chosen on photographs of 160 pixels and on CIFAR; docs/data.md has the shares found and the false alarms."""

MOST_FOR_CROPS = 5_000
"""Pictures among which crops are looked for: all are compared with all, which takes 3 s of one core for that many."""

LEAST_FOR_CROPS = 64
"""Pixels of a side; smaller pictures have no details by which a crop could be told."""

_SHARES = (0.8, 0.82, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98)  # of both sides
_SQUARES = (1.0, 0.875)  # of the shorter side, for both: what Resize and CenterCrop leave
_CELLS = 10
_CONTRAST = 4.0  # grey levels; below it a thumbnail is mostly the noise of its encoding, and only bytes are compared
_CELL = 2.0  # side of a grid cell, in units of the normalised thumbnail, whose length is 16
_GRIDS = 4  # shifted copies of the grid: two neighbours that one grid parts, another holds together
_AHEAD = 16  # comparisons in a cell a picture; bounds the work where thousands of pictures look alike


def same_pictures(looks: Sequence[Look]) -> np.ndarray:
    """For each picture the index of the first that is the same, itself if there is none before: int64 (n,)."""
    seen: dict[str, int] = {}
    first = np.array([seen.setdefault(look.digest, i) for i, look in enumerate(looks)], dtype=np.int64)
    shown = np.array([i for i in seen.values() if looks[i].thumbnail is not None], dtype=np.int64)
    if not len(shown):
        return first
    thumbnails = np.stack([thumbnail for i in shown if (thumbnail := looks[i].thumbnail) is not None])
    thumbnails = thumbnails.reshape(len(shown), -1)
    clear = thumbnails.std(1, dtype=np.float32) >= _CONTRAST
    shown, thumbnails = shown[clear], thumbnails[clear]
    for a, b in _candidates(thumbnails):
        apart = first[shown[a]] != first[shown[b]]
        i, j = a[apart], b[apart]
        near = ((_normal(thumbnails[i]) - _normal(thumbnails[j])) ** 2).mean(1) < SAME**2
        first = _joined(first, shown[i[near]], shown[j[near]])
    large = np.array([min(looks[i].size) >= LEAST_FOR_CROPS for i in shown], dtype=bool)
    if large.sum() <= MOST_FOR_CROPS:
        shown, thumbnails = shown[large], thumbnails[large]
        for a, b in _crops(thumbnails, np.array([looks[i].size for i in shown]).reshape(-1, 2)):
            first = _joined(first, shown[a], shown[b])
    return first


def _crops(thumbnails: np.ndarray, sizes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Index pairs of which the second shows the middle of the first. `sizes`: (h, w) of each."""
    if not len(sizes):
        return
    grey = thumbnails.reshape(-1, THUMBNAIL, THUMBNAIL).astype(np.float32)
    square = sizes.min(1, keepdims=True) / sizes  # share of (h, w) that the middle square takes
    wholes = _middles(grey, np.ones_like(square))
    for shares in (*(np.full_like(square, share) for share in _SHARES), *(share * square for share in _SQUARES)):
        middles = _middles(grey, shares)
        for start in range(0, len(grey), 1024):
            near = middles[start : start + 1024] @ wholes.T > 1 - SAME**2 / 2
            near &= (shares[start : start + 1024] < 1).any(1)[:, None]  # of a square picture the square is the whole
            a, b = np.nonzero(near)
            a += start
            yield a[a != b], b[a != b]


def _middles(grey: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The middle of each thumbnail, a share of its height and its width, at 10 x 10 cells; of mean 0 and length 1."""
    edges = (0.5 + shares[:, :, None] * (np.linspace(0, 1, _CELLS + 1) - 0.5)) * THUMBNAIL  # (n, 2, 11)
    cells = np.arange(THUMBNAIL)
    covered = np.minimum(edges[:, :, 1:, None], cells + 1) - np.maximum(edges[:, :, :-1, None], cells)
    weights = np.maximum(covered, 0).astype(np.float32)  # (n, 2, 10, 16): how much of a cell lies in each
    middles = (weights[:, 0] @ grey @ weights[:, 1].transpose(0, 2, 1)).reshape(len(grey), -1)
    middles -= middles.mean(1, keepdims=True)
    return middles / np.maximum(np.sqrt((middles**2).sum(1, keepdims=True)), 1e-6)


def _normal(thumbnails: np.ndarray) -> np.ndarray:
    """Mean 0 and deviation 1 for each: float32 (n, 256)."""
    centred = thumbnails - thumbnails.mean(1, dtype=np.float32, keepdims=True)
    return centred / np.sqrt((centred**2).mean(1, keepdims=True))


def _candidates(thumbnails: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Index pairs of pictures that may be equal, round by round, among uint8 (n, 256) thumbnails."""
    basis = _low_frequencies()
    chunks = [thumbnails[i : i + 4096] for i in range(0, len(thumbnails), 4096)]
    places = np.concatenate([_normal(chunk) @ basis for chunk in chunks] or [basis[:0]])
    for grid in range(_GRIDS):
        cell = np.floor(places / _CELL + grid / _GRIDS).astype(np.int64) @ 64 ** np.arange(
            6
        )  # a coordinate is in -8..8
        order = np.lexsort((places[:, 0], cell))
        for ahead in range(1, _AHEAD + 1):
            a, b = order[:-ahead], order[ahead:]
            together = cell[a] == cell[b]
            if not together.any():
                break
            # A projection is never longer than what it projects, so this loses none of the pairs sought.
            together &= ((places[a] - places[b]) ** 2).sum(1) < (SAME * THUMBNAIL) ** 2
            yield a[together], b[together]


def _low_frequencies() -> np.ndarray:
    """Six coarse cosine waves over a thumbnail, of unit length: float32 (256, 6). Encoding and resizing hardly touch them."""
    x = (np.arange(THUMBNAIL) + 0.5) * np.pi / THUMBNAIL
    waves = [
        np.outer(np.cos(v * x), np.cos(u * x)).ravel() for u, v in ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2))
    ]
    return np.stack([wave / np.linalg.norm(wave) for wave in waves], axis=1).astype(np.float32)


def _joined(first: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`first` after pictures a[k] and b[k] have turned out the same."""
    first = first.copy()
    for i, j in zip(a.tolist(), b.tolist(), strict=True):
        low, high = sorted((_root(first, i), _root(first, j)))
        first[high] = low
    while (first[first] != first).any():
        first = first[first]
    return first


def _root(first: np.ndarray, i: int) -> int:
    while first[i] != i:
        i = int(first[i])
    return i
