"""Which files of a folder are pictures, of which split and class; by name only. What they hold is found by decoding."""

import os
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from glocal.data import heif
from glocal.data.faults import Fault
from glocal.data.pictures import is_picture_name
from glocal.data.sources.archives import archive_suffix, unpacking
from glocal.data.sources.layout import (
    around_faults,
    beside_train,
    find_splits,
    flat_layout_faults,
    holds_pictures,
    is_litter,
    shared_folders,
    split_layout_faults,
)
from glocal.data.sources.listing import Listed, Listing
from glocal.data.sources.split_names import SPLITS, SplitName, split_named
from glocal.errors import DataError

_UNREAD = frozenset(".jxl .svg .pdf .psd .eps .ai .xcf .dng .cr2 .cr3 .nef .arw .orf .rw2 .raf .raw .dcm".split())
"""Suffixes of pictures, and of what holds pictures, that are not read: they deserve more than a note."""

FORMS = (
    "expected root/train/CLASS/picture with val and test beside train, or root/CLASS/picture; or a table.csv or .parquet "
    "of path and label, tar shards, or a Hugging Face data set on disk"
)


def list_folder(root: Path) -> Listing:
    """Reads the names below a folder. DataError where there is no folder, or nothing in it; the rest is in the faults."""
    if not root.exists():
        raise DataError(f"{root}: there is no such folder; {FORMS}, or the word digits")
    if not root.is_dir():
        raise DataError(f"{root} is a file; give the folder that holds the classes: {FORMS}")
    listing = Listing()
    top = _Folder(root, "", listing)
    if not top.folders and not top.files:
        raise DataError(f"{root} is empty; {FORMS}")
    splits = find_splits(root, top.folders)
    if "train" in splits.values():
        listing.name_splits(splits)
        _split_layout(top, splits)
    else:
        _flat_layout(top, splits)
    if not listing.files and not listing.has_errors:
        listing.faults.append(Fault("layout", "", _no_pictures(top), "error"))
    return listing


def pictures_below(folder: Path) -> list[Path]:
    """All pictures below a folder that holds no classes, sorted; hidden files and litter are left out."""
    return [folder / name for name in _Folder(folder, "", Listing()).pictures(_identity(folder))]


def _no_pictures(top: "_Folder") -> str:
    """Why nothing was found in a folder, and what to do."""
    if any(map(is_picture_name, top.files)):
        above = top.path.absolute().parent
        return f"its pictures lie directly in it; if they are one class, give the folder above it, {above}; {FORMS}"
    if packed := [name for name in top.files if archive_suffix(name)]:
        return f"no pictures in it, but an archive; unpack it: {unpacking(str(top.path / packed[0]))}"
    if tables := [name for name in top.files if name.lower().endswith((".csv", ".tsv", ".parquet"))]:
        return f"no pictures in it; if {tables[0]} is a table of paths and labels, give {top.path / tables[0]}"
    return f"no pictures below it; {FORMS}"


def _flat_layout(top: "_Folder", splits: dict[str, SplitName]) -> None:
    """Every folder is a class of train, unless its name or what it holds says that it is something else."""
    listing = top.listing
    for name in splits:
        reason = "a split without a folder `train` beside it; rename it if it is a class, or add train"
        listing.faults.append(Fault("layout", name, reason, "error"))
    top.classes("train", [name for name in top.folders if name not in splits])
    for name in sorted({file.classes[0] for file in listing.files if split_named(file.classes[0])}):
        reason = "read as a class, since it holds pictures and no class folders; rename it if it is a split"
        listing.faults.append(Fault("layout", name, reason, "warning"))
    listing.faults += flat_layout_faults(top.path, listing.files)
    if not listing.files and not splits:
        listing.faults += around_faults(top.path)  # of a folder that holds shards or a saved data set
    wrong = {fault.path for fault in listing.faults if fault.kind == "layout" and fault.severity == "error"}
    listing.files = [file for file in listing.files if file.path.partition("/")[0] not in wrong]
    alike, inner = shared_folders(listing.files)
    if alike:
        reason = (
            f"{', '.join(alike[:5])}{', ...' * (len(alike) > 5)} hold no pictures of their own but folders of the same names: "
            f"{', '.join(inner[:5])}{', ...' * (len(inner) > 5)}; if these are the classes, give {top.path / alike[0]}, or "
            "the others as splits"
        )
        listing.faults.append(Fault("nested", "", reason, "warning"))


def _split_layout(top: "_Folder", splits: dict[str, SplitName]) -> None:
    faults = top.listing.faults
    for split in SPLITS:
        names = [name for name, of in splits.items() if of == split]
        if len(names) > 1:
            faults.append(Fault("layout", names[1], f"{' and '.join(names)} are both the {split} split", "error"))
    top.loose_files()
    for name in top.folders:
        if name in splits:
            _split_folder(top, name, splits[name])
        elif holds_pictures(top.path / name):
            faults.append(Fault("layout", name, beside_train(top.path, name, splits), "error"))
        else:
            faults.append(Fault("not a picture", name, "a folder without pictures, left out", "note"))
    faults += split_layout_faults(top.listing.files)


def _split_folder(top: "_Folder", name: str, split: SplitName) -> None:
    listing = top.listing
    listed, errors = len(listing.files), sum(fault.severity == "error" for fault in listing.faults)
    folder = _Folder(top.path / name, f"{name}/", listing)
    folder.classes(split, folder.folders)
    if len(listing.files) == listed and sum(fault.severity == "error" for fault in listing.faults) == errors:
        listing.faults.append(Fault("layout", name, "a split without class folders that hold pictures", "error"))


class _Folder:
    """The entries of one folder, sorted; litter and hidden ones are noted and gone."""

    def __init__(self, path: Path, prefix: str, listing: Listing) -> None:
        self.path, self.prefix, self.listing = path, prefix, listing
        self.folders: list[str] = []
        self.files: list[str] = []
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError as error:
            self._fault("unreadable", "", f"cannot be read: {error.strerror}", "error")
            return
        for entry in entries:
            if not entry.name.isprintable() and (readable := _readable(entry.name)) != entry.name:
                self._fault("unreadable", readable, "its name is not UTF-8; rename it", "error")
            elif is_litter(entry.name):
                self._fault("hidden", entry.name, "hidden or left by the system, left out", "note")
            elif _is_folder(entry):
                self.folders.append(entry.name)
            else:
                self.files.append(entry.name)

    def _fault(self, kind: str, name: str, reason: str, severity: Literal["error", "note", "warning"]) -> None:
        self.listing.faults.append(Fault(kind, (self.prefix + name).rstrip("/"), reason, severity))

    def _left_out(self, name: str) -> None:
        suffix = os.path.splitext(name)[1].lower()
        if suffix in heif.SUFFIXES:
            self._fault("not read", name, f"a HEIF picture, left out; {heif.NEEDS_PLUGIN}", "warning")
        elif suffix in _UNREAD:
            reason = "a kind of picture that is not read here, left out; convert it to JPEG or PNG"
            self._fault("not read", name, reason, "warning")
        elif archive_suffix(name):
            self._fault("not read", name, "an archive, left out; unpack it if it holds pictures", "warning")
        else:
            self._fault("not a picture", name, "not named like a picture, left out", "note")

    def loose_files(self) -> None:
        """Names the files that lie where only folders belong."""
        for name in self.files:
            if is_picture_name(name):
                self._fault("outside a class", name, "a picture outside the class folders, left out", "warning")
            else:
                self._left_out(name)

    def classes(self, split: SplitName, names: Iterable[str]) -> None:
        """Lists folders here as the classes of a split."""
        self.loose_files()
        for name in names:
            below = _Folder(self.path / name, f"{self.prefix}{name}/", self.listing)
            class_name = unicodedata.normalize("NFC", name)  # macOS writes é as e and an accent
            before = len(self.listing.files)
            for file in below.pictures(_identity(self.path / name)):
                stem = os.path.splitext(file.removeprefix(below.prefix))[0]
                self.listing.files.append(Listed(file, split, (class_name,), stem))
            if len(self.listing.files) == before:
                self._fault("empty class", name, "a class folder without pictures; fill it or remove it", "error")
            if inner := sorted({file.stem.split("/")[0] for file in self.listing.files[before:] if "/" in file.stem}):
                reason = f"the pictures in folders below it belong to this class: {', '.join(inner[:5])}"
                self._fault("nested", name, reason + ", ..." * (len(inner) > 5), "note")
            self.listing.written.setdefault(class_name, set()).add(name)

    def pictures(self, ancestors: frozenset[tuple[int, int]]) -> Iterator[str]:
        """Paths of all pictures below, relative to the root."""
        for name in self.files:
            if is_picture_name(name):
                yield self.prefix + name
            else:
                self._left_out(name)
        for name in self.folders:
            identity = _identity(self.path / name)
            if identity <= ancestors:
                self._fault("symlink loop", name, "a link to a folder that holds it, left out", "note")
                continue
            yield from _Folder(self.path / name, f"{self.prefix}{name}/", self.listing).pictures(ancestors | identity)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _readable(name: str) -> str:
    """A name with the bytes that are not UTF-8 spelt out."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _identity(folder: Path) -> frozenset[tuple[int, int]]:
    """What a folder is, whichever link leads to it."""
    stat = folder.stat()
    return frozenset({(stat.st_dev, stat.st_ino)})
