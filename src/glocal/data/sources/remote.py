"""Bytes behind URLs, through fsspec: read with retries, or copied whole into a folder of glocal's. Knows no pictures."""

import hashlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar

from glocal.data.pictures import Unreadable
from glocal.passwords import with_passwords, without_passwords

PAUSES_S = (1.0, 2.0, 4.0)
"""Between the tries at a URL: four tries in seven seconds outlast a hiccup of a network, and not a reader's patience."""

SILENT_S = 20.0
"""A server that sends nothing for so long does not answer."""

_IDENTITY = ("size", "ETag", "etag", "mtime", "LastModified", "last_modified", "created", "checksum", "md5Hash")
_KEPT = 16  # hexadecimal digits that stand for a URL in a file's name

T = TypeVar("T")


def is_url(place: str) -> bool:
    """Whether a place is for fsspec: `s3://bucket/a.tar`, `https://...`, `memory://...`."""
    return re.match(r"[\w+.-]+(::[\w+.-]+)*://", place) is not None


def read_url(url: str) -> bytes:
    """What lies behind a URL, whole. Unreadable, after four tries, says why there is nothing."""
    system, path = _system(url)
    return retried(lambda: bytes(system.cat_file(path)))


def exists(url: str) -> bool:
    """Whether there is anything behind a URL. Unreadable where that cannot be found out."""
    system, path = _system(url)
    return retried(lambda: bool(system.exists(path)))


def files_below(url: str, suffix: str) -> list[str]:
    """URLs of the files with a suffix in the folder behind a URL and in the folders in it, sorted. Unreadable if none answers."""
    system, path = _system(url)
    found = retried(lambda: system.find(path, maxdepth=2))
    # Not system.unstrip_protocol, which may write the same place in another way.
    return sorted(f"{url.rstrip('/')}/{name.removeprefix(path).lstrip('/')}" for name in found if name.endswith(suffix))


def on_disk(url: str, folder: Path) -> Path:
    """A local file with what lies behind a URL: the file itself for file://, otherwise a copy in `folder`, made once.

    The copy's name is made of the URL and the version that the server states, so another version is another copy. Where the far
    side does not answer, the newest copy serves; Unreadable where there is none.
    """
    from fsspec.implementations.local import LocalFileSystem

    system, path = _system(url)
    if isinstance(system, LocalFileSystem):
        return Path(path)
    start = f"{_digest(url)[:_KEPT]}-"
    try:
        about = retried(lambda: system.info(path))
    except Unreadable as error:
        if error.kind != "unreachable" or not (copies := sorted(folder.glob(f"{start}*"), key=os.path.getmtime)):
            raise
        return copies[-1]
    version = _digest(repr([about.get(key) for key in _IDENTITY]))[:_KEPT]
    copy = folder / f"{start}{version}-{url.rstrip('/').rpartition('/')[2]}"
    if not copy.exists():
        retried(lambda: _copy(system, path, copy, size=about.get("size")))
    return copy


def retried(action: Callable[[], T]) -> T:
    """The result of an action that a network may interrupt. Unreadable where there is no such file, or no try succeeds."""
    for pause in (*PAUSES_S, None):
        try:
            return action()
        except Exception as error:  # every file system of fsspec raises errors of its own
            # That of http says so for whatever went wrong, and keeps the true reason as the cause.
            if isinstance(error, FileNotFoundError) and isinstance(error.__cause__, (FileNotFoundError, NoneType)):
                raise Unreadable("unreadable", "there is no such file") from None
            if pause is None:
                why = error.__cause__ if isinstance(error, FileNotFoundError) else error
                reason = f"no answer in {len(PAUSES_S) + 1} tries: {type(why).__name__}: {without_passwords(str(why))}"
                raise Unreadable("unreachable", reason) from None
            time.sleep(pause)
    raise AssertionError("the last pause is None")


def _copy(system: Any, path: str, target: Path, *, size: int | None) -> None:
    """Copies a file so that `target` is never there in part."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{os.getpid()}-{target.name}")
    try:
        system.get_file(path, str(part))
        if size is not None and os.path.getsize(part) != size:
            raise OSError(f"{os.path.getsize(part):,} of {size:,} bytes came")
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _system(url: str) -> tuple[Any, str]:
    """The file system of a URL and the path in it. Unreadable where no installed one knows its protocol."""
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(with_passwords(url), **_patience(url))
    except (ImportError, ValueError) as error:
        advice = "pip install 'glocal[data]' brings what http needs, s3fs, gcsfs and adlfs the others"
        raise Unreadable("unreadable", f"{without_passwords(str(error))}; {advice}") from None
    return system, path


def _patience(url: str) -> dict[str, Any]:
    """What makes fsspec give up on a server that falls silent; its own limit is five minutes for a whole file, however large."""
    if not url.startswith(("http://", "https://")):
        return {}
    import aiohttp

    return {"client_kwargs": {"timeout": aiohttp.ClientTimeout(total=None, sock_connect=SILENT_S, sock_read=SILENT_S)}}


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode()).hexdigest()
