"""What a survey found, kept on disk, so that an unchanged picture is not read again. It never changes a number; it saves time.

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

from glocal.caches import cache_folder
from glocal.data import pictures
from glocal.data import survey as surveying
from glocal.data.store import Stamp, Store
from glocal.data.survey import THUMBNAIL, Look, Progress, digest, survey

MOST_BYTES = 4 * 2**30
"""All of these files together; those that were not used for longest are removed when another is written."""

_SETTLED_NS = 2 * 10**9  # a file as young as this may change again without a new stamp: file systems count in up to 2 s
_FORM = "glocal looks 1"


def surveyed(store: Store, paths: Sequence[str], *, progress: Progress | None = None) -> list[Look]:
    """As `survey`, but a picture with the stamp that it had in an earlier survey of this store is not read again.

    GLOCAL_CACHE=off reads everything. A change that leaves a file's size and time of change as they were is not seen.
    """
    file = _file_of(store)
    if file is None or not paths:
        return survey(store, paths, progress=progress)
    now, stamps = time.time_ns(), [store.stamp(path) for path in paths]
    looks = _known(file, paths, stamps)
    new = [i for i, look in enumerate(looks) if look is None]

    def tell(done: int, of: int) -> None:
        if progress:
            progress(len(paths) - of + done, len(paths))

    for i, look in zip(new, survey(store, [paths[i] for i in new], progress=tell), strict=True):
        looks[i] = look
    found = [look for look in looks if look is not None]
    if _too_many(found) or any(look.pixels is None for look in found if look.problem is None):
        for look in found:
            look.pixels = None
    if not new:
        return found
    settled = [stamp is not None and stamp[1] < now - _SETTLED_NS for stamp in stamps]
    # A file whose bytes could not be had may be there again without a new stamp.
    kept = [i for i, look in enumerate(found) if settled[i] and look.digest]
    with contextlib.suppress(OSError):  # a full or read-only disk: the next survey reads again
        _write(file, [paths[i] for i in kept], [stamps[i] or (0, 0) for i in kept], [found[i] for i in kept])
    return found


def _too_many(looks: Sequence[Look]) -> bool:
    """Whether all pixels together are more than a survey keeps."""
    return sum(look.size[0] * look.size[1] * 3 for look in looks) > surveying.KEPT_BYTES


def _file_of(store: Store) -> Path | None:
    """Where the looks of a store are kept; None where nothing is to be."""
    if os.environ.get("GLOCAL_CACHE") == "off":
        return None
    place = str(store)
    if os.path.exists(place):
        place = os.path.realpath(place)
    return cache_folder("looks") / f"{digest(f'{type(store).__name__} {place}'.encode())}.looks"


@cache
def _rules() -> bytes:
    """The first part of a file: its form, and what decided how pictures were decoded."""
    code = digest(Path(pictures.__file__).read_bytes() + Path(surveying.__file__).read_bytes())
    jpeg = features.version_feature("libjpeg_turbo")
    return f"{_FORM}, Pillow {PIL.__version__}, JPEG {jpeg}, at most {Image.MAX_IMAGE_PIXELS}, code {code}, ".encode()


def _known(file: Path, paths: Sequence[str], stamps: Sequence[Stamp | None]) -> list[Look | None]:
    """The look at each path that is kept under the stamp it has now, None for all others."""
    try:
        before = _read(file)
    except (OSError, ValueError, KeyError, IndexError, EOFError):
        return [None] * len(paths)
    at = [before.get(path) for path in paths]
    looks = [kept[1] if kept and kept[0] == stamp else None for kept, stamp in zip(at, stamps, strict=True)]
    known = [look for look in looks if look is not None]
    if any(look.pixels is None for look in known if look.problem is None) and not _too_many(known):
        return [None] * len(paths)  # made when there were more pictures, or less memory was granted: now they fit
    return looks


def _read(file: Path) -> dict[str, tuple[Stamp, Look]]:
    """Stamp and look by path. ValueError, or an error of its contents' reading, where it cannot be trusted."""
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
    told = json.loads(notes.tobytes())
    small = iter(thumbnails)
    looks: dict[str, tuple[Stamp, Look]] = {}
    end = 0
    digest_of = digests.tobytes().hex()
    rows = zip(
        names.tobytes().decode(errors="surrogateescape").split("\0"), stamps.tolist(), sizes.tolist(), strict=True
    )
    for i, (path, stamp, (size_bytes, h, w)) in enumerate(rows):
        begin, end = end, end + h * w * 3
        problem, conversions = told.get(str(i), (None, ()))
        looks[path] = (
            (stamp[0], stamp[1]),
            Look(
                size_bytes,
                digest_of[32 * i : 32 * i + 32],
                (h, w),
                tuple((kind, what) for kind, what in conversions),
                (problem[0], problem[1]) if problem else None,
                next(small) if min(h, w) >= THUMBNAIL else None,
                pixels[begin:end].reshape(h, w, 3) if len(pixels) and not problem else None,
            ),
        )
    return looks


def _write(file: Path, paths: Sequence[str], stamps: Sequence[Stamp], looks: Sequence[Look]) -> None:
    """Replaces a file, whole or not at all, and makes room."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with _whole(file) as out:
        head = _rules()
        out.write(head + b"." * 9)
        checksum = 0
        for part in _parts(paths, stamps, looks) if paths else ():
            checksum = zlib.crc32(part, checksum)
            out.write(part)
        out.seek(len(head))
        out.write(_told(checksum))
    _make_room(file)


def _parts(paths: Sequence[str], stamps: Sequence[Stamp], looks: Sequence[Look]) -> Iterator[bytes | memoryview]:
    notes = {i: [look.problem, look.conversions] for i, look in enumerate(looks) if look.problem or look.conversions}
    small = [look.thumbnail for look in looks if look.thumbnail is not None]
    for array in (
        np.frombuffer("\0".join(paths).encode(errors="surrogateescape"), np.uint8),
        np.array(stamps, np.int64),
        np.frombuffer(bytes.fromhex("".join(look.digest for look in looks)), np.uint8),
        np.array([(look.size_bytes, *look.size) for look in looks], np.int64),
        np.frombuffer(json.dumps(notes).encode(), np.uint8),
        np.stack(small) if small else np.zeros((0, THUMBNAIL, THUMBNAIL), np.uint8),
    ):
        npy = io.BytesIO()
        np.lib.format.write_array(npy, array, allow_pickle=False)
        yield npy.getvalue()
    for look in looks:
        if look.pixels is not None:
            yield np.ascontiguousarray(look.pixels).data


def _checksum(data: memoryview) -> bytes:
    return _told(zlib.crc32(data))


def _told(checksum: int) -> bytes:
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


def _make_room(file: Path) -> None:
    """Removes what was used longest ago, `file` never, until all is within MOST_BYTES; and parts of a day ago."""
    entries = sorted(((each.stat(), each) for each in file.parent.iterdir()), key=lambda entry: entry[0].st_mtime)
    total = sum(about.st_size for about, _ in entries)
    for about, each in entries:
        stale = each.suffix == ".part" and about.st_mtime < time.time() - 86400
        if stale or (total > MOST_BYTES and each != file and each.suffix == ".looks"):
            each.unlink(missing_ok=True)
            total -= about.st_size
