"""From a source to checked splits: `check` tells all it finds, and `opened` refuses what cannot be trusted."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glocal.data.audit import class_faults, duplicate_faults, group_faults
from glocal.data.dataset import Data, Split
from glocal.data.duplicates import same_pictures
from glocal.data.faults import Fault, raise_errors
from glocal.data.layout import SPLITS, Listed
from glocal.data.manifest import Manifest, Row
from glocal.data.partition import group_names, group_pattern, held_out, held_out_multi, joined
from glocal.data.sources import DIGITS, Found, read_manifest, read_source
from glocal.data.survey import Progress
from glocal.errors import DataError


@dataclass(frozen=True, eq=False)
class Report:
    """All that a check found. `data` is there exactly where no fault is an error."""

    source: str
    data: Data | None
    faults: tuple[Fault, ...]
    counts: dict[
        str, dict[str, int]
    ]  # pictures of each class of each split; of a flat folder that has errors, all in train
    pictures: dict[str, int]  # in each split; where a picture has several labels, fewer than `counts` adds up to
    sizes: dict[str, tuple[int, int]]  # min, median and max of height and of width, pixels; empty without pictures

    @property
    def ok(self) -> bool:
        """Whether the source can be opened."""
        return self.data is not None

    def opened(self) -> Data:
        """The checked splits; DataError lists what is wrong where there are none."""
        raise_errors(self.source, self.faults)
        assert self.data is not None
        return self.data

    def to_json(self) -> dict[str, Any]:
        """Plain data, without the manifest."""
        return {
            "source": self.source,
            "ok": self.ok,
            "split_rule": self.data.split_rule if self.data else None,
            "fingerprint": self.data.fingerprint() if self.data else None,
            "counts": {split: dict(of_split) for split, of_split in self.counts.items()},
            "pictures": dict(self.pictures),
            "sizes": {name: list(size) for name, size in self.sizes.items()},
            "faults": [fault.to_json() for fault in self.faults],
        }


def check(
    source: str | Path,
    *,
    seed: int = 0,
    val_fraction: float | None = None,
    skip_bad_files: bool = False,
    group_by: str | None = None,
    manifest: Manifest | None = None,
    progress: Progress | None = None,
) -> Report:
    """Reads every picture of a source and reports all faults; `check(...).opened()` is the data, or a DataError.

    source: a folder root/{train,val,test}/CLASS/picture or root/CLASS/picture; a table .csv, .tsv or .parquet; tar shards by
        file, folder, pattern or URL; a Hugging Face data set on disk; "digits". docs/data.md says what each may look like.
    val_fraction: share of the pictures that goes to val where the source has no val; a fifth, but at most 5,000 pictures,
        where it is not given.
    skip_bad_files: leave out files that cannot be read, and say so, where the default is to refuse.
    group_by: a regular expression with one group in parentheses, searched in each picture's path below its class folder (of a
        table: its path; of a shard: its key) without the suffix; pictures for which the group holds the same text stay on one
        side of a split, and one for which it finds nothing stands alone. `^([^_]+)_` keeps p07_left and p07_right together.
    manifest: reopens exactly this split instead of making one; DataError names a file that is gone or has changed.
    progress: called with (files read, files in all).

    DataError only where there is nothing to check (no such folder, an empty one, no table) or for the arguments.
    """
    pattern = _pattern(str(source), val_fraction=val_fraction, group_by=group_by, manifest=manifest)
    if manifest is not None:
        found = read_manifest(source, manifest, progress=progress)
        return _report(
            found, manifest.classes, rule=manifest.split_rule, seed=manifest.seed, val_is_own=manifest.val_is_own
        )
    found = read_source(source, skip_bad_files=skip_bad_files, progress=progress)
    listing = found.listing
    if val_fraction is not None and "val" in listing.given:
        raise DataError(f"{source} has a val of its own, so val_fraction {val_fraction} has no effect; leave it out")
    if group_by is not None and listing.grouped:
        raise DataError(f"{source} has a column `group`, so --group-by {group_by!r} has no effect; leave it out")
    same = same_pictures(found.looks)
    names = [file.group for file in found.files] if listing.grouped else None
    names = group_names([file.stem for file in found.files], pattern) if pattern else names
    listing.faults += class_faults(listing)
    listing.faults += group_faults(found.files, names) if names else ()
    listing.faults += duplicate_faults(found.files, found.looks, same)
    rule, val_is_own, together = "train and val are the source's own", "val" in listing.given, _together(same, names)
    if not val_is_own and not _errors(found):
        rule = _split_off_val(found, together, seed=seed, fraction=val_fraction)
        rule += f", groups by {group_by!r} undivided" if group_by else ", groups undivided" if listing.grouped else ""
    there = _classes(file for file in found.files if file.split == "train")
    classes = tuple(filter(there.__contains__, listing.order or sorted(there)))
    return _report(found, classes, rule=rule, seed=seed, val_is_own=val_is_own, together=together)


def _classes(files: Iterable[Listed]) -> set[str]:
    return {name for file in files for name in file.classes}


def _pattern(
    source: str, *, val_fraction: float | None, group_by: str | None, manifest: Manifest | None
) -> re.Pattern[str] | None:
    """The compiled `group_by`. DataError, before anything is read, for arguments out of range or without effect."""
    if manifest is not None and (val_fraction is not None or group_by is not None):
        raise DataError("a manifest holds its split already: val_fraction and group_by have no effect with one")
    if val_fraction is not None and not 0 < val_fraction < 1:
        raise DataError(f"val_fraction is {val_fraction}; it must lie between 0 and 1, as 0.2 does")
    if group_by is not None and source == DIGITS:
        raise DataError("the digits have no file names to group by; leave group_by out")
    return group_pattern(group_by) if group_by is not None else None


def _errors(found: Found) -> bool:
    return any(fault.severity == "error" for fault in found.faults)


def _together(same: np.ndarray, names: Sequence[str | None] | None) -> np.ndarray:
    """Numbers of what may not be divided: int64 (n,)."""
    if names is None:
        return same
    first: dict[str, int] = {}
    groups = [i if name is None else first.setdefault(name, i) for i, name in enumerate(names)]
    return joined(same, np.array(groups, dtype=np.int64))


def _split_off_val(found: Found, together: np.ndarray, *, seed: int, fraction: float | None) -> str:
    """Moves a part of train to val, and says so in a sentence."""
    train = np.array([i for i, file in enumerate(found.files) if file.split == "train"], dtype=np.int64)
    of_train = [found.files[i].classes for i in train]
    number = {name: i for i, name in enumerate(sorted({name for classes in of_train for name in classes}))}
    if found.listing.multi_label:
        val = held_out_multi(_hot(of_train, number), together[train], seed=seed, fraction=fraction)
    else:
        labels = np.array([number[name] for (name,) in of_train], dtype=np.int64)
        val = held_out(labels, together[train], seed=seed, fraction=fraction)
    if not val.any():
        found.faults.append(Fault("group", "", "no val can be made: all pictures belong together", "error"))
    for i in train[val]:
        found.files[i] = found.files[i]._replace(split="val")
    for name in sorted(number.keys() - _classes(found.files[i] for i in train[val])):
        reason = "no pictures in val: they all belong together, and train needs them"
        found.faults.append(Fault("class map", name, reason, "note"))
    share = f"{val.sum():,} of {len(train):,} pictures"
    return f"val is {share}, drawn from each class alike with seed {seed}, duplicates kept on one side"


def _hot(labels: Sequence[tuple[str, ...]], number: Mapping[str, int]) -> np.ndarray:
    """1 where a picture has a label: float32 (n, labels)."""
    hot = np.zeros((len(labels), len(number)), dtype=np.float32)
    for i, names in enumerate(labels):
        hot[i, [number[name] for name in names]] = 1
    return hot


def _report(
    found: Found,
    classes: tuple[str, ...],
    *,
    rule: str,
    seed: int,
    val_is_own: bool,
    together: np.ndarray | None = None,
) -> Report:
    counts: dict[str, dict[str, int]] = {
        name: dict(sorted(Counter(c for file in found.files if file.split == name for c in file.classes).items()))
        for name in SPLITS
        if any(file.split == name for file in found.files)
    }
    every = [look.size for look in found.looks if look.problem is None]
    sizes = {name: _quantile(every, share) for name, share in (("min", 0), ("median", 0.5), ("max", 1)) if every}
    data = None
    if not _errors(found):
        splits = {name: _split(found, name, classes, together) for name in counts}
        data = Data(
            source=found.source,
            classes=classes,
            train=splits["train"],
            val=splits["val"],
            test=splits.get("test"),
            faults=tuple(found.faults),
            split_rule=rule,
            channels=1 if found.source == DIGITS else 3,
            typical_size=_quantile([every[i] for i, file in enumerate(found.files) if file.split == "train"], 0.5),
            seed=seed,
            multi_label=found.listing.multi_label,
            val_is_own=val_is_own,
        )
    pictures = {name: sum(file.split == name for file in found.files) for name in counts}
    return Report(found.source, data, tuple(found.faults), counts, pictures, sizes)


def _quantile(sizes: list[tuple[int, int]], share: float) -> tuple[int, int]:
    h, w = np.quantile(sizes, share, axis=0)
    return int(h), int(w)


def _split(found: Found, name: str, classes: tuple[str, ...], together: np.ndarray | None) -> Split:
    number = {class_name: i for i, class_name in enumerate(classes)}
    index = [i for i, file in enumerate(found.files) if file.split == name]
    several = found.listing.multi_label
    rows = tuple(
        Row(file.path, _label(file, number, several=several), found.looks[i].size_bytes, found.looks[i].digest)
        for i in index
        for file in (found.files[i],)
    )
    hot = _hot([found.files[i].classes for i in index], number) if several else None
    kept = tuple(pixels for i in index if (pixels := found.looks[i].pixels) is not None)
    return Split(
        name=found.files[index[0]].split,
        labels=hot if hot is not None else np.array([row.label for row in rows], dtype=np.int64),
        rows=rows,
        store=found.store,
        pixels=kept if len(kept) == len(rows) else None,
        groups=None if together is None else together[index],
    )


def _label(file: Listed, number: Mapping[str, int], *, several: bool) -> int | tuple[int, ...]:
    labels = sorted(number[name] for name in file.classes)
    return tuple(labels) if several else labels[0]
