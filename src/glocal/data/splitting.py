"""Splits pictures into train and val: stratified, seeded, groups kept whole. Knows labels and groups, no files."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from glocal.data.random_streams import order
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
    label_of = labels.tolist()  # ten times as fast to read one by one

    def give(group: list[int], limit: list[int]) -> None:
        share_of = Counter([label_of[i] for i in group]) if len(group) > 1 else {label_of[group[0]]: 1}
        if all(given[c] + k <= limit[c] for c, k in share_of.items()):
            val[group] = True
            for c, k in share_of.items():
                given[c] += k

    for group in drawn:
        give(group, wanted)
    # A class whose every group exceeds its share is still measured: by its smallest group, if train keeps something.
    for group in sorted(drawn, key=len):
        if not all(given[label_of[i]] for i in group) and not val[group[0]]:
            give(group, most)
    return val


def held_out_multi(hot: np.ndarray, groups: np.ndarray, *, seed: int, fraction: float | None = None) -> np.ndarray:
    """`held_out` for pictures of several labels or none: bool (n,), from (n, labels), not 0 where a label is there.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, ECML 2011): the label with the fewest pictures left is dealt out
    first, each group to the side that lacks it most. A label of two groups or more is on both sides where the others allow it.
    """
    share = fraction if fraction is not None else min(VAL_FRACTION, VAL_MOST / max(len(hot), 1))
    hot = np.column_stack([hot != 0, ~hot.any(1)])  # having no label is dealt out like one
    _, group_of = np.unique(groups, return_inverse=True)
    by_group = np.argsort(group_of, kind="stable")
    starts = np.searchsorted(group_of[by_group], np.arange(group_of.max() + 1))
    counts = np.add.reduceat(hot[by_group], starts, axis=0, dtype=np.int64)  # (groups, labels)
    total = counts.sum(0)
    lacking = np.stack([total * (1 - share), total * share])  # of train and of val
    left, val = total.copy(), np.zeros(len(counts), dtype=bool)
    drawn, dealt = order(seed, 0, len(counts)), np.zeros(len(counts), dtype=bool)
    while left.any():
        label = int(np.argmin(np.where(left > 0, left, np.iinfo(np.int64).max)))
        for group in drawn[(counts[drawn, label] > 0) & ~dealt[drawn]].tolist():
            train_lacks, val_lacks = lacking[:, label]
            side = int(val_lacks > train_lacks or (val_lacks == train_lacks and lacking[1].sum() > lacking[0].sum()))
            lacking[side] -= counts[group]
            left -= counts[group]
            val[group], dealt[group] = side == 1, True
    for side in (False, True):  # train first: a label that cannot be on both sides must be learnt
        for each in np.flatnonzero(total[:-1] > side).tolist():
            _give_one(counts, val, each, to_val=side)
    return val[group_of]


def _give_one(counts: np.ndarray, val: np.ndarray, label: int, *, to_val: bool) -> None:
    """Moves the smallest group of a label to the side that has none of it, if that takes from the other no label's last one."""
    if counts[val == to_val, label].any():
        return
    there = counts[val != to_val].sum(0)
    able = [
        group
        for group in np.flatnonzero(counts[:, label]).tolist()
        if not to_val or (there > counts[group])[:-1][counts[group, :-1] > 0].all()
    ]
    if able:
        val[min(able, key=lambda group: counts[group].sum())] = to_val


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
