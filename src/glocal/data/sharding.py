"""Writes checked pictures as tar shards in WebDataset's form. Reading them is `shards`'s."""

import io
import json
import os
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from glocal.data import heif
from glocal.data.checks.scan import Progress, digest
from glocal.data.dataset import Data, Split
from glocal.data.manifest import Row, labels_of
from glocal.data.pictures import Unreadable, read
from glocal.data.random_streams import order
from glocal.data.sources.samples import PICTURES
from glocal.errors import DataError

MB = 10**6
_BLOCK = 512  # a member takes a header of one block, and its bytes filled up to whole blocks
_EXTENSIONS = {
    "JPEG": "jpg",
    "MPO": "jpg",
    "TIFF": "tif",
    "JPEG2000": "jp2",
}  # of Pillow's formats that are called otherwise
_QUALITY = 95  # of the JPEGs that --resize encodes anew: above what cameras and data sets use


@dataclass(frozen=True)
class Written:
    """What `write_shards` has made."""

    folder: str
    shards: dict[str, int]  # of each split
    pictures: dict[str, int]  # of each split
    size_bytes: int  # of all files
    encoded: int  # pictures that were encoded anew

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def write_shards(
    data: Data,
    out: str | Path,
    *,
    size_mb: float = 256,
    resize: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Written:
    """Writes every split of checked data to `out`: SPLIT-000000.tar and so on, classes.json, manifest.json.

    The pictures of a split are shuffled by `seed`, so that readers who take a shard from front to back see classes mixed.
    Their bytes are kept, unless `resize` is given: then a picture whose shorter side is longer is scaled down to it, a JPEG
    as a JPEG of quality 95, any other as PNG. The same arguments give the same bytes.

    size_mb: no shard is larger (10^6 bytes), but for one with a single picture.
    progress: called with (pictures written, of all).

    `out` takes its place when all is written. DataError where it is not empty, cannot be written, or a picture has changed.
    """
    target = Path(out)
    if size_mb <= 0 or (resize is not None and resize < 1):
        raise DataError(f"--size-mb {size_mb} and --resize {resize}: both must be positive")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DataError(f"{target} is there already and not empty; shards go to a new folder")
    part = target.with_name(f".{target.name}.{os.getpid()}")  # renamed when whole; left behind only by a kill
    try:
        part.mkdir(parents=True)
        written = _write(data, part, limit=int(size_mb * MB), resize=resize, seed=seed, progress=progress)
        os.replace(part, target)
    except OSError as error:
        raise DataError(f"{target} could not be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return replace(written, folder=str(target))


def _write(
    data: Data, folder: Path, *, limit: int, resize: int | None, seed: int, progress: Progress | None
) -> Written:
    splits = [split for split in (data.train, data.val, data.test) if split is not None]
    every, done, encoded = sum(map(len, splits)), 0, 0
    origins: dict[str, str] = {}
    shards: dict[str, int] = {}
    for split in splits:
        with _Tars(folder, split.name, limit) as tars:
            for key, i in enumerate(order(seed, 0, len(split)).tolist()):
                extension, picture, anew = _picture(split, i, resize)
                shard = tars.add(f"{key:08d}", {extension: picture, **_label(split.rows[i], data)})
                origins[f"{shard}/{key:08d}.{extension}"] = split.rows[i].path
                encoded, done = encoded + anew, done + 1
                if progress:
                    progress(done, every)
        shards[split.name] = tars.number + 1
    about = {"source": data.source, "split_rule": data.split_rule, "seed": seed, "resize": resize, "pictures": origins}
    for name, content in (("classes.json", list(data.classes)), ("manifest.json", about)):
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    size = sum(file.stat().st_size for file in folder.iterdir())
    return Written(str(folder), shards, {split.name: len(split) for split in splits}, size, encoded)


class _Tars:
    """The shards of a split: a new one is begun where a sample would make the last larger than the limit."""

    def __init__(self, folder: Path, split: str, limit: int) -> None:
        self.folder, self.split, self.limit = folder, split, limit
        self.number = -1
        self._tar: tarfile.TarFile | None = None

    def add(self, key: str, files: Mapping[str, bytes]) -> str:
        """Writes a sample, and returns the name of its shard."""
        size = sum(_BLOCK + -(-len(content) // _BLOCK) * _BLOCK for content in files.values())
        if self._tar is None or self._tar.offset + size > self.limit - tarfile.RECORDSIZE:
            self._close()
            self.number += 1
            self._tar = tarfile.open(self.folder / self._name(), "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
        for extension, content in files.items():
            about = tarfile.TarInfo(
                f"{key}.{extension}"
            )  # whose time, owner and group are 0: the same bytes every time
            about.size = len(content)
            self._tar.addfile(about, io.BytesIO(content))
        return self._name()

    def _name(self) -> str:
        return f"{self.split}-{self.number:06d}.tar"

    def __enter__(self) -> "_Tars":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._tar is not None:
            self._tar.close()


def _picture(split: Split, i: int, resize: int | None) -> tuple[str, bytes, bool]:
    """Extension and bytes of a picture, and whether they were encoded anew. DataError where it has changed since its check."""
    row = split.rows[i]
    if split.store is None:  # the digits
        return "png", _encoded(split.picture(i)[:, :, 0], "PNG"), True
    try:
        data = split.store.read(row.path)
    except Unreadable as error:
        raise DataError(f"{split.store}: {row.path}: {error}") from None
    if digest(data) != row.digest:
        raise DataError(f"{split.store}: {row.path}: has changed since it was checked; start again")
    if heif.is_heif(data):
        heif.register()
    with Image.open(io.BytesIO(data)) as image:
        kind, short = image.format or "", min(image.size)
    if resize is None or short <= resize:
        extension = _EXTENSIONS.get(kind, kind.lower())
        return extension if extension in PICTURES else row.path.rpartition(".")[2].lower(), data, False
    kind = "JPEG" if kind in ("JPEG", "MPO") else "PNG"
    pixels = read(data).pixels
    h, w = (max(1, round(side * resize / short)) for side in pixels.shape[:2])
    scaled = Image.fromarray(pixels).resize((w, h), Image.Resampling.BICUBIC)
    return _EXTENSIONS.get(kind, "png"), _encoded(np.asarray(scaled), kind), True


def _encoded(pixels: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=_QUALITY)
    return file.getvalue()


def _label(row: Row, data: Data) -> dict[str, bytes]:
    """The member that says the label: the number of the class, or a list of names where there may be several."""
    if not data.multi_label:
        return {"cls": str(row.label).encode()}
    names = [data.classes[label] for label in labels_of(row)]
    return {"json": json.dumps({"label": names}, ensure_ascii=False).encode()}
