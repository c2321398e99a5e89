"""What is wrong between the pictures of a source: classes, groups, duplicates. Single files are `survey`'s."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from glocal.data.duplicates import LEAST_FOR_CROPS, MOST_FOR_CROPS
from glocal.data.faults import Fault
from glocal.data.layout import SPLITS, Listed, Listing, SplitName
from glocal.data.survey import Look


def class_faults(listing: Listing) -> Iterator[Fault]:
    """Classes that train or val cannot show, or that a reader would mix up."""
    files, given = listing.files, listing.given
    counts = {
        split: Counter(name for file in files if file.split == split for name in file.classes) for split in SPLITS
    }
    train = counts["train"]
    if listing.multi_label:
        if files and not train:
            yield Fault("classes", "", "no picture of train has a label", "error")
    elif len(train) == 1:
        yield Fault("classes", next(iter(train)), "the only class, so there is nothing to tell apart", "error")
    for split in SPLITS[1:]:
        if split in given:
            for name in sorted(counts[split].keys() - train.keys()):
                yield Fault("class map", name, f"a class of {split} that train does not have", "error")
            for name in sorted(train.keys() - counts[split].keys()):
                yield Fault(
                    "class map", name, f"no pictures in {split}, which so says nothing about this class", "note"
                )
    for name in sorted(name for name, count in train.items() if count == 1):
        if "val" in given or listing.multi_label:
            yield Fault("one picture", name, "train has one picture of this class", "note")
        else:
            yield Fault(
                "one picture", name, "one picture cannot be in train and in val; add one, or make a val folder", "error"
            )
    yield from _name_faults(sorted(train), set(listing.order) - set().union(*counts.values()))


def _name_faults(names: Sequence[str], without: Collection[str]) -> Iterator[Fault]:
    """Names that a reader would mix up. `without`: classes of the source's own list that have no pictures."""
    if without:
        told = ", ".join(sorted(without)[:5]) + ", ..." * (len(without) > 5)
        yield Fault("class map", "", f"{len(without):,} classes that the source names have no pictures: {told}", "note")
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(str(int(name)) if name.isdecimal() else name.casefold(), name)
        if other != name:
            how = "zeros before it" if name.isdecimal() else "case"
            yield Fault("class map", name, f"differs from the class {other} only in {how}", "warning")


def group_faults(files: Sequence[Listed], names: Sequence[str | None]) -> Iterator[Fault]:
    """Groups with pictures in more than one split. `names`: the group of each file, None for no group."""
    first: dict[str, Listed] = {}
    told: set[tuple[str, SplitName]] = set()
    for file, name in zip(files, names, strict=True):
        if name is None:
            continue
        other = first.setdefault(name, file)
        if other.split != file.split and (name, file.split) not in told:
            told.add((name, file.split))
            reason = f"its group {name!r} is also in {other.split} ({other.path}); move the group to one side"
            yield Fault("group", file.path, reason, "error")


def duplicate_faults(files: Sequence[Listed], looks: Sequence[Look], same: np.ndarray) -> Iterator[Fault]:
    """Pictures seen before. `same`: for each the index of the first that is the same, as `same_pictures` returns."""
    if sum(min(look.size) >= LEAST_FOR_CROPS for look in looks) > MOST_FOR_CROPS:
        reason = f"among more than {MOST_FOR_CROPS:,} pictures those that are cropped from others are not looked for"
        yield Fault("duplicate", "", reason, "note")
    for i, j in enumerate(same.tolist()):
        if i == j:
            continue
        file, other = files[i], files[j]
        how = (
            "the same bytes as"
            if looks[i].digest == looks[j].digest
            else "encoded, resized or cropped anew, the same picture as"
        )
        reason = f"{how} {other.path}"
        across = file.split != other.split
        if across:
            reason += f", so {file.split} measures what {other.split} has shown"
        differs = set(file.classes) != set(other.classes)
        if differs:
            reason += f", which is of the class {'|'.join(other.classes) or 'none'}"
        yield Fault("duplicate", file.path, reason, "warning" if across or differs else "note")
