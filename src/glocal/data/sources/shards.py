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

from glocal.caches import cache_folder, trim
from glocal.data.faults import Fault
from glocal.data.options import DEFAULTS, DataOptions
from glocal.data.pictures import Unreadable, is_picture_name, load
from glocal.data.sources.archives import unpacking
from glocal.data.sources.labels import class_order, labels_of, spellings
from glocal.data.sources.listing import Listed, Listing
from glocal.data.sources.missing import settle_missing_labels
from glocal.data.sources.remote import exists, files_below, is_url, on_disk, read_url
from glocal.data.sources.samples import Sample, samples
from glocal.data.sources.split_names import SplitName, divides_without_naming, resembles_split, split_named
from glocal.data.store import Stamp
from glocal.errors import DataError
from glocal.files import open_file

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
        is_picture_name(name) for _, _, names in os.walk(source) for name in names
    )


def list_shards(
    source: str, options: DataOptions = DEFAULTS, *, progress: Callable[[int, int], None] | None = None
) -> tuple[Shards, Listing]:
    """Indexes every shard. DataError where there is none; what is wrong in one is among the faults.

    progress: called with (shards there, of all) while those behind URLs are copied.
    """
    base, places = _places(source)
    listing = Listing()
    shards = _fetched(base, places, listing, progress=progress)
    split_of = _splits([shard.name for shard in shards], listing)
    index = _Index(listing, _class_names(base))
    for number, shard in enumerate(shards):
        try:
            with open_file(shard.file) as file:
                for sample in samples(file):
                    index.add(sample, number, shard.name, split_of[shard.name])
        except OSError as error:
            listing.faults.append(Fault("unreadable", shard.name, f"cannot be read: {error.strerror}", "error"))
    for extension, n in sorted(index.others.items()):
        listing.faults.append(Fault("not a picture", f"*.{extension}", f"{n:,} members of this kind, not used", "note"))
    listing.order = index.named or class_order(name for file in listing.files for name in file.classes)
    if not index.named:
        settle_missing_labels(listing, options.missing_labels)
    if not listing.files:
        _explain_nothing(listing, shards)
    return Shards(source, tuple(shards), index.offsets), listing


class _Index:
    """What has been found in the shards so far.

    named: the classes in the order of their numbers, where a file beside the shards says them.
    """

    def __init__(self, listing: Listing, named: tuple[str, ...]) -> None:
        self.listing, self.named = listing, named
        # A number is always a place in the file, so that a class which is called 3 cannot be taken for the fourth.
        self.meanings = {name: name for name in named if not name.isdecimal()}
        self.meanings |= {str(i): name for i, name in enumerate(named)}
        self.offsets: dict[str, Place] = {}
        self.others: Counter[str] = Counter()

    def add(self, sample: Sample, number: int, shard: str, split: SplitName) -> None:
        """Adds a sample, or what is wrong with it."""
        self.others.update(sample.others)
        if sample.problem:
            kind, reason = sample.problem
            path = f"{shard}/{sample.key}" if sample.key else shard
            self.listing.faults.append(Fault(kind, path, reason, "note" if kind == "hidden" else "error"))
        if sample.picture is None:
            return
        path = f"{shard}/{sample.picture.name}"
        if unnamed := [label for label in sample.labels if self.named and label not in self.meanings]:
            reason = (
                f"its label {unnamed[0]} is no class of the file of classes beside the shards, nor the number of one"
            )
            self.listing.faults.append(Fault("class map", path, reason, "error"))
            return
        for text in sample.written:
            self.listing.labels(text)
        classes = tuple(self.meanings.get(label, label) for label in sample.labels)
        self.listing.multi_label |= sample.several
        self.listing.files.append(Listed(path, split, classes, sample.key))
        self.offsets[path] = Place(number, sample.picture.offset, sample.picture.size)


def _explain_nothing(listing: Listing, shards: list[Shard]) -> None:
    """Says why shards hold no sample: they are empty, or a folder of pictures packed into a tar."""
    if any(fault.kind == "no label" for fault in listing.faults) and shards:
        reason = (
            "its pictures have no labels beside them (.cls or .json), so it is a folder packed into a tar rather than a shard; "
            f"unpack it and give the folder: {unpacking(str(shards[0].file))}"
        )
        listing.faults.insert(0, Fault("layout", shards[0].name, reason, "error"))  # before its thousand consequences
    elif not listing.has_errors:
        listing.faults.append(Fault("layout", "", "no samples in the shards", "error"))


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
    try:
        folders = [root, *(each for each in root.iterdir() if split_named(each.name) and each.is_dir())]
        return sorted(file for folder in folders for file in folder.glob("[!.]*.tar"))
    except OSError:  # a folder without the right to read it, which `list_folder` names
        return []


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
        trim("shards")
        size = sum(os.path.getsize(file) for file in copies)
        reason = f"{len(copies):,} shards, {size:,} bytes, are in {cache}; `glocal cache` shows and empties it"
        listing.faults.append(Fault("copied", "", reason, "note"))
    return shards


def _splits(names: list[str], listing: Listing) -> dict[str, SplitName]:
    """The split of each shard, from the whole words of its folder or else of its own name; "train" for all that name none."""
    found: dict[str, SplitName] = {}
    for name in names:
        *folders, last = name.lower().split("/")
        words = re.split(r"[^a-z0-9]+", last)
        for each in (folders, words):
            meant = sorted({split for word in each if (split := split_named(word))})
            if len(meant) > 1:
                reason = f"names the splits {' and '.join(meant)}; rename it"
                listing.faults.append(Fault("layout", name, reason, "error"))
            if meant:
                found.setdefault(name, meant[0])
        unclear = [word for word in (*folders, *words) if resembles_split(word) and not divides_without_naming(word)]
        if name not in found and unclear:
            reason = f"is {unclear[0]!r} a split? rename it: train, val or test in its name say so"
            listing.faults.append(Fault("layout", name, reason, "error"))
    listing.given = frozenset(found.values())
    if found and "train" not in listing.given:
        reason = "a split without shards of train beside it; rename it or add train"
        listing.faults.append(Fault("layout", next(iter(found)), reason, "error"))
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
        found = json.loads(data) if place.endswith(".json") else data.decode("utf-8-sig").splitlines()
        if isinstance(found, dict):
            back = all(key.isdecimal() for key in found)
            numbers = {int(key): name for key, name in found.items()} if back else {n: key for key, n in found.items()}
            found = [numbers[n] for n in range(len(found))]
        written = [text for each in found for text in spellings(each)]
        names = tuple(label for each in written for label in labels_of(each))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise DataError(
            f"{place} does not name classes: {why}; a list of names, one a number from 0, is needed"
        ) from None
    if twice := sorted({name for name in names if names.count(name) > 1}):
        ways = ", ".join(ascii(each) for each in written if labels_of(each) == (twice[0],))
        raise DataError(f"{place} names a class twice: {ways}; give one another name")
    if len(names) < len(found):
        raise DataError(f"{place} names {len(names):,} classes for {len(found):,} numbers; one is empty")
    return names
