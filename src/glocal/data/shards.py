"""Tar shards as a source: where they lie, what they list, and pictures by their offset. What is in one is `samples`'s."""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product, takewhile
from pathlib import Path
from typing import NamedTuple

from glocal.caches import cache_folder
from glocal.data.faults import Fault
from glocal.data.labels import class_order, labels_of
from glocal.data.layout import SPLIT_WORDS, Listed, Listing, SplitName
from glocal.data.pictures import SUFFIXES, Unreadable, load
from glocal.data.remote import exists, files_below, is_url, on_disk, read_url
from glocal.data.samples import Sample, samples
from glocal.data.store import Stamp
from glocal.errors import DataError

_AT_ONCE = 4  # shards copied at the same time
_MOST = 100_000  # shards of a pattern; more is a slip of the pen
_CLASS_FILES = ("classes.json", "classes.txt")


class Shard(NamedTuple):
    """A tar: its name below the source, and where it is."""

    name: str
    place: str  # a path or a URL
    file: Path  # on this machine: the tar itself, or the copy of what is behind the URL


class Place(NamedTuple):
    """Where the bytes of a picture lie."""

    shard: int
    offset: int
    size: int


@dataclass(frozen=True, eq=False)
class Shards:
    """Pictures in tars; a path is the shard's name, a slash, and the member's name."""

    source: str
    shards: tuple[Shard, ...] = field(repr=False)
    places: Mapping[str, Place] = field(repr=False)

    def read(self, path: str) -> bytes:
        """The member's bytes. Unreadable where it is not there; a copy that has been removed is made again."""
        if path not in self.places:
            raise Unreadable("unreadable", "there is no such member in the shards")
        number, offset, size = self.places[path]
        shard = self.shards[number]
        try:
            if (
                is_url(shard.place)
                and not shard.file.exists()
                and on_disk(shard.place, cache_folder("shards")) != shard.file
            ):
                raise Unreadable("unreadable", f"{shard.place} has changed since it was listed")
            with open(shard.file, "rb", buffering=0) as file:
                file.seek(offset)
                data = file.read(size)
        except OSError as error:
            raise Unreadable("unreadable", f"{shard.place} cannot be read: {error.strerror}") from None
        if len(data) < size:
            raise Unreadable("truncated", f"{shard.place} has been cut short since it was listed")
        return data

    def stamp(self, path: str) -> Stamp | None:
        """The member's size, and when its shard changed; None where either is not there."""
        if path not in self.places:
            return None
        number, _, size = self.places[path]
        try:
            return size, os.stat(self.shards[number].file).st_mtime_ns
        except OSError:
            return None

    def __str__(self) -> str:
        return self.source


def names_shards(source: str) -> bool:
    """Whether a source is tar shards: by its name, a tar, a pattern of tars or a URL; or a folder with tars and no pictures."""
    if source.endswith(".tar") or is_url(source):
        return True
    return bool(_tars_below(Path(source))) and not any(
        os.path.splitext(name)[1].lower() in SUFFIXES for _, _, names in os.walk(source) for name in names
    )


def list_shards(source: str, *, progress: Callable[[int, int], None] | None = None) -> tuple[Shards, Listing]:
    """Indexes every shard. DataError where there is none; what is wrong in one is among the faults.

    progress: called with (shards there, of all) while those behind URLs are copied.
    """
    base, places = _places(source)
    listing = Listing()
    shards = _fetched(base, places, listing, progress=progress)
    split_of = _splits([shard.name for shard in shards], listing)
    named = _class_names(base)
    # A number is always a place in the file, so that a class which is called 3 cannot be taken for the fourth.
    meanings = {name: name for name in named if not name.isdecimal()} | {str(i): name for i, name in enumerate(named)}
    offsets: dict[str, Place] = {}
    others: Counter[str] = Counter()
    for number, shard in enumerate(shards):
        try:
            with open(shard.file, "rb") as file:
                for sample in samples(file):
                    others.update(sample.others)
                    _take(sample, number, shard.name, split_of[shard.name], meanings, listing, offsets)
        except OSError as error:
            listing.faults.append(Fault("unreadable", shard.name, f"cannot be read: {error.strerror}", "error"))
    for extension, n in sorted(others.items()):
        listing.faults.append(Fault("not a picture", f"*.{extension}", f"{n:,} members of this kind, not used", "note"))
    listing.order = named or class_order(name for file in listing.files for name in file.classes)
    if not listing.files and not any(fault.severity == "error" for fault in listing.faults):
        listing.faults.append(Fault("layout", "", "no samples in the shards", "error"))
    return Shards(source, tuple(shards), offsets), listing


def _take(
    sample: Sample,
    number: int,
    shard: str,
    split: SplitName,
    meanings: Mapping[str, str],
    listing: Listing,
    offsets: dict[str, Place],
) -> None:
    """Adds a sample, or what is wrong with it, to what has been listed."""
    if sample.problem:
        kind, reason = sample.problem
        path = f"{shard}/{sample.key}" if sample.key else shard
        listing.faults.append(Fault(kind, path, reason, "note" if kind == "hidden" else "error"))
    if sample.picture is None:
        return
    path = f"{shard}/{sample.picture.name}"
    if unnamed := [label for label in sample.labels if meanings and label not in meanings]:
        reason = f"its label {unnamed[0]} is no class of the file of classes beside the shards, nor the number of one"
        listing.faults.append(Fault("class map", path, reason, "error"))
        return
    classes = tuple(meanings.get(label, label) for label in sample.labels)
    listing.multi_label |= sample.several
    listing.files.append(Listed(path, split, classes, sample.key))
    offsets[path] = Place(number, sample.picture.offset, sample.picture.size)


def expanded(pattern: str) -> list[str]:
    """What braces stand for: `a-{08..10}` for a-08, a-09, a-10, and `{train,val}` for both. DataError for any other."""
    parts = re.split(r"\{([^{}]*)\}", pattern)
    choices: list[list[str]] = [[part] for part in parts]
    for i in range(1, len(parts), 2):
        if match := re.fullmatch(r"(\d+)\.\.(\d+)", parts[i]):
            first, last = int(match[1]), int(match[2])
            if not 0 <= last - first < _MOST:
                raise DataError(
                    f"{pattern}: {{{parts[i]}}} counts {last - first + 1:,} shards; from 1 to {_MOST:,} are possible"
                )
            choices[i] = [str(n).zfill(len(match[1])) for n in range(first, last + 1)]
        elif "," in parts[i]:
            choices[i] = parts[i].split(",")
        else:
            raise DataError(
                f"{pattern}: {{{parts[i]}}} is neither a range, as {{000..011}}, nor a list, as {{train,val}}"
            )
    return ["".join(each) for each in product(*choices)]


def _places(source: str) -> tuple[str, list[str]]:
    """The folder that holds all the tars of a source, and the tars: paths with forward slashes, or URLs."""
    folders, found = [], []
    places = [source] if is_url(source) else [Path(source).as_posix()]
    for place in places if os.path.exists(source) else expanded(places[0]):
        if place.endswith(".tar"):
            folders.append(place.rpartition("/")[0])
            found.append(place)
            continue
        folders.append(place.rstrip("/"))
        try:
            found += files_below(place, ".tar") if is_url(place) else map(Path.as_posix, _tars_below(Path(place)))
        except Unreadable as error:
            raise DataError(f"{place}: {error}") from None
    if not found:
        raise DataError(
            f"{source}: no .tar there; name tars, a pattern such as train-{{000..011}}.tar, or a folder of tars"
        )
    # Not os.path.commonpath, which would take a slash from every URL.
    parts = takewhile(lambda each: len(set(each)) == 1, zip(*(folder.split("/") for folder in folders), strict=False))
    return "/".join(each[0] for each in parts), found


def _tars_below(root: Path) -> list[Path]:
    """The tars in a folder, and in those of its folders that are named like splits."""
    if not root.is_dir():
        return []
    folders = [root, *(each for each in root.iterdir() if each.name.lower() in SPLIT_WORDS and each.is_dir())]
    return sorted(file for folder in folders for file in folder.glob("[!.]*.tar"))


def _fetched(
    base: str, places: list[str], listing: Listing, *, progress: Callable[[int, int], None] | None
) -> list[Shard]:
    """The shards, those behind URLs copied; what does not answer is among the faults."""
    cache, shards, copies = cache_folder("shards"), [], []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        fetching = {place: pool.submit(on_disk, place, cache) for place in places if is_url(place)}
        for place in places:
            name = place.removeprefix(base).lstrip("/")
            try:
                file = fetching[place].result() if place in fetching else Path(place)
            except Unreadable as error:
                listing.faults.append(Fault(error.kind, name, f"{place}: {error}", "error"))
                continue
            shards.append(Shard(name, place, file))
            if file.parent == cache:
                copies.append(file)
            if progress and fetching:
                progress(len(shards), len(places))
    if copies:
        size = sum(os.path.getsize(file) for file in copies)
        reason = (
            f"{len(copies):,} shards, {size:,} bytes, are kept in {cache}, which may be deleted when no run needs it"
        )
        listing.faults.append(Fault("copied", "", reason, "note"))
    return shards


def _splits(names: list[str], listing: Listing) -> dict[str, SplitName]:
    """The split of each shard, from the whole words of its folder or else of its own name; "train" for all that name none."""
    found: dict[str, SplitName] = {}
    for name in names:
        *folders, last = name.lower().split("/")
        for words in (folders, re.split(r"[^a-z0-9]+", last)):
            meant = sorted({SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS})
            if len(meant) > 1:
                listing.faults.append(
                    Fault("layout", name, f"names the splits {' and '.join(meant)}; rename it", "error")
                )
            if meant:
                found.setdefault(name, meant[0])
    listing.given = frozenset(found.values())
    if found and "train" not in listing.given:
        listing.faults.append(
            Fault(
                "layout",
                next(iter(found)),
                "a split without shards of train beside it; rename it or add train",
                "error",
            )
        )
    for name in (name for name in names if found and name not in found):
        listing.faults.append(Fault("layout", name, "names no split, as the other shards do; rename it", "error"))
    return {name: found.get(name, "train") for name in names}


def _class_names(base: str) -> tuple[str, ...]:
    """Names of the classes, in the order of their numbers, from a file beside the shards; () where there is none."""
    for name in _CLASS_FILES:
        place = f"{base}/{name}" if base else name
        try:
            if not (exists(place) if is_url(place) else os.path.exists(place)):
                continue
            return class_names(place, read_url(place) if is_url(place) else load(place))
        except Unreadable as error:
            raise DataError(f"{place}: {error}") from None
    return ()


def class_names(place: str, data: bytes) -> tuple[str, ...]:
    """Names in the order of their numbers: a JSON list, a JSON object from names to numbers or back, or one name a line."""
    try:
        said = json.loads(data) if place.endswith(".json") else data.decode("utf-8-sig").splitlines()
        if isinstance(said, dict):
            back = all(key.isdecimal() for key in said)
            numbers = {int(key): name for key, name in said.items()} if back else {n: key for key, n in said.items()}
            said = [numbers[n] for n in range(len(said))]
        names = tuple(label for each in said for label in labels_of(each))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{place} does not name classes: {error!r}; a list of names, one a number from 0, is needed"
        ) from None
    if len(set(names)) < max(len(names), len(said)):
        raise DataError(f"{place} names a class twice, or one is empty")
    return names
