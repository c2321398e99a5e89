"""Decodes every file once: whether it is whole, what it contains, and its pixels while they fit into memory."""

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

MEMORY_BYTES = 2**30
"""Bytes of decoded pictures that stay in memory, all splits together. 1 GiB holds CIFAR (184 MB) or some thousand photographs for
fine-tuning, and leaves a machine of 8 GiB room for the network; a larger set is decoded again in every epoch."""

THUMBNAIL = 16  # pixels a side; see `duplicates`
_LARGE_BYTES = 8192  # mean size of a file from which threads gain more than they lose to Python's lock
_CHUNK = 32  # files a task: hides the cost of handing out tasks, and keeps the progress smooth


@dataclass(slots=True, eq=False)
class Scan:
    """What decoding one file found. `problem` is (kind, reason) where there is no picture."""

    size_bytes: int = 0
    digest: str = ""  # of the file's bytes, 128 bits
    size: tuple[int, int] = (0, 0)  # (h, w)
    conversions: tuple[tuple[str, str], ...] = ()
    problem: tuple[str, str] | None = None
    thumbnail: np.ndarray | None = field(default=None, repr=False)  # uint8; None for pictures smaller than it
    pixels: np.ndarray | None = field(default=None, repr=False)  # uint8 (h, w, c); None where too many for memory


def scan_files(store: Store, paths: Sequence[str], *, progress: Progress | None = None) -> list[Scan]:
    """One scan per path, in their order. All have their pixels, or none has."""
    scans: list[Scan] = []
    in_memory, too_many = 0, False
    # Pillow warns of damaged metadata, per file and without its name; what matters of it is found by decoding.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for chunk in _chunks(store, paths):
            scans += chunk
            in_memory += sum(each.pixels.nbytes for each in chunk if each.pixels is not None)
            if in_memory > MEMORY_BYTES:
                for each in chunk if too_many else scans:
                    each.pixels = None
                too_many = True
            if progress:
                progress(len(scans), len(paths))
    return scans


def scan_file(store: Store, path: str) -> Scan:
    """Reads and decodes one picture."""
    scan = Scan()
    try:
        data = store.read(path)
        scan.size_bytes, scan.digest = len(data), digest(data)
        scan.pixels, scan.conversions = read(data)
    except Unreadable as error:
        scan.problem = (error.kind, str(error))
        return scan
    scan.pixels.setflags(write=False)
    scan.size = (scan.pixels.shape[0], scan.pixels.shape[1])
    if min(scan.size) >= THUMBNAIL:
        scan.thumbnail = thumbnail(scan.pixels, THUMBNAIL)
    return scan


def digest(data: bytes) -> str:
    """A name for these bytes: BLAKE2b, 128 bits, in hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _chunks(store: Store, paths: Sequence[str]) -> Iterator[list[Scan]]:
    """The scans at all paths, chunk by chunk; by threads where pictures are large enough for them to pay."""
    chunks = (paths[i : i + _CHUNK] for i in range(0, len(paths), _CHUNK))
    sample = [stamp[0] for path in paths[:: max(1, len(paths) // 64)] if (stamp := store.stamp(path))]
    if sum(sample) < _LARGE_BYTES * len(sample):
        yield from (_scan_chunk(store, chunk) for chunk in chunks)
        return
    with ThreadPoolExecutor(cores()) as pool:
        # Only a few chunks ahead of the reader, unlike `pool.map`, so that pixels that nobody needs never fill the memory.
        ahead = deque(pool.submit(_scan_chunk, store, chunk) for chunk in islice(chunks, 2 * cores()))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(_scan_chunk, store, chunk) for chunk in islice(chunks, 1))


def _scan_chunk(store: Store, paths: Sequence[str]) -> list[Scan]:
    return [scan_file(store, path) for path in paths]


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
