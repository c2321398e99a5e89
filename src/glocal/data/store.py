"""Where the bytes of pictures lie: a protocol, and the plainest of its kinds, a folder. What the bytes hold is `pictures`'s."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from glocal.data.pictures import load

Stamp = tuple[int, int]


class Store(Protocol):
    """Bytes by path; `str` names the whole for messages.

    Stores are pickled into the processes that load pictures and read from several threads at once, so they hold no handle.
    """

    def read(self, path: str) -> bytes:
        """The bytes of a picture. Unreadable says why there are none."""
        ...

    def stamp(self, path: str) -> Stamp | None:
        """Size in bytes and time of change in ns, found without reading: with the same stamp, a picture is taken for unchanged.

        None where that is not known.
        """
        ...


@dataclass(frozen=True)
class Folder:
    """Files below a folder; a path that begins at the root of the file system is taken as it is."""

    root: Path

    def read(self, path: str) -> bytes:
        """The bytes of the file."""
        return load(os.path.join(self.root, path))  # pathlib would take a tenth of a small picture's time

    def stamp(self, path: str) -> Stamp | None:
        """From the file system; None where there is no such file, or can be none."""
        try:
            about = os.stat(os.path.join(self.root, path))
        except (OSError, ValueError):  # ValueError: a null character in the path
            return None
        return about.st_size, about.st_mtime_ns

    def __str__(self) -> str:
        return str(self.root)
