"""Decodes every file once: whether it is whole, what it was, and its pixels while they fit. Judges no split."""

import hashlib
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from glocal.data.pictures import Unreadable, read, thumbnail
from glocal.data.store import Store

Progress = Callable[[int, int], None]

KEPT_BYTES = 2**30
"""Decoded pictures kept in memory, all splits together. 1 GiB holds CIFAR (184 MB) or some thousand photographs for
fine-tuning, and leaves a machine of 8 GiB room for the network; a larger set is decoded again in every epoch."""

THUMBNAIL = 16  # pixels a side; see `duplicates`
_LARGE_BYTES = 8192  # mean size of a file from which threads gain more than they lose to Python's lock
_CHUNK = 32  # files a task: hides the cost of handing out tasks, and keeps the progress smooth


@dataclass(slots=True, eq=False)
class Look:
    """What decoding one file showed. `problem` is (kind, reason) where there is no picture."""

    size_bytes: int = 0
    digest: str = ""  # of the file's bytes, 128 bits
    size: tuple[int, int] = (0, 0)  # (h, w)
    conversions: tuple[tuple[str, str], ...] = ()
    problem: tuple[str, str] | None = None
    thumbnail: np.ndarray | None = field(default=None, repr=False)  # uint8; None for pictures smaller than it
    pixels: np.ndarray | None = field(default=None, repr=False)  # uint8 (h, w, c); None where too many for memory


def survey(store: Store, paths: Sequence[str], *, progress: Progress | None = None) -> list[Look]:
    """One look per path, in their order. All have their pixels, or none has."""
    looks: list[Look] = []
    kept, forgotten = 0, False
    # Pillow warns of damaged metadata, per file and without its name; what matters of it is found by decoding.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for chunk in _chunks(store, paths):
            looks += chunk
            kept += sum(each.pixels.nbytes for each in chunk if each.pixels is not None)
            if kept > KEPT_BYTES:  # the first time too late for all that were kept
                for each in chunk if forgotten else looks:
                    each.pixels = None
                forgotten = True
            if progress:
                progress(len(looks), len(paths))
    return looks


def look(store: Store, path: str) -> Look:
    """Reads and decodes one picture."""
    found = Look()
    try:
        data = store.read(path)
        found.size_bytes, found.digest = len(data), digest(data)
        found.pixels, found.conversions = read(data)
    except Unreadable as error:
        found.problem = (error.kind, str(error))
        return found
    found.pixels.setflags(write=False)
    found.size = (found.pixels.shape[0], found.pixels.shape[1])
    if min(found.size) >= THUMBNAIL:
        found.thumbnail = thumbnail(found.pixels, THUMBNAIL)
    return found


def digest(data: bytes) -> str:
    """A name for these bytes: BLAKE2b, 128 bits, in hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _chunks(store: Store, paths: Sequence[str]) -> Iterator[list[Look]]:
    """The looks at all paths, chunk by chunk; by threads where pictures are large enough for them to pay."""
    chunks = (paths[i : i + _CHUNK] for i in range(0, len(paths), _CHUNK))
    sample = [stamp[0] for path in paths[:: max(1, len(paths) // 64)] if (stamp := store.stamp(path))]
    if sum(sample) < _LARGE_BYTES * len(sample):
        yield from (_looks(store, chunk) for chunk in chunks)
        return
    with ThreadPoolExecutor(cores()) as pool:
        # Only a few chunks ahead of the reader, unlike `pool.map`, so that pixels nobody keeps never fill the memory.
        ahead = deque(pool.submit(_looks, store, chunk) for chunk in islice(chunks, 2 * cores()))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(_looks, store, chunk) for chunk in islice(chunks, 1))


def _looks(store: Store, paths: Sequence[str]) -> list[Look]:
    return [look(store, path) for path in paths]


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
