"""Finds pictures that are the same: in bytes, encoded, resized or cropped anew, mirrored or turned."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from glocal.data.checks.crops import LEAST_FOR_CROPS, MOST_FOR_CROPS, cropped_pairs
from glocal.data.checks.scan import THUMBNAIL, Scan
from glocal.data.checks.thumbnails import LEAST_CONTRAST, same_pairs
from glocal.data.checks.turned import turned_pairs

Pairs = Iterable[tuple[np.ndarray, np.ndarray]]


def same_pictures(scans: Sequence[Scan]) -> np.ndarray:
    """For each picture the index of the first that is the same, itself if there is none before: int64 (n,)."""
    seen: dict[str, int] = {}
    first = np.array([seen.setdefault(scan.digest, i) for i, scan in enumerate(scans)], dtype=np.int64)
    shown, thumbnails = _thumbnails(scans, seen.values())
    first = _joined_pairs(first, shown, same_pairs(thumbnails))
    large = np.array([min(scans[i].size) >= LEAST_FOR_CROPS for i in shown], dtype=bool)
    if large.sum() > MOST_FOR_CROPS:
        return first
    sizes = np.array([scans[i].size for i in shown[large]]).reshape(-1, 2)
    return _joined_pairs(first, shown[large], cropped_pairs(thumbnails[large], sizes))


def turned_pictures(scans: Sequence[Scan], same: np.ndarray, *, alike: Callable[[int, int], bool]) -> np.ndarray:
    """As `same_pictures`, which gave `same`, with mirrored and turned pictures counted as the same too: int64 (n,).

    alike: whether two pictures, by index, may be copies. A mirrored arrow or a turned 6 is no copy where its class is another.
    """
    shown, thumbnails = _thumbnails(scans, np.unique(same).tolist())

    def alike_pairs() -> Pairs:
        for a, b in turned_pairs(thumbnails):
            fit = np.array([alike(int(i), int(j)) for i, j in zip(shown[a], shown[b], strict=True)], dtype=bool)
            yield a[fit], b[fit]

    return _joined_pairs(same, shown, alike_pairs())


def _thumbnails(scans: Sequence[Scan], among: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
    """The indices of those pictures that have a thumbnail with contrast, int64 (m,), and their thumbnails, uint8 (m, 256)."""
    found = [(i, thumbnail) for i in among if (thumbnail := scans[i].thumbnail) is not None]
    index = np.array([i for i, _ in found], dtype=np.int64)
    thumbnails = np.array([thumbnail.ravel() for _, thumbnail in found], dtype=np.uint8).reshape(
        len(found), THUMBNAIL**2
    )
    clear = thumbnails.std(1, dtype=np.float32) >= LEAST_CONTRAST
    return index[clear], thumbnails[clear]


def _joined_pairs(first: np.ndarray, shown: np.ndarray, pairs: Pairs) -> np.ndarray:
    if not len(shown):
        return first
    for a, b in pairs:
        apart = first[shown[a]] != first[shown[b]]
        if apart.any():
            first = _joined(first, shown[a[apart]], shown[b[apart]])
    return first


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
