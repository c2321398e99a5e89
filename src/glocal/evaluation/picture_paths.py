"""From what a person names, pictures, folders, patterns and lists, to the paths of single pictures."""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from glocal.data import pictures_below
from glocal.data.pictures import is_picture_name
from glocal.errors import DataError


def picture_paths(names: Iterable[str | Path], *, within: tuple[str, ...] = ()) -> Iterator[str]:
    """The path of each picture that is named, in order, without reading any.

    A name is a picture; a folder, which stands for all pictures below it, sorted; a pattern such as "photos/**/*.jpg", which
    stands for the pictures and folders that match it, sorted; or "@FILE", which stands for the names in a text file, one a line.
    A path that exists is never taken for a pattern or a list. What stands for no picture is passed on as it is, so that whoever
    reads it says what is wrong. DataError for a list that cannot be read, or that names itself.

    within: the lists that are being read.
    """
    for name in map(str, names):
        if os.path.isdir(name):
            yield from [str(path) for path in pictures_below(Path(name))] or [name]
        elif os.path.lexists(name):
            yield name
        elif name.startswith("@"):
            yield from _listed(name[1:], within)
        elif glob.has_magic(name):
            yield from _matching(name)
        else:
            yield name


def _listed(path: str, within: tuple[str, ...]) -> Iterator[str]:
    """The pictures that a text file names."""
    if path in within:
        raise DataError(f"@{path}: the list of pictures names itself")
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            yield from picture_paths(names_in(file), within=(*within, path))
    except OSError as error:
        raise DataError(f"@{path}: the list of pictures cannot be read: {error.strerror}") from None


def names_in(lines: Iterable[str]) -> Iterator[str]:
    """One name from each line; empty lines are left out."""
    return (name for line in lines if (name := line.rstrip("\r\n")))


def _matching(pattern: str) -> Iterator[str]:
    """The pictures that match a pattern, and those in folders that match; the pattern itself where there are none."""
    found = False
    for path in sorted(glob.iglob(pattern, recursive=True)):
        if os.path.isdir(path) and "**" not in pattern:  # with ** the pictures below match by themselves
            below: Iterable[str] = map(str, pictures_below(Path(path)))
        else:
            below = [path] if is_picture_name(path) and not os.path.isdir(path) else []
        for picture in below:
            found = True
            yield picture
    if not found:
        yield pattern


def why_no_picture(path: str) -> str | None:
    """What is wrong with a path that stands for no picture, or None where it may be one."""
    if os.path.isdir(path):
        return f"{path}: no pictures below this folder"
    if glob.has_magic(path) and not os.path.lexists(path):
        return f"{path}: no picture matches this pattern"
    return None
