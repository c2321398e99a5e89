"""The manifest of pictures as a file: which picture is in which split. Runs, searches, studies and picks write it alike."""

import json
from pathlib import Path

from glocal.data import Data, Manifest, check
from glocal.data.checks.scan import Progress
from glocal.errors import GlocalError, RunError
from glocal.files import read_json, reason_of, write_whole


def save_manifest(manifest: Manifest, path: Path) -> None:
    """Writes the file, whole."""
    write_whole(path, json.dumps(manifest.to_json(), ensure_ascii=False).encode())


def load_manifest(path: Path) -> Manifest:
    """The inverse of `save_manifest`; RunError where the file is not whole."""
    values = read_json(path)
    try:
        return Manifest.from_json(values)
    except (GlocalError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise RunError(f"{path} is not whole, and only it has the splits: {reason_of(error)}") from None


def reopened(source: str, manifest: Path, *, progress: Progress | None = None) -> Data:
    """The pictures of a source, split as the file says; DataError where they are no longer the same."""
    return check(source, manifest=load_manifest(manifest), skip_bad_files=True, progress=progress).require_data()
