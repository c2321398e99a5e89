"""Samples of a tar shard in WebDataset's form: members that share a key, one of them a picture and one its label."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, BinaryIO

from glocal.data import heif
from glocal.data.pictures import SUFFIXES, Unreadable
from glocal.data.sources.labels import is_text, labels_of, spellings
from glocal.data.sources.tar import Member, members

PICTURES = frozenset(suffix.removeprefix(".") for suffix in SUFFIXES | heif.SUFFIXES)
_LABELS = ("cls", "json")  # text, or an object with a field `label` or `cls`


@dataclass(frozen=True, slots=True)
class Sample:
    """What a key holds. `problem` is (kind, reason) where it is no picture with a label; its key is "" for the shard itself."""

    key: str
    picture: Member | None = None
    labels: tuple[str, ...] = ()
    written: tuple[str, ...] = ()  # the labels as they stand there, but for line ends
    several: bool = False  # whether the labels are written as a list
    others: tuple[str, ...] = ()  # extensions that are not used
    problem: tuple[str, str] | None = None


def samples(file: BinaryIO) -> Iterator[Sample]:
    """The samples of an open tar, in order; where it is broken, last of all, what is wrong with it."""
    seen: set[str] = set()
    whole, broken = 0, None

    def readable() -> Iterator[tuple[str, str, Member]]:
        nonlocal broken
        try:
            for member in members(file):
                yield *split_name(member.name), member
        except Unreadable as error:
            broken = error

    for key, group in groupby(readable(), itemgetter(0)):
        if _hidden(key):
            sample = Sample(next(group)[2].name, problem=("hidden", "hidden or left by the system, left out"))
        elif key in seen:
            sample = Sample(key, problem=("same key", "the key stands twice in its shard; which one is meant?"))
        elif not is_text(key):
            sample = Sample(ascii(key), problem=("unreadable", "its name is not UTF-8; rename it"))
        else:
            seen.add(key)
            sample = _sample(file, key, [(extension, member) for _, extension, member in group])
        whole += sample.problem is None
        yield sample
    if broken:
        yield Sample(
            "", problem=(broken.kind, f"{broken}; {whole:,} whole samples before that" if whole else str(broken))
        )


def split_name(name: str) -> tuple[str, str]:
    """Key and extension of a member: the extension begins after the first dot of the last part of its path."""
    folder, slash, last = name.removeprefix("./").rpartition("/")
    stem, _, extension = last.partition(".")
    return f"{folder}{slash}{stem}", extension.lower()


def _hidden(key: str) -> bool:
    return key.endswith("/") or not key or key.startswith("__MACOSX/")


def _sample(file: BinaryIO, key: str, group: list[tuple[str, Member]]) -> Sample:
    pictures = [member for extension, member in group if extension in PICTURES]
    written = {extension: member for extension, member in group if extension in _LABELS}
    unused = (extension for extension, _ in group if extension not in PICTURES and extension not in _LABELS)
    others = tuple(extension if is_text(extension) else ascii(extension) for extension in unused)
    if not pictures:
        # A key of other members alone, such as a README, is no sample that lacks something.
        problem = ("no picture", "a label without a picture") if written else None
        return Sample(key, others=others, problem=problem)
    if len(pictures) > 1 or len(written) + len(others) + 1 < len(group):
        return Sample(
            key,
            others=others,
            problem=("same key", f"holds {', '.join(member.name for _, member in group)}; which is meant?"),
        )
    if pictures[0].link:
        return Sample(key, others=others, problem=("unreadable", "a link, which has no bytes of its own"))
    try:
        labels, texts, several = _labels(file, written)
    except Unreadable as error:
        return Sample(key, others=others, problem=(error.kind, str(error)))
    return Sample(key, pictures[0], labels, texts, several, others)


def _labels(file: BinaryIO, written: dict[str, Member]) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """The labels in a sample's .cls or .json, how they are written, and whether they are a list.

    Unreadable where there are none, or where the two differ.
    """
    values: dict[str, Any] = {}
    for extension, member in written.items():
        file.seek(member.offset)
        text = file.read(member.size)
        try:
            if extension == "cls":
                values["cls"] = text.decode().strip("\r\n")
            elif isinstance(fields := json.loads(text), dict):
                values |= {f"json's {name}": fields[name] for name in ("label", "cls") if fields.get(name) is not None}
        except (ValueError, RecursionError) as error:
            raise Unreadable("no label", f"its .{extension} cannot be read: {error}") from None
    try:
        found = {origin: labels_of(value) for origin, value in values.items()}
        texts = tuple(text for value in values.values() for text in spellings(value))
    except (ValueError, RecursionError) as error:
        raise Unreadable("no label", str(error)) from None
    several = any(isinstance(value, list) for value in values.values())
    if len(set(found.values())) > 1:
        differing = ", ".join(f"{'|'.join(labels)!r} in {origin}" for origin, labels in found.items())
        raise Unreadable("two labels", differing)
    labels = next(iter(found.values()), ())
    if not labels and not several:
        raise Unreadable("no label", "a picture without a label: no .cls, and no .json with a field label or cls")
    return labels, texts, several
