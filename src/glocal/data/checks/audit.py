"""What is wrong between the pictures of a source: classes, sizes, groups, duplicates. Single files are elsewhere."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from glocal.data.checks.class_names import appearance, difference, shown, similar_names, spelling_faults
from glocal.data.checks.crops import LEAST_FOR_CROPS, MOST_FOR_CROPS
from glocal.data.checks.scan import Scan
from glocal.data.faults import Fault
from glocal.data.sources.listing import Listed, Listing
from glocal.data.sources.split_names import SPLITS, SplitName

LEAST_SIDE = 4  # pixels: nothing that people photograph or draw can be told by fewer
LEAST_SHARE = 1 / 16  # of the median shorter side: scaled up to it, such a picture is a blur
MOST_RATIO = 20  # of the longer side to the shorter one; panoramas stay below 10


def class_faults(listing: Listing) -> Iterator[Fault]:
    """Classes that train or val cannot show, or that a reader would mix up."""
    counts = {
        split: Counter(name for file in listing.files if file.split == split for name in file.classes)
        for split in SPLITS
    }
    train = counts["train"]
    yield from _too_few(listing, train)
    for split in SPLITS[1:]:
        if split in listing.given:
            yield from _unlike_train(split, counts[split], train)
    yield from _single_pictures(listing, train)
    used = set().union(*counts.values())
    if without := sorted(set(listing.order) - used):
        names = ", ".join(without[:5]) + ", ..." * (len(without) > 5)
        yield Fault(
            "class map", "", f"{len(without):,} classes that the source names have no pictures: {names}", "note"
        )
    yield from similar_names(sorted({*train, *listing.order}))
    yield from spelling_faults(listing.written)


def _too_few(listing: Listing, train: Collection[str]) -> Iterator[Fault]:
    """Train without anything to learn."""
    if listing.multi_label:
        if listing.files and not train:
            yield Fault("classes", "", "no picture of train has a label", "error")
    elif len(train) == 1 and not any(fault.kind == "layout" and fault.severity == "error" for fault in listing.faults):
        yield Fault("classes", next(iter(train)), "the only class, so there is nothing to tell apart", "error")


def _unlike_train(split: SplitName, its: Collection[str], train: Collection[str]) -> Iterator[Fault]:
    """Classes of val or test that train does not have, and those of train that they do not have."""
    seen = {appearance(name): name for name in train}
    for name in sorted(set(its) - set(train)):
        reason = f"a class of {split} that train does not have"
        if other := seen.get(appearance(name)):
            reason += f"; its name differs from the class {shown(other)} of train only in {difference(name, other)[0]}"
        yield Fault("class map", name, reason, "error")
    for name in sorted(set(train) - set(its)):
        yield Fault("class map", name, f"no pictures in {split}, which so says nothing about this class", "note")


def _single_pictures(listing: Listing, train: Counter[str]) -> Iterator[Fault]:
    """Classes of which train has one picture."""
    for name in sorted(name for name, count in train.items() if count == 1):
        if "val" in listing.given or listing.multi_label:
            yield Fault("one picture", name, "train has one picture of this class", "note")
        else:
            reason = "one picture cannot be in train and in val; add one, or make a val folder"
            yield Fault("one picture", name, reason, "error")


def size_faults(files: Sequence[Listed], scans: Sequence[Scan]) -> Iterator[Fault]:
    """Pictures that are too small, or too narrow, to show anything, among others that are not.

    Too small: a shorter side of less than 4 pixels, or of less than a sixteenth of the median shorter side. Too narrow: a longer
    side of more than 20 times the shorter one, and more than 4 times the median of that ratio. Where the median picture is itself
    below 4 pixels, the set is named as a whole.
    """
    if not scans:
        return
    sizes = np.array([scan.size for scan in scans])
    short, ratio = sizes.min(1), sizes.max(1) / sizes.min(1)
    h, w = (int(side) for side in np.median(sizes, axis=0))
    typical = f"where {h} x {w} is typical"
    tiny_set = np.median(short) < LEAST_SIDE
    if tiny_set:
        yield Fault(
            "size", "", f"most pictures are {h} x {w} pixels (height x width), too small to show anything", "warning"
        )
    small = (short < (0 if tiny_set else LEAST_SIDE)) | (short < np.median(short) * LEAST_SHARE)
    narrow = (ratio > MOST_RATIO) & (ratio > 4 * np.median(ratio))
    for i in np.flatnonzero(small | narrow).tolist():
        what = "too small" if small[i] else "too narrow"
        reason = f"{sizes[i][0]} x {sizes[i][1]} pixels (height x width), {typical}: {what} to show anything"
        yield Fault("size", files[i].path, reason, "warning")


def group_faults(files: Sequence[Listed], names: Sequence[str | None]) -> Iterator[Fault]:
    """Groups with pictures in more than one split. `names`: the group of each file, None for no group."""
    first: dict[str, Listed] = {}
    reported: set[tuple[str, SplitName]] = set()
    for file, name in zip(files, names, strict=True):
        if name is None:
            continue
        other = first.setdefault(name, file)
        if other.split != file.split and (name, file.split) not in reported:
            reported.add((name, file.split))
            reason = f"its group {name!r} is also in {other.split} ({other.path}); move the group to one side"
            yield Fault("group", file.path, reason, "error")


def duplicate_faults(
    files: Sequence[Listed], scans: Sequence[Scan], same: np.ndarray, turned: np.ndarray
) -> Iterator[Fault]:
    """Pictures seen before. same, turned: for each the index of the first, as `same_pictures`, `turned_pictures` return it."""
    if sum(min(scan.size) >= LEAST_FOR_CROPS for scan in scans) > MOST_FOR_CROPS:
        reason = f"among more than {MOST_FOR_CROPS:,} pictures those that are cropped from others are not looked for"
        yield Fault("duplicate", "", reason, "note")
    for i, (as_it_is, when_turned) in enumerate(zip(same.tolist(), turned.tolist(), strict=True)):
        j = as_it_is if as_it_is != i else when_turned
        if i == j:
            continue
        file, other = files[i], files[j]
        if scans[i].digest == scans[j].digest:
            how = "the same bytes as"
        elif j == as_it_is:
            how = "encoded, resized or cropped anew, the same picture as"
        else:
            how = "mirrored or turned, the same picture as"
        reason = f"{how} {other.path}"
        across = file.split != other.split
        if across:
            reason += f", so {file.split} measures what {other.split} has shown"
        differs = set(file.classes) != set(other.classes)
        if differs:
            reason += f", which is of the class {'|'.join(other.classes) or 'none'}"
        yield Fault("duplicate", file.path, reason, "warning" if across or differs else "note")
