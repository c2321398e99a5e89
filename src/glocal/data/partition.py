"""Splits pictures into train and val: stratified, seeded, groups kept whole. Knows labels and groups, no files."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from glocal.data.draws import order
from glocal.errors import DataError

VAL_FRACTION = 0.2
VAL_MOST = 5000
"""A fifth is held out, but no more than 5,000 pictures: at 90 % right their 95 % interval is +-0.8 points, and pictures
beyond them teach more in train."""


def held_out(labels: np.ndarray, groups: np.ndarray, *, seed: int, fraction: float | None = None) -> np.ndarray:
    """Which pictures go to val: bool (n,), from labels and group numbers, int64 (n,) each.

    Every class gives its share, rounded down, but at least one picture, and keeps at least one; a group is never divided, so
    a class of large groups may give fewer, or none. The same arguments give the same split on every machine.
    """
    share = fraction if fraction is not None else min(VAL_FRACTION, VAL_MOST / max(len(labels), 1))
    counts = np.bincount(labels)
    most = np.maximum(counts - 1, 0).tolist()
    wanted = np.minimum(np.maximum((counts * share).astype(np.int64), 1), most).tolist()
    members: dict[int, list[int]] = {}
    for i, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(i)
    every = list(members.values())
    drawn = [every[i] for i in order(seed, 0, len(members))]
    given, val = [0] * len(counts), np.zeros(len(labels), dtype=bool)

    def give(group: list[int], limit: list[int]) -> None:
        share_of = Counter(labels[group].tolist())
        if all(given[c] + k <= limit[c] for c, k in share_of.items()):
            val[group] = True
            for c, k in share_of.items():
                given[c] += k

    for group in drawn:
        give(group, wanted)
    # A class whose every group exceeds its share is still measured: by its smallest group, if train keeps something.
    for group in sorted(drawn, key=len):
        if not all(given[c] for c in labels[group]) and not val[group[0]]:
            give(group, most)
    return val


def group_pattern(text: str) -> re.Pattern[str]:
    """A regular expression that names groups; DataError where it is none, or has not exactly one group in parentheses."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise DataError(f"--group-by {text!r} is not a regular expression: {error}") from None
    if pattern.groups != 1:
        raise DataError(
            f"--group-by {text!r} has {pattern.groups} groups in parentheses; it needs one, as '^([^_]+)_' has"
        )
    return pattern


def group_names(stems: Sequence[str], pattern: re.Pattern[str]) -> list[str | None]:
    """What the pattern's group holds in each stem; None where it finds nothing. DataError where it finds nothing anywhere."""
    found = [match.group(1) if (match := pattern.search(stem)) else None for stem in stems]
    if stems and not any(found):
        raise DataError(f"--group-by {pattern.pattern!r} matches no picture; the first one is {stems[0]!r}")
    return found


def joined(*partitions: np.ndarray) -> np.ndarray:
    """The finest partition that keeps together what any of the given keeps together: group numbers, int64 (n,)."""
    merged = partitions[0]
    while True:
        before = merged
        for each in partitions:
            # Every group takes the smallest number among its members; repeated until nothing changes.
            least = np.full(int(each.max(initial=0)) + 1, np.iinfo(np.int64).max)
            np.minimum.at(least, each, merged)
            merged = least[each]
        if (merged == before).all():
            return merged
