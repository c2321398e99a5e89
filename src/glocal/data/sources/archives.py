"""Packed folders and files, which are unpacked before they are read: how they are recognised, and the command that does it."""

import os
from pathlib import Path

from glocal.command_line import as_path, quoted
from glocal.errors import DataError
from glocal.files import open_file

_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst")
_FILES = {
    ".gz": "gzip -dk",
    ".bz2": "bzip2 -dk",
    ".xz": "xz -dk",
    ".zst": "zstd -d",
}  # of a single file, such as a table
_MAGIC = {
    b"PK\x03\x04": ".zip",
    b"PK\x05\x06": ".zip",
    b"Rar!": ".rar",
    b"7z\xbc\xaf": ".7z",
    b"\x1f\x8b": ".tar.gz",
    b"BZh": ".tar.bz2",
    b"\xfd7zX": ".tar.xz",
    b"\x28\xb5\x2f\xfd": ".tar.zst",
}


def archive_suffix(name: str) -> str | None:
    """The suffix that makes a name that of an archive, `.tar.gz` before `.gz`; None for any other. A plain `.tar` is none."""
    every = (*_TARS, ".zip", ".rar", ".7z", *_FILES)
    return next((suffix for suffix in every if name.lower().endswith(suffix)), None)


def unpacking(path: str, suffix: str | None = None) -> str:
    """The command that unpacks an archive beside itself. `suffix` says its kind where the name does not."""
    kind = suffix or archive_suffix(path) or ".tar"
    bare = path[: -len(kind)] if path.lower().endswith(kind) else f"{path}-unpacked"
    source, target = (quoted(as_path(text)) for text in (path, bare))
    if kind == ".zip":
        return f"unzip {source} -d {target}   (or: python -m zipfile -e {source} {target})"
    if kind == ".rar":
        return f"unrar x {source} {target}/"
    if kind == ".7z":
        return f"7z x {source} -o{quoted(bare)}"
    if kind in _FILES:
        return f"{_FILES[kind]} {source}"
    return f"mkdir -p {target} && tar -xf {source} -C {target}"


def refuse_archive(source: str) -> None:
    """DataError, with the command that unpacks it, where a source is an archive: by its name, or by what a file begins with."""
    suffix = archive_suffix(source)
    if "://" in source:
        if suffix:
            raise DataError(f"{source} is an archive; download and unpack it, then give the folder")
        return
    if not os.path.isfile(source):
        return
    if suffix is None and not source.lower().endswith((".tar", ".csv", ".tsv", ".parquet")):
        suffix = _by_content(Path(source))
    if suffix:
        what = "the file" if suffix in _FILES else "the folder"
        raise DataError(
            f"{source} is an archive, which is not read packed; unpack it and give {what}:\n  {unpacking(source, suffix)}"
        )


def _by_content(path: Path) -> str | None:
    try:
        with open_file(path) as file:
            start = file.read(4)
    except OSError:
        return None
    return next((suffix for magic, suffix in _MAGIC.items() if start.startswith(magic)), None)
