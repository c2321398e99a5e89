"""What scans found, cached on disk, so that an unchanged picture is not read again. It saves time and never changes a number.

One file a store, replaced whole: a line that says which rules made it and the checksum of the rest, then .npy arrays in a row,
then the pixels of small sets, which are mapped into memory. A file of other rules, or a damaged one, counts for nothing.
"""

import contextlib
import io
import json
import mmap
import os
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL
from PIL import Image, features

from glocal.caches import cache_folder, trim
from glocal.data import heif, pictures
from glocal.data.checks import scan as scanning
from glocal.data.checks.scan import THUMBNAIL, Progress, Scan, digest, scan_files
from glocal.data.store import Stamp, Store

_SETTLED_NS = 2 * 10**9  # a file as young as this may change again without a new stamp: file systems count in up to 2 s
_FORM = "glocal scans 1"


def cached_scans(store: Store, paths: Sequence[str], *, progress: Progress | None = None) -> list[Scan]:
    """As `scan_files`, but a picture with the stamp that it had in an earlier scan of this store is not read again.

    GLOCAL_CACHE=off reads everything. A change that leaves a file's size and time of change as they were is not seen.
    """
    file = _file_of(store)
    if file is None or not paths:
        return scan_files(store, paths, progress=progress)
    now, stamps = time.time_ns(), [store.stamp(path) for path in paths]
    scans = _known(file, paths, stamps)
    new = [i for i, scan in enumerate(scans) if scan is None]

    def report(done: int, of: int) -> None:
        if progress:
            progress(len(paths) - of + done, len(paths))

    for i, scan in zip(new, scan_files(store, [paths[i] for i in new], progress=report), strict=True):
        scans[i] = scan
    found = [scan for scan in scans if scan is not None]
    if _too_many(found) or any(scan.pixels is None for scan in found if scan.problem is None):
        for scan in found:
            scan.pixels = None
    if not new:
        return found
    settled = [stamp is not None and stamp[1] < now - _SETTLED_NS for stamp in stamps]
    # A file whose bytes could not be had may be there again without a new stamp.
    cached = [i for i, scan in enumerate(found) if settled[i] and scan.digest]
    with contextlib.suppress(OSError):  # a full or read-only disk: the next scan reads again
        _write(file, [paths[i] for i in cached], [stamps[i] or (0, 0) for i in cached], [found[i] for i in cached])
    return found


def _too_many(scans: Sequence[Scan]) -> bool:
    """Whether all pixels together need more than MEMORY_BYTES."""
    return sum(scan.size[0] * scan.size[1] * 3 for scan in scans) > scanning.MEMORY_BYTES


def _file_of(store: Store) -> Path | None:
    """The file that caches the scans of a store; None where GLOCAL_CACHE forbids it."""
    if os.environ.get("GLOCAL_CACHE") == "off":
        return None
    path = str(store)
    if os.path.exists(path):
        path = os.path.realpath(path)
    return cache_folder("scans") / f"{digest(f'{type(store).__name__} {path}'.encode())}.scans"


@cache
def _rules() -> bytes:
    """The first part of a file: its form, and what decided how pictures were decoded."""
    code = digest(b"".join(Path(str(module.__file__)).read_bytes() for module in (pictures, heif, scanning)))
    jpeg = features.version_feature("libjpeg_turbo")
    libraries = f"Pillow {PIL.__version__}, JPEG {jpeg}, HEIF {heif.version()}"
    return f"{_FORM}, {libraries}, at most {Image.MAX_IMAGE_PIXELS}, code {code}, ".encode()


def _known(file: Path, paths: Sequence[str], stamps: Sequence[Stamp | None]) -> list[Scan | None]:
    """The scan of each path that is cached under the stamp it has now, None for all others."""
    try:
        before = _read(file)
    except (OSError, ValueError, KeyError, IndexError, EOFError):
        return [None] * len(paths)
    at = [before.get(path) for path in paths]
    scans = [row[1] if row and row[0] == stamp else None for row, stamp in zip(at, stamps, strict=True)]
    known = [scan for scan in scans if scan is not None]
    if any(scan.pixels is None for scan in known if scan.problem is None) and not _too_many(known):
        return [None] * len(paths)  # made when there were more pictures, or less memory was granted: now they fit
    return scans


def _read(file: Path) -> dict[str, tuple[Stamp, Scan]]:
    """Stamp and scan by path. ValueError, or an error of its contents' reading, where it cannot be trusted."""
    with open(file, "rb") as opened:
        data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    rules, checksum = _rules(), len(_rules()) + 9
    if data[: len(rules)] != rules or data[len(rules) : checksum] != _checksum(memoryview(data)[checksum:]):
        raise ValueError(f"{file} is damaged, or of other rules")
    os.utime(file)
    data.seek(checksum)
    names, stamps, digests, sizes, notes, thumbnails = (
        np.lib.format.read_array(data, allow_pickle=False) for _ in range(6)
    )
    pixels = np.frombuffer(data, np.uint8, offset=data.tell())
    findings = json.loads(notes.tobytes())
    small = iter(thumbnails)
    scans: dict[str, tuple[Stamp, Scan]] = {}
    end = 0
    digest_of = digests.tobytes().hex()
    rows = zip(
        names.tobytes().decode(errors="surrogateescape").split("\0"), stamps.tolist(), sizes.tolist(), strict=True
    )
    for i, (path, stamp, (size_bytes, h, w)) in enumerate(rows):
        begin, end = end, end + h * w * 3
        problem, conversions = findings.get(str(i), (None, ()))
        scans[path] = (
            (stamp[0], stamp[1]),
            Scan(
                size_bytes,
                digest_of[32 * i : 32 * i + 32],
                (h, w),
                tuple((kind, what) for kind, what in conversions),
                (problem[0], problem[1]) if problem else None,
                next(small) if min(h, w) >= THUMBNAIL else None,
                pixels[begin:end].reshape(h, w, 3) if len(pixels) and not problem else None,
            ),
        )
    return scans


def _write(file: Path, paths: Sequence[str], stamps: Sequence[Stamp], scans: Sequence[Scan]) -> None:
    """Replaces a file, whole or not at all, and keeps the cache within its bound."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with _whole(file) as out:
        head = _rules()
        out.write(head + b"." * 9)
        checksum = 0
        for part in _parts(paths, stamps, scans) if paths else ():
            checksum = zlib.crc32(part, checksum)
            out.write(part)
        out.seek(len(head))
        out.write(_hex(checksum))
    trim("scans")


def _parts(paths: Sequence[str], stamps: Sequence[Stamp], scans: Sequence[Scan]) -> Iterator[bytes | memoryview]:
    notes = {i: [scan.problem, scan.conversions] for i, scan in enumerate(scans) if scan.problem or scan.conversions}
    small = [scan.thumbnail for scan in scans if scan.thumbnail is not None]
    for array in (
        np.frombuffer("\0".join(paths).encode(errors="surrogateescape"), np.uint8),
        np.array(stamps, np.int64),
        np.frombuffer(bytes.fromhex("".join(scan.digest for scan in scans)), np.uint8),
        np.array([(scan.size_bytes, *scan.size) for scan in scans], np.int64),
        np.frombuffer(json.dumps(notes).encode(), np.uint8),
        np.stack(small) if small else np.zeros((0, THUMBNAIL, THUMBNAIL), np.uint8),
    ):
        npy = io.BytesIO()
        np.lib.format.write_array(npy, array, allow_pickle=False)
        yield npy.getvalue()
    for scan in scans:
        if scan.pixels is not None:
            yield np.ascontiguousarray(scan.pixels).data


def _checksum(data: memoryview) -> bytes:
    return _hex(zlib.crc32(data))


def _hex(checksum: int) -> bytes:
    return f"{checksum:08x}\n".encode()


@contextlib.contextmanager
def _whole(file: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of `file` when all is written, and leaves nothing where that fails."""
    handle, part = tempfile.mkstemp(prefix=".", suffix=".part", dir=file.parent)
    try:
        with open(handle, "wb") as out:
            yield out
        os.replace(part, file)
    except BaseException:
        os.unlink(part)
        raise
