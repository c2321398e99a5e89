"""What is wrong between the pictures of a source: classes, groups, duplicates. Single files are `survey`'s."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from glocal.data.faults import Fault
from glocal.data.layout import SPLITS, Listed, SplitName
from glocal.data.survey import Look


def class_faults(files: Sequence[Listed], given: frozenset[SplitName]) -> Iterator[Fault]:
    """Classes that train or val cannot show, or that a reader would mix up. `given`: the splits the source itself names."""
    counts = {split: Counter(file.class_name for file in files if file.split == split) for split in SPLITS}
    train = counts["train"]
    if len(train) == 1:
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
        if "val" in given:
            yield Fault("one picture", name, "train has one picture of this class", "note")
        else:
            yield Fault(
                "one picture", name, "one picture cannot be in train and in val; add one, or make a val folder", "error"
            )
    seen: dict[str, str] = {}
    for name in sorted(train):
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            yield Fault("class map", name, f"differs from the class {other} only in case", "warning")


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
    for i, j in enumerate(same.tolist()):
        if i == j:
            continue
        file, other = files[i], files[j]
        how = (
            "the same bytes as"
            if looks[i].digest == looks[j].digest
            else "encoded or resized anew, the same picture as"
        )
        reason = f"{how} {other.path}"
        across = file.split != other.split
        if across:
            reason += f", so {file.split} measures what {other.split} has shown"
        if file.class_name != other.class_name:
            reason += f", which is of the class {other.class_name}"
        yield Fault(
            "duplicate", file.path, reason, "warning" if across or file.class_name != other.class_name else "note"
        )
