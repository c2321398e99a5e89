"""From a source, in whichever form, to its pictures and what was found in them. Each form is a file of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glocal.data.checks.scan import Progress, Scan, digest
from glocal.data.checks.scan_cache import cached_scans
from glocal.data.faults import SKIPPABLE, Fault, raise_errors
from glocal.data.manifest import Manifest
from glocal.data.options import DataOptions
from glocal.data.pictures import Unreadable, read
from glocal.data.sources.archives import refuse_archive
from glocal.data.sources.arrow import is_saved, list_rows, saved_rows
from glocal.data.sources.folders import list_folder
from glocal.data.sources.listing import Listed, Listing
from glocal.data.sources.shards import list_shards, names_shards
from glocal.data.sources.split_names import SPLITS, SplitName
from glocal.data.sources.tables import list_table, names_table, table_store
from glocal.data.store import Folder, Store
from glocal.errors import DataError
from glocal.passwords import public_url

DIGITS = "digits"


@dataclass
class Found:
    """Whole pictures, split by split and sorted by path in each, and every fault met on the way to them."""

    source: str
    store: Store | None  # None where the pictures lie nowhere but in the scans
    listing: Listing  # its files are the whole pictures, its faults include those of the pictures
    scans: list[Scan]  # one a file

    @property
    def files(self) -> list[Listed]:
        """The whole pictures."""
        return self.listing.files

    @property
    def faults(self) -> list[Fault]:
        """Every fault met."""
        return self.listing.faults


def open_source(source: str, options: DataOptions, *, progress: Progress | None) -> tuple[Store, Listing]:
    """Where the pictures of a source lie, and what it says of them. DataError where there is nothing to read."""
    if names_table(source):
        listing = list_table(source, options)
        return table_store(source, [file.path for file in listing.files]), listing
    if is_saved(Path(source)):
        return list_rows(Path(source), options)
    refuse_archive(source)
    if columns := options.columns:
        raise DataError(f"{source} is no table, so --{next(iter(columns))}-column has no effect; leave it out")
    if names_shards(source):
        return list_shards(source, options, progress=progress)
    if options.missing_labels != "ask":
        raise DataError(
            f"{source} is a folder, so --missing-labels has no effect: its folders name the classes; leave it out"
        )
    return Folder(Path(source)), list_folder(Path(source))


def read_source(source: str | Path, options: DataOptions, *, progress: Progress | None) -> Found:
    """Reads every picture of a source. DataError only where there is nothing to read."""
    source = public_url(str(source))
    if source == DIGITS:
        return _digits()
    store, listing = open_source(source, options, progress=progress)
    listed = sorted(listing.files, key=lambda file: SPLITS.index(file.split))
    scans = cached_scans(store, [file.path for file in listed], progress=progress)
    faults = [
        *listing.faults,
        *(fault for file, scan in zip(listed, scans, strict=True) for fault in _faults(file, scan)),
    ]
    if options.skip_bad_files:
        faults = [_dropped(fault) for fault in faults]
    whole = [i for i, scan in enumerate(scans) if scan.problem is None]
    listing.files = [listed[i] for i in whole]
    for split, name in sorted(_classes(listed) - _classes(listing.files)):
        faults.append(Fault("empty class", name, f"none of its pictures in {split} can be read", "error"))
    if not any(fault.severity == "error" for fault in faults):
        lost = sorted({"train", *listing.given} - {file.split for file in listing.files}, key=SPLITS.index)
        faults += (Fault("layout", split, f"no picture of {split} is left", "error") for split in lost)
    listing.faults = faults
    return Found(source, store, listing, [scans[i] for i in whole])


def _classes(files: Sequence[Listed]) -> set[tuple[SplitName, str]]:
    return {(file.split, name) for file in files for name in file.classes}


def _faults(file: Listed, scan: Scan) -> list[Fault]:
    if scan.problem is not None:
        return [Fault(scan.problem[0], file.path, scan.problem[1], "error")]
    return [Fault(kind, file.path, reason, "converted") for kind, reason in scan.conversions]


def _dropped(fault: Fault) -> Fault:
    if fault.severity == "error" and fault.kind in SKIPPABLE:
        return Fault(fault.kind, fault.path, fault.reason, "dropped")
    return fault


def _digits() -> Found:
    from sklearn.datasets import load_digits

    digits = load_digits()
    files, scans = [], []
    for i, (grey, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        pixels = np.rint(grey * (255 / 16)).astype(np.uint8)[:, :, None]  # given as 0..16
        pixels.setflags(write=False)
        files.append(Listed(f"{DIGITS}/{i:04d}", "train", (str(label),), f"{i:04d}"))
        scans.append(Scan(pixels.size, digest(pixels.tobytes()), (8, 8), pixels=pixels))
    return Found(DIGITS, None, Listing(files), scans)


def read_manifest(source: str | Path, manifest: Manifest, *, progress: Progress | None) -> Found:
    """Reads the files of a manifest, in its order; one that is gone or has changed is an error among the faults."""
    source = public_url(str(source))
    rows = [row for of_split in manifest.rows.values() for row in of_split]
    listed = [
        Listed(row.path, split, manifest.names_of(row), "")
        for split, of_split in manifest.rows.items()
        for row in of_split
    ]
    store: Store | None = None
    if source == DIGITS:
        digits = _digits()
        at = {file.path: scan for file, scan in zip(digits.files, digits.scans, strict=True)}
        gone = Scan(problem=("unreadable", "not one of the built-in digits"))
        scans = [at.get(file.path, gone) for file in listed]
    else:
        paths = [file.path for file in listed]
        store = _store(source, paths, manifest, progress=progress)
        scans = cached_scans(store, paths, progress=progress)
    faults = list(manifest.faults)
    for row, scan in zip(rows, scans, strict=True):
        if scan.problem is not None:
            faults.append(
                Fault("changed", row.path, f"{scan.problem[1]}; it was whole when the split was made", "error")
            )
        elif (scan.size_bytes, scan.digest) != (row.size_bytes, row.digest):
            faults.append(Fault("changed", row.path, "not the file it was when the split was made", "error"))
    listing = Listing(
        listed,
        faults,
        given=frozenset(manifest.rows),
        order=manifest.classes,
        multi_label=manifest.multi_label,
        columns=dict(manifest.columns),
    )
    return Found(source, store, listing, scans)


def _store(source: str, paths: Sequence[str], manifest: Manifest, *, progress: Progress | None) -> Store:
    """Where the pictures of a manifest lie; their labels and splits come from the manifest, not from the source."""
    if names_table(source):
        return table_store(source, paths)
    if is_saved(Path(source)):
        return saved_rows(Path(source), manifest.columns.get("path"))
    if names_shards(source):
        store, listing = list_shards(source, DataOptions(), progress=progress)
        raise_errors(source, (fault for fault in listing.faults if fault.kind == "unreachable"))
        return store
    if not Path(source).is_dir():
        raise DataError(f"{source}: there is no such folder; the manifest was made from {manifest.source}")
    return Folder(Path(source))


def picture_reader(source: str, manifest: Manifest) -> Callable[[str], np.ndarray]:
    """A function from a path of a manifest to its pixels, uint8 (h, w, 1 or 3), without looking at the other pictures.

    It raises DataError for a picture that cannot be read any more, and so does this function where the source is gone.
    """
    if source == DIGITS:
        digits = _digits()
        at = {file.path: scan.pixels for file, scan in zip(digits.files, digits.scans, strict=True)}

        def digit(path: str) -> np.ndarray:
            if (pixels := at.get(path)) is None:
                raise DataError(f"{path}: not one of the built-in digits")
            return pixels

        return digit
    paths = [row.path for rows in manifest.rows.values() for row in rows]
    store = _store(source, paths, manifest, progress=None)

    def picture(path: str) -> np.ndarray:
        try:
            return read(store.read(path)).pixels
        except Unreadable as error:
            raise DataError(f"{path}: {error}") from None

    return picture
