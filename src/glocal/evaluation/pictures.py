"""Which pictures an evaluation scores: a split of the run's own, a split of another source, or all of a source without splits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from glocal.artifacts.run_folder import RunFolder
from glocal.data import Split, check
from glocal.data.checks.scan import Progress
from glocal.data.faults import raise_errors
from glocal.data.manifest import Row
from glocal.data.options import DataOptions
from glocal.data.reading import Found, read_source
from glocal.data.sources.split_names import SPLITS
from glocal.errors import DataError, RecipeError
from glocal.files import read_yaml

ALL = "all"


class Labelled(Protocol):
    """What an evaluation must know of a network besides what it computes."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the logits."""
        ...

    @property
    def multi_label(self) -> bool:
        """Whether a picture may be of several classes or of none."""
        ...

    @property
    def temperature(self) -> float:
        """What logits are divided by before they become probabilities."""
        ...


@dataclass(frozen=True, eq=False)
class Pictures:
    """Labelled pictures to score. Their labels are numbers of `classes`, the classes that the network knows."""

    source: str
    split: Split
    split_name: str  # "train", "val", "test", or "all" of a source without splits
    rule: str  # how these pictures came about, as a sentence
    skipped: int  # files that were left out because they cannot be read


def run_pictures(run: RunFolder, split: str, *, progress: Progress | None = None) -> Pictures:
    """A split of a run's own pictures. DataError for a split that it does not have, or where its pictures have changed."""
    source = read_yaml(run.settings, "data")["data"]["source"]
    data = check(source, manifest=run.manifest(), progress=progress).require_data()
    splits: dict[str, Split] = {each.name: each for each in (data.train, data.val, data.test) if each is not None}
    if split not in splits:
        raise DataError(f"{source} has no split {split!r}; it has {', '.join(splits)}")
    return Pictures(source, splits[split], split, data.split_rule, skipped=0)


def source_pictures(
    source: str | Path,
    split: str | None,
    *,
    model: Labelled,
    options: DataOptions,
    progress: Progress | None = None,
) -> Pictures:
    """A split of a source (by default its val), or all pictures of a source without splits.

    DataError where nothing can be scored: a split that is not there or that nobody named, a class that the network does not know,
    one label a picture where it predicts several or the other way round. RecipeError for options that have no effect here.
    """
    for name, value in (("--val-fraction", options.val_fraction), ("--group-by", options.group_by)):
        if value is not None:
            raise RecipeError(f"{name} has no effect here: an evaluation divides no pictures")
    found = read_source(source, options, progress=progress)
    raise_errors(found.source, found.faults)
    if found.listing.multi_label != model.multi_label:
        kinds = ("one class a picture", "any number of classes a picture")
        raise DataError(
            f"{source} has {kinds[found.listing.multi_label]}, and the network was trained for {kinds[model.multi_label]}"
        )
    name, rule = _chosen(found, split)
    index = [i for i, file in enumerate(found.files) if name in (ALL, file.split)]
    if unknown := sorted({c for i in index for c in found.files[i].classes} - {*model.classes}):
        raise DataError(
            f"{source} has classes that the network does not know: {_some(unknown)}; it knows {_some(sorted(model.classes))}"
        )
    skipped = sum(fault.severity == "dropped" for fault in found.faults)
    return Pictures(str(source), _split(found, index, model.classes), name, rule, skipped)


def _chosen(found: Found, split: str | None) -> tuple[str, str]:
    """The name of the split to score, or "all", and a sentence that says why."""
    source, there = found.source, [name for name in SPLITS if any(file.split == name for file in found.files)]
    if not found.listing.given:
        if split is not None:
            raise DataError(
                f"{source} has no splits, so it has no {split!r}; leave --split out to score all of its pictures"
            )
        return ALL, f"{source} has no splits, so all of its pictures are scored"
    if (wanted := split or "val") not in there:
        choose = "" if split else f"; choose one: --split {' or --split '.join(there)}"
        raise DataError(f"{source} has no split {wanted!r}; it has {', '.join(there)}{choose}")
    return wanted, f"{wanted} is the source's own split"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f", and {len(names) - 10} more" if len(names) > 10 else "")


def _split(found: Found, index: Sequence[int], classes: Sequence[str]) -> Split:
    """Some of the pictures that were found, with the numbers of their classes."""
    number = {name: i for i, name in enumerate(classes)}
    labels = [tuple(sorted(number[name] for name in found.files[i].classes)) for i in index]
    several = found.listing.multi_label
    if several:
        numbers = np.zeros((len(index), len(classes)), dtype=np.float32)
        for row, of_picture in zip(numbers, labels, strict=True):
            row[list(of_picture)] = 1
    else:
        numbers = np.array([label for (label,) in labels], dtype=np.int64)
    scans = [found.scans[i] for i in index]
    rows = tuple(
        Row(found.files[i].path, label if several else label[0], scan.size_bytes, scan.digest)
        for i, label, scan in zip(index, labels, scans, strict=True)
    )
    pixels = tuple(scan.pixels for scan in scans if scan.pixels is not None)
    kept = pixels if len(pixels) == len(rows) else None
    return Split(name=found.files[index[0]].split, labels=numbers, rows=rows, store=found.store, pixels=kept)
