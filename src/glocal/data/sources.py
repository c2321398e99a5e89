"""Reads a source into files and what was found in them: a folder, the built-in digits, or the files of a manifest."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glocal.data.faults import SKIPPABLE, Fault
from glocal.data.layout import SPLITS, Listed, SplitName, list_folder
from glocal.data.manifest import Manifest
from glocal.data.survey import Look, Progress, digest, survey
from glocal.errors import DataError

DIGITS = "digits"


@dataclass
class Found:
    """Whole pictures, split by split and sorted by path in each, and every fault met on the way to them."""

    source: str
    root: Path | None  # None where the pictures lie in no files
    given: frozenset[SplitName]  # splits the source itself names; none for a flat folder
    files: list[Listed]
    looks: list[Look]  # one a file
    faults: list[Fault]


def read_source(source: str | Path, *, skip_bad_files: bool, progress: Progress | None) -> Found:
    """Reads every picture of a source. DataError only where there is nothing to read."""
    if str(source) == DIGITS:
        return _digits()
    root = Path(source)
    listing = list_folder(root)
    listed = sorted(listing.files, key=lambda file: SPLITS.index(file.split))
    looks = survey(root, [file.path for file in listed], progress=progress)
    faults = [
        *listing.faults,
        *(fault for file, look in zip(listed, looks, strict=True) for fault in _faults(file, look)),
    ]
    if skip_bad_files:
        faults = [_dropped(fault) for fault in faults]
    whole = [i for i, look in enumerate(looks) if look.problem is None]
    files = [listed[i] for i in whole]
    left = {(file.split, file.class_name) for file in files}
    for split, name in sorted({(file.split, file.class_name) for file in listed} - left):
        faults.append(Fault("empty class", name, f"none of its pictures in {split} can be read", "error"))
    return Found(str(source), root, listing.given, files, [looks[i] for i in whole], faults)


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
        files.append(Listed(f"{DIGITS}/{i:04d}", "train", str(label), f"{i:04d}"))
        looks.append(Look(pixels.size, digest(pixels.tobytes()), (8, 8), pixels=pixels))
    return Found(DIGITS, None, frozenset(), files, looks, [])


def read_manifest(source: str | Path, manifest: Manifest, *, progress: Progress | None) -> Found:
    """Reads the files of a manifest, in its order; one that is gone or has changed is an error among the faults."""
    listed = [
        Listed(row.path, split, manifest.classes[row.label], "")
        for split, rows in manifest.rows.items()
        for row in rows
    ]
    if str(source) == DIGITS:
        digits = _digits()
        at = {file.path: look for file, look in zip(digits.files, digits.looks, strict=True)}
        gone = Look(problem=("unreadable", "not one of the built-in digits"))
        root, looks = None, [at.get(file.path, gone) for file in listed]
    else:
        root = Path(source)
        if not root.is_dir():
            raise DataError(f"{root}: there is no such folder; the manifest was made from {manifest.source}")
        looks = survey(root, [file.path for file in listed], progress=progress)
    faults = list(manifest.faults)
    rows = [row for of_split in manifest.rows.values() for row in of_split]
    for row, look in zip(rows, looks, strict=True):
        if look.problem is not None:
            faults.append(
                Fault("changed", row.path, f"{look.problem[1]}; it was whole when the split was made", "error")
            )
        elif (look.size_bytes, look.digest) != (row.size_bytes, row.digest):
            faults.append(Fault("changed", row.path, "not the file it was when the split was made", "error"))
    return Found(str(source), root, frozenset(manifest.rows), listed, looks, faults)
