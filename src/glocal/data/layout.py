"""Which files of a folder are pictures, of which split and class; by name only. What they hold is `survey`'s."""

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from glocal.data.faults import Fault
from glocal.data.pictures import SUFFIXES
from glocal.errors import DataError

SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "val", "test")

SPLIT_WORDS: dict[str, SplitName] = {
    "train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}  # whole words, in any case; `test_tube` is a class
_LITTER = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx"})  # left by Windows and macOS
_UNREAD = frozenset(
    ".heic .heif .hif .jxl .svg .pdf .psd .eps .ai .xcf .dng .cr2 .cr3 .nef .arw .orf .rw2 .raf .raw .dcm".split()
)
"""Suffixes of pictures, and of what holds pictures, that `SUFFIXES` lacks: they deserve more than a note."""

LAYOUTS = (
    "expected root/train/CLASS/picture with val and test beside train, or root/CLASS/picture; or a table.csv or .parquet "
    "of path and label, tar shards, or a Hugging Face data set on disk"
)


class Listed(NamedTuple):
    """One picture that a source names."""

    path: str  # as the source's store knows it; in a folder relative to the root, with forward slashes
    split: SplitName  # "train" for all where the source names no split
    classes: tuple[str, ...]  # exactly one, unless the source is multi-label
    stem: str  # what `group_by` is applied to: in a folder the path below the class folder, without the suffix
    group: str | None = None  # where the source has a column for it


@dataclass
class Listing:
    """What a source says of its pictures before any of them is read."""

    files: list[Listed] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    given: frozenset[SplitName] = frozenset()  # the splits that the source itself names
    order: tuple[str, ...] = ()  # the source's own order of its classes; () where they are sorted by name
    multi_label: bool = False
    grouped: bool = False  # whether the source says which pictures belong together


def list_folder(root: Path) -> Listing:
    """Reads the names below a folder. DataError where there is no folder, or nothing in it; the rest is in the faults."""
    if not root.exists():
        raise DataError(f"{root}: there is no such folder; {LAYOUTS}, or the word digits")
    if not root.is_dir():
        raise DataError(f"{root} is a file; give the folder that holds the classes: {LAYOUTS}")
    listing = Listing()
    top = _Folder(root, "", listing)
    if not top.folders and not top.files:
        raise DataError(f"{root} is empty; {LAYOUTS}")
    splits = [(name, SPLIT_WORDS[name.lower()]) for name in top.folders if name.lower() in SPLIT_WORDS]
    if not any(split == "train" for _, split in splits):
        for name, _ in splits:
            reason = "a split without a folder `train` beside it; rename it if it is a class, or add train"
            listing.faults.append(Fault("layout", name, reason, "error"))
        top.classes("train")
    else:
        listing.given = frozenset(split for _, split in splits)
        _split_layout(top, splits)
    if not listing.files and not any(fault.severity == "error" for fault in listing.faults):
        listing.faults.append(Fault("layout", "", f"no pictures below it; {LAYOUTS}", "error"))
    return listing


def pictures_below(folder: Path) -> list[Path]:
    """All pictures below a folder that holds no classes, sorted; hidden files and litter are left out."""
    return [folder / name for name in _Folder(folder, "", Listing()).pictures(_identity(folder))]


def _split_layout(top: "_Folder", splits: list[tuple[str, SplitName]]) -> None:
    faults = top.listing.faults
    for split in SPLITS:
        names = [name for name, of in splits if of == split]
        if len(names) > 1:
            faults.append(Fault("layout", names[1], f"{' and '.join(names)} are both the {split} split", "error"))
    top.loose_files()
    for name in top.folders:
        if name.lower() in SPLIT_WORDS:
            _split_folder(top, name)
        elif any(_is_picture(file) for _, _, files in os.walk(top.path / name) for file in files):
            reason = "holds pictures beside the folder `train`: a class? then move it into train, or rename train if it is one"
            faults.append(Fault("layout", name, reason, "error"))
        else:
            faults.append(Fault("not a picture", name, "a folder without pictures, left out", "note"))


def _split_folder(top: "_Folder", name: str) -> None:
    files, faults = top.listing.files, top.listing.faults
    listed, told = len(files), sum(fault.severity == "error" for fault in faults)
    _Folder(top.path / name, f"{name}/", top.listing).classes(SPLIT_WORDS[name.lower()])
    if len(files) == listed and sum(fault.severity == "error" for fault in faults) == told:
        faults.append(Fault("layout", name, "a split without class folders that hold pictures", "error"))


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
            elif entry.name.startswith(".") or entry.name.lower() in _LITTER:
                self._fault("hidden", entry.name, "hidden or left by the system, left out", "note")
            elif _is_folder(entry):
                self.folders.append(entry.name)
            else:
                self.files.append(entry.name)

    def _fault(self, kind: str, name: str, reason: str, severity: Literal["error", "note", "warning"]) -> None:
        self.listing.faults.append(Fault(kind, (self.prefix + name).rstrip("/"), reason, severity))

    def _left_out(self, name: str) -> None:
        if os.path.splitext(name)[1].lower() in _UNREAD:
            reason = "a kind of picture that is not read here, left out; convert it to JPEG or PNG"
            self._fault("not read", name, reason, "warning")
        else:
            self._fault("not a picture", name, "not named like a picture, left out", "note")

    def loose_files(self) -> None:
        """Names the files that lie where only folders belong."""
        for name in self.files:
            if _is_picture(name):
                self._fault("outside a class", name, "a picture outside the class folders, left out", "warning")
            else:
                self._left_out(name)

    def classes(self, split: SplitName) -> None:
        """Lists every folder here as a class of a split."""
        self.loose_files()
        spelt: dict[str, str] = {}
        for name in self.folders:
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
            if spelt.setdefault(class_name, name) != name:
                self._fault(
                    "class map", name, "two folders spell this name in two ways of Unicode: one class", "warning"
                )

    def pictures(self, ancestors: frozenset[tuple[int, int]]) -> Iterator[str]:
        """Paths of all pictures below, relative to the root."""
        for name in self.files:
            if _is_picture(name):
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


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _identity(folder: Path) -> frozenset[tuple[int, int]]:
    """What a folder is, whichever link leads to it."""
    stat = folder.stat()
    return frozenset({(stat.st_dev, stat.st_ino)})
