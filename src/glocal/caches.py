"""Folders of what glocal can make or fetch again: what is in them, how large they may grow, and how they are emptied."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DAY_S = 24 * 3600.0


@dataclass(frozen=True)
class Cache:
    """A kind of cached files. `most_bytes` bounds all of them together (`trim`)."""

    name: str
    holds: str
    most_bytes: int


CACHES = {
    cache.name: cache
    for cache in (
        Cache("scans", "what a check found in pictures, so that unchanged ones are not read again", 4 * 2**30),
        Cache("weights", "files of weights fetched from a URL", 20 * 2**30),
        Cache("shards", "copies of tar shards behind URLs", 100 * 2**30),
    )
}


@dataclass(frozen=True)
class Usage:
    """How much of a cache is used."""

    cache: Cache
    folder: Path
    files: int
    size_bytes: int


def cache_folder(name: str) -> Path:
    """$GLOCAL_CACHE/name, or glocal/name in $XDG_CACHE_HOME or ~/.cache.

    GLOCAL_CACHE=off forbids to cache what a check found (`data.checks.scan_cache`); files that must be somewhere, such as weights
    from a URL, are then cached as if it were not set.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    given = os.environ.get("GLOCAL_CACHE", "off")
    return (Path(caches) / "glocal" if given in ("", "off") else Path(given)) / name


def usage() -> list[Usage]:
    """Files and bytes of each cache."""
    found = []
    for cache in CACHES.values():
        sizes = [size for _, size, _ in _files(cache.name)]
        found.append(Usage(cache, cache_folder(cache.name), len(sizes), sum(sizes)))
    return found


def clear(name: str) -> int:
    """Removes the files of a cache; returns the bytes that this freed. A process that uses one reads or fetches it again."""
    return sum(_remove(path, size) for path, size, _ in list(_files(name)))


def trim(name: str, *, most_bytes: int | None = None) -> int:
    """Removes the files that were not used for longest until the cache is within its bound; returns the bytes freed.

    Files that were used within a day stay, since a run that is still training may need them.
    """
    bound = CACHES[name].most_bytes if most_bytes is None else most_bytes
    files = sorted(_files(name), key=lambda file: file[2])
    over, freed = sum(size for _, size, _ in files) - bound, 0
    for path, size, used in files:
        if freed >= over or used > time.time() - DAY_S:
            break
        freed += _remove(path, size)
    return freed


def _files(name: str) -> Iterator[tuple[Path, int, float]]:
    """Each file of a cache with its bytes and the time when it was last read or written."""
    for path in cache_folder(name).rglob("*"):
        with contextlib.suppress(OSError):  # another process removed it meanwhile
            if path.is_file() and not path.is_symlink():
                stat = path.stat()
                yield path, stat.st_size, max(stat.st_atime, stat.st_mtime)


def _remove(path: Path, size: int) -> int:
    with contextlib.suppress(OSError):
        path.unlink()
        return size
    return 0
