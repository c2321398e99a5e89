"""From a source, in whichever form, to its pictures and what was found in them. Each form is a file of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glocal.data.arrow import is_saved, list_rows
from glocal.data.cache import surveyed
from glocal.data.faults import SKIPPABLE, Fault, raise_errors
from glocal.data.layout import SPLITS, Listed, Listing, SplitName, list_folder
from glocal.data.manifest import Manifest
from glocal.data.shards import list_shards, names_shards
from glocal.data.store import Folder, Store
from glocal.data.survey import Look, Progress, digest
from glocal.data.tables import list_table, names_table, table_store
from glocal.errors import DataError

DIGITS = "digits"


@dataclass
class Found:
    """Whole pictures, split by split and sorted by path in each, and every fault met on the way to them."""

    source: str
    store: Store | None  # None where the pictures lie nowhere but in the looks
    listing: Listing  # its files are the whole pictures, its faults include those of the pictures
    looks: list[Look]  # one a file

    @property
    def files(self) -> list[Listed]:
        """The whole pictures."""
        return self.listing.files

    @property
    def faults(self) -> list[Fault]:
        """Every fault met."""
        return self.listing.faults


def opened(source: str, *, progress: Progress | None) -> tuple[Store, Listing]:
    """Where the pictures of a source lie, and what it says of them. DataError where there is nothing to read."""
    if names_table(source):
        listing = list_table(source)
        return table_store(source, [file.path for file in listing.files]), listing
    if is_saved(Path(source)):
        return list_rows(Path(source))
    if names_shards(source):
        return list_shards(source, progress=progress)
    return Folder(Path(source)), list_folder(Path(source))


def read_source(source: str | Path, *, skip_bad_files: bool, progress: Progress | None) -> Found:
    """Reads every picture of a source. DataError only where there is nothing to read."""
    if str(source) == DIGITS:
        return _digits()
    store, listing = opened(str(source), progress=progress)
    listed = sorted(listing.files, key=lambda file: SPLITS.index(file.split))
    looks = surveyed(store, [file.path for file in listed], progress=progress)
    faults = [
        *listing.faults,
        *(fault for file, look in zip(listed, looks, strict=True) for fault in _faults(file, look)),
    ]
    if skip_bad_files:
        faults = [_dropped(fault) for fault in faults]
    whole = [i for i, look in enumerate(looks) if look.problem is None]
    listing.files = [listed[i] for i in whole]
    for split, name in sorted(_classes(listed) - _classes(listing.files)):
        faults.append(Fault("empty class", name, f"none of its pictures in {split} can be read", "error"))
    if not any(fault.severity == "error" for fault in faults):
        lost = sorted({"train", *listing.given} - {file.split for file in listing.files}, key=SPLITS.index)
        faults += (Fault("layout", split, f"no picture of {split} is left", "error") for split in lost)
    listing.faults = faults
    return Found(str(source), store, listing, [looks[i] for i in whole])


def _classes(files: Sequence[Listed]) -> set[tuple[SplitName, str]]:
    return {(file.split, name) for file in files for name in file.classes}


def _faults(file: Listed, look: Look) -> list[Fault]:
    if look.problem is not None:
        return [Fault(look.problem[0], file.path, look.problem[1], "error")]
    return [Fault(kind, file.path, reason, "converted") for kind, reason in look.conversions]


def _dropped(fault: Fault) -> Fault:
    if fault.severity == "error" and fault.kind in SKIPPABLE:
        return Fault(fault.kind, fault.path, fault.reason, "dropped")
    return fault


def _digits() -> Found:
    from sklearn.datasets import load_digits

    digits = load_digits()
    files, looks = [], []
    for i, (grey, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        pixels = np.rint(grey * (255 / 16)).astype(np.uint8)[:, :, None]  # given as 0..16
        pixels.setflags(write=False)
        files.append(Listed(f"{DIGITS}/{i:04d}", "train", (str(label),), f"{i:04d}"))
        looks.append(Look(pixels.size, digest(pixels.tobytes()), (8, 8), pixels=pixels))
    return Found(DIGITS, None, Listing(files), looks)


def read_manifest(source: str | Path, manifest: Manifest, *, progress: Progress | None) -> Found:
    """Reads the files of a manifest, in its order; one that is gone or has changed is an error among the faults."""
    rows = [row for of_split in manifest.rows.values() for row in of_split]
    listed = [
        Listed(row.path, split, manifest.names_of(row), "")
        for split, of_split in manifest.rows.items()
        for row in of_split
    ]
    store: Store | None = None
    if str(source) == DIGITS:
        digits = _digits()
        at = {file.path: look for file, look in zip(digits.files, digits.looks, strict=True)}
        gone = Look(problem=("unreadable", "not one of the built-in digits"))
        looks = [at.get(file.path, gone) for file in listed]
    else:
        paths = [file.path for file in listed]
        store = _store(str(source), paths, manifest, progress=progress)
        looks = surveyed(store, paths, progress=progress)
    faults = list(manifest.faults)
    for row, look in zip(rows, looks, strict=True):
        if look.problem is not None:
            faults.append(
                Fault("changed", row.path, f"{look.problem[1]}; it was whole when the split was made", "error")
            )
        elif (look.size_bytes, look.digest) != (row.size_bytes, row.digest):
            faults.append(Fault("changed", row.path, "not the file it was when the split was made", "error"))
    listing = Listing(listed, faults, frozenset(manifest.rows), manifest.classes, manifest.multi_label)
    return Found(str(source), store, listing, looks)


def _store(source: str, paths: Sequence[str], manifest: Manifest, *, progress: Progress | None) -> Store:
    """Where the pictures of a manifest lie. What the source says of them now is not asked: the manifest says it."""
    if names_table(source):
        return table_store(source, paths)
    if is_saved(Path(source)) or names_shards(source):
        store, listing = opened(source, progress=progress)
        raise_errors(source, (fault for fault in listing.faults if fault.kind == "unreachable"))
        return store
    if not Path(source).is_dir():
        raise DataError(f"{source}: there is no such folder; the manifest was made from {manifest.source}")
    return Folder(Path(source))
