"""From a source to checked splits: `check` reports all that it finds, and `require_data` refuses what cannot be trusted."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glocal.data.checks.audit import class_faults, duplicate_faults, group_faults, size_faults
from glocal.data.checks.duplicates import same_pictures, turned_pictures
from glocal.data.checks.scan import Progress
from glocal.data.dataset import Data, Split
from glocal.data.faults import Fault, raise_errors
from glocal.data.manifest import Manifest, Row
from glocal.data.options import DataOptions
from glocal.data.reading import DIGITS, Found, read_manifest, read_source
from glocal.data.sources.listing import Listed, Listing, class_names
from glocal.data.sources.split_names import SPLITS
from glocal.data.splitting import group_names, group_pattern, held_out, held_out_multi, joined
from glocal.errors import DataError
from glocal.passwords import public_url
from glocal.settings import merge


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

    def require_data(self) -> Data:
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
    options: DataOptions | None = None,
    seed: int = 0,
    manifest: Manifest | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Report:
    """Reads every picture of a source and reports all faults; `check(...).require_data()` is the data, or a DataError.

    source: a folder root/{train,val,test}/CLASS/picture or root/CLASS/picture; a table .csv, .tsv or .parquet; tar shards by
        file, folder, pattern or URL; a Hugging Face data set on disk; "digits". docs/data.md says what each may look like.
    settings: fields of `DataOptions`, such as val_fraction, over those of `options`.
    seed: of the split, where val is made here.
    manifest: reopens exactly this split instead of making one; DataError names a file that is gone or has changed.
    progress: called with (files read, files in all).

    DataError only where there is nothing to check (no such folder, an empty one, no table) or for the arguments.
    """
    options = merge(options or DataOptions(), settings)
    source = public_url(str(source))
    pattern = _pattern(source, options, manifest)
    if manifest is not None:
        found = read_manifest(source, manifest, progress=progress)
        rule, own = manifest.split_rule, manifest.val_is_own
        return _report(found, manifest.classes, rule=rule, seed=manifest.seed, val_is_own=own)
    found = read_source(source, options, progress=progress)
    listing = found.listing
    _raise_without_effect(source, options, listing)
    together = _audit(found, pattern)
    own = "val" in listing.given
    rule = "train and val are the source's own"
    if not own and not listing.has_errors:
        rule = _split_off_val(found, together, seed=seed, fraction=options.val_fraction)
        rule += _undivided(options, listing)
    if listing.renamed:
        rule += ": " + ", ".join(f"{name} is {split}" for name, split in sorted(listing.renamed.items()))
    there = class_names(file for file in found.files if file.split == "train")
    classes = tuple(filter(there.__contains__, listing.order or sorted(there)))
    return _report(found, classes, rule=rule, seed=seed, val_is_own=own, together=together)


def _raise_without_effect(source: str, options: DataOptions, listing: Listing) -> None:
    """DataError for an option that can do nothing with this source."""
    if options.val_fraction is not None and "val" in listing.given:
        reason = f"has a val of its own, so val_fraction {options.val_fraction} has no effect"
        raise DataError(f"{source} {reason}; leave it out")
    if options.group_by is not None and listing.grouped:
        column = options.columns.get("group", "group")
        raise DataError(
            f"{source} has a column `{column}`, so --group-by {options.group_by!r} has no effect; leave it out"
        )


def _audit(found: Found, pattern: re.Pattern[str] | None) -> np.ndarray:
    """Adds what is wrong between the pictures to the faults. Returns numbers of what may not be divided: int64 (n,)."""
    listing = found.listing
    same = same_pictures(found.scans)
    turned = turned_pictures(
        found.scans, same, alike=lambda i, j: set(found.files[i].classes) == set(found.files[j].classes)
    )
    names = [file.group for file in found.files] if listing.grouped else None
    names = group_names([file.stem for file in found.files], pattern) if pattern else names
    listing.faults += class_faults(listing)
    listing.faults += group_faults(found.files, names) if names else ()
    listing.faults += size_faults(found.files, found.scans)
    listing.faults += duplicate_faults(found.files, found.scans, same, turned)
    return _together(turned, names)


def _undivided(options: DataOptions, listing: Listing) -> str:
    """The part of a split rule that is about groups."""
    if options.group_by:
        return f", groups by {options.group_by!r} undivided"
    return ", groups undivided" if listing.grouped else ""


def _pattern(source: str, options: DataOptions, manifest: Manifest | None) -> re.Pattern[str] | None:
    """The compiled `group_by`. DataError, before anything is read, for arguments out of range or without effect."""
    val_fraction, group_by = options.val_fraction, options.group_by
    if manifest is not None and (val_fraction is not None or group_by is not None):
        raise DataError("a manifest holds its split already: val_fraction and group_by have no effect with one")
    if val_fraction is not None and not 0 < val_fraction < 1:
        raise DataError(f"val_fraction is {val_fraction}; it must lie between 0 and 1, as 0.2 does")
    if source == DIGITS and group_by is not None:
        raise DataError("the digits have no file names to group by; leave group_by out")
    if source == DIGITS and (options.columns or options.missing_labels != "ask"):
        raise DataError("the digits are no table, so columns and missing labels have no effect; leave them out")
    return group_pattern(group_by) if group_by is not None else None


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
    for name in sorted(number.keys() - class_names(found.files[i] for i in train[val])):
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
    every = [scan.size for scan in found.scans if scan.problem is None]
    sizes = {name: _quantile(every, share) for name, share in (("min", 0), ("median", 0.5), ("max", 1)) if every}
    data = None
    if not found.listing.has_errors:
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
            columns=found.listing.columns,
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
        Row(file.path, _label(file, number, several=several), found.scans[i].size_bytes, found.scans[i].digest)
        for i in index
        for file in (found.files[i],)
    )
    hot = _hot([found.files[i].classes for i in index], number) if several else None
    pixels = tuple(each for i in index if (each := found.scans[i].pixels) is not None)
    return Split(
        name=found.files[index[0]].split,
        labels=hot if hot is not None else np.array([row.label for row in rows], dtype=np.int64),
        rows=rows,
        store=found.store,
        pixels=pixels if len(pixels) == len(rows) else None,
        groups=None if together is None else together[index],
    )


def _label(file: Listed, number: Mapping[str, int], *, several: bool) -> int | tuple[int, ...]:
    labels = sorted(number[name] for name in file.classes)
    return tuple(labels) if several else labels[0]
