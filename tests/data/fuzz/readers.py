"""Whole files of every kind that glocal reads as data, and how each is read."""

import io
import json
import random
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from glocal.data import Manifest, Report, check, decode, heif
from glocal.data.checks import scan_cache

CLASSES = ("ash", "birch")
N = 6  # pictures


@dataclass(frozen=True)
class Reader:
    """Files to damage, and what reads one of them; `read` raises a GlocalError that holds `name`, or nothing."""

    seeds: tuple[bytes, ...]
    name: str  # of the file, as an error must say it; "" where the bytes have no file
    read: Callable[[bytes], object]


def picture(i: int, size: tuple[int, int] = (20, 24)) -> Image.Image:
    rng = np.random.default_rng(i)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
    return coarse.resize(size[::-1], Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _pictures() -> Iterator[bytes]:
    image = picture(0)
    tags = Image.Exif()
    tags[0x0112] = 6
    tags[0x010E] = "a description"
    yield encoded(image, "JPEG", exif=tags)
    yield encoded(image, "JPEG", progressive=True)
    yield encoded(image.convert("CMYK"), "JPEG")
    yield encoded(image, "PNG", exif=tags)
    yield encoded(image.quantize(16), "PNG")
    yield encoded(image.convert("RGBA"), "PNG")
    yield encoded(Image.fromarray(np.asarray(image.convert("L"), dtype=np.uint16) * 257), "PNG")
    yield encoded(image, "PNG", save_all=True, append_images=[picture(1), picture(2)])
    yield encoded(image, "GIF", save_all=True, append_images=[picture(1), picture(2)])
    yield encoded(image, "WEBP")
    yield encoded(image, "WEBP", lossless=True)
    yield encoded(image, "BMP")
    yield encoded(image, "TGA")
    yield encoded(image, "PPM")
    yield encoded(image, "TIFF")
    yield encoded(image, "TIFF", compression="tiff_lzw")
    yield encoded(image, "TIFF", compression="jpeg")
    yield encoded(image, "JPEG2000")
    yield encoded(image, "AVIF")
    if heif.is_readable():
        heif.register()
        yield encoded(picture(0, (64, 64)), "HEIF")


class Place:
    """A folder with a few whole pictures, in which damaged files are put and read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = [f"{CLASSES[i % 2]}/{i}.png" for i in range(2 * N)]
        for i, path in enumerate(self.paths):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            picture(i).save(root / path)
        whole = check(root).require_data().manifest().to_json()
        self._whole_manifest = json.dumps({**whole, "source": "data"}).encode()  # the same bytes wherever the folder is

    def readers(self) -> dict[str, Reader]:
        """All of them, by name."""
        found = {
            "pictures": Reader(tuple(_pictures()), "<bytes>", decode),
            "a picture in a folder": Reader(tuple(_pictures()), "ash/0.png", self._folder),
            "CSV": self._table(".csv", self._csv()),
            "TSV": self._table(".tsv", [text.replace(b",", b"\t") for text in self._csv()]),
            "shards": self._file("a.tar", tuple(self._tars())),
            "classes.json": self._beside(
                "classes.json", [b'["ash", "birch"]', b'{"ash": 0, "birch": 1}', b'{"0": "ash", "1": "birch"}']
            ),
            "classes.txt": self._beside("classes.txt", [b"ash\nbirch\n", "äsh\nbirch".encode()]),
            "manifests": Reader((self._whole_manifest,), "", self._reopen),
            "the cache": self._cache(),
        }  # fmt: skip
        try:
            import datasets  # noqa: F401
            import pyarrow  # noqa: F401
        except ModuleNotFoundError:
            return found
        found["Parquet"] = self._table(".parquet", list(self._parquet()))
        saved = self._saved()
        for name in ("dataset_info.json", "state.json", "dataset_dict.json", "data-00000-of-00001.arrow"):
            found[name] = self._part(next(saved.rglob(name)), saved)
        return found

    # ---------------------------------------------------------------------------------------------------------- tables

    def _csv(self) -> list[bytes]:
        rows = [f"{path},{path.split('/')[0]}" for path in self.paths]
        full = [f"{row},{('train', 'val')[i // 2 % 3 == 0]},g{i // 2}" for i, row in enumerate(rows)]
        plain = "\n".join(["path,label", *rows])
        quoted = "\n".join(
            ["path,label", *(f'"{path}","{label}|tree"' for path, label in (row.split(",") for row in rows))]
        )
        texts = [plain, quoted, "\r\n".join(["path,label,split,group", *full]), plain.replace(",", ";")]
        return [*(text.encode() for text in texts), plain.encode("utf-16"), plain.encode("utf-8-sig")]

    def _parquet(self) -> Iterator[bytes]:
        import pyarrow as pa
        from pyarrow import parquet

        label = [path.split("/")[0] for path in self.paths]
        for columns in (
            {"path": self.paths, "label": label},
            {
                "path": self.paths,
                "label": pa.array(label).dictionary_encode(),
                "split": ["train", "train", "val", "val"] * (N // 2),
            },
            {"path": self.paths, "label": [[each] for each in label], "group": [1.0, None] * N},
        ):
            for compression in ("none", "snappy"):
                out = io.BytesIO()
                parquet.write_table(pa.table(columns), out, compression=compression)
                yield out.getvalue()

    def _table(self, suffix: str, seeds: list[bytes]) -> Reader:
        return self._file(f"t{suffix}", tuple(seeds))

    # -------------------------------------------------------------------------------------------------- files and folders

    def _file(self, name: str, seeds: tuple[bytes, ...]) -> Reader:
        def read(data: bytes) -> None:
            (self.root / name).write_bytes(data)
            used(check(self.root / name))

        return Reader(seeds, name, read)

    def _folder(self, data: bytes) -> None:
        file = self.root / self.paths[0]
        before = file.read_bytes()
        file.write_bytes(data)
        try:
            used(check(self.root / "."))
        finally:
            file.write_bytes(before)

    def _part(self, file: Path, source: Path) -> Reader:
        """One file of several."""
        whole = file.read_bytes()

        def read(data: bytes) -> None:
            file.write_bytes(data)
            try:
                used(check(source))
            finally:
                file.write_bytes(whole)

        return Reader((whole,), "saved", read)

    def _tars(self) -> Iterator[bytes]:
        labels = [CLASSES[i % 2].encode() for i in range(2 * N)]
        as_json = [json.dumps({"label": [label.decode()], "id": i}).encode() for i, label in enumerate(labels)]
        for extension, members in (("cls", labels), ("json", as_json)):
            for kind in (tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
                out = io.BytesIO()
                with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
                    for i, label in enumerate(members):
                        key = f"{'long' * 40 if kind != tarfile.USTAR_FORMAT else ''}é{i}"
                        for name, data in ((f"{key}.png", encoded(picture(i), "PNG")), (f"{key}.{extension}", label)):
                            about = tarfile.TarInfo(name)
                            about.size = len(data)
                            tar.addfile(about, io.BytesIO(data))
                yield out.getvalue()

    def _beside(self, name: str, seeds: list[bytes]) -> Reader:
        """A file of class names beside a shard whose labels are numbers."""
        folder = self.root.with_name(f"{self.root.name}-{name}")
        folder.mkdir()
        with tarfile.open(folder / "a.tar", "w") as tar:
            for i in range(2 * N):
                for member, data in ((f"{i}.png", encoded(picture(i), "PNG")), (f"{i}.cls", str(i % 2).encode())):
                    about = tarfile.TarInfo(member)
                    about.size = len(data)
                    tar.addfile(about, io.BytesIO(data))

        def read(data: bytes) -> None:
            (folder / name).write_bytes(data)
            used(check(folder))

        return Reader(tuple(seeds), name, read)

    def _saved(self) -> Path:
        import datasets

        datasets.disable_progress_bars()
        features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))})
        rows = {"image": [picture(i) for i in range(2 * N)], "label": [i % 2 for i in range(2 * N)]}
        folder = self.root.with_name(f"{self.root.name}-saved")
        datasets.DatasetDict({"train": datasets.Dataset.from_dict(rows, features=features)}).save_to_disk(str(folder))
        return folder

    # ------------------------------------------------------------------------------------------------ manifests, the cache

    def _reopen(self, data: bytes) -> None:
        """A manifest is given as values; where damaged bytes are no JSON, the whole values are damaged instead."""
        try:
            values = json.loads(data)
        except (ValueError, RecursionError):
            values = otherwise(json.loads(self._whole_manifest), random.Random(zlib.crc32(data)))
        used(check(self.root, manifest=Manifest.from_json(values)))

    def _cache(self) -> Reader:
        """A damaged file of the cache counts for nothing: the same report comes out."""
        root = self.root.with_name(f"{self.root.name}-cached")
        file = root / "scans"
        root.mkdir()
        pictures = [f"{i}.png" for i in range(4)]
        for i, name in enumerate(pictures):
            picture(i).save(root / name)
        stamps = [(1, i) for i in range(4)]
        from glocal.data.checks.scan import scan_files
        from glocal.data.store import Folder

        scans = scan_files(Folder(root), pictures)
        scan_cache._write(file, pictures, stamps, scans)

        def read(data: bytes) -> None:
            file.write_bytes(data)
            known = scan_cache._known(file, pictures, stamps)
            for scan, mine in zip(known, scans, strict=True):
                if scan is not None and (scan.digest != mine.digest or (scan.pixels != mine.pixels).any()):
                    raise AssertionError("a damaged file of the cache was believed")

        return Reader((file.read_bytes(),), "", read)


def otherwise(values: Any, rng: random.Random) -> Any:
    """JSON with one of its values, at any depth, replaced, removed or repeated."""
    if isinstance(values, (dict, list)) and values and rng.random() < 0.8:
        key = rng.choice(list(values)) if isinstance(values, dict) else rng.randrange(len(values))
        if rng.random() < 0.15:
            del values[key]
        else:
            values[key] = otherwise(values[key], rng)
        return values
    odd = [
        None,
        -1,
        2**70,
        0.5,
        float("nan"),
        True,
        "",
        "../../etc/passwd",
        "\ud800",
        "\0",
        [],
        {},
        [[]],
        {"a": 1},
        [values] * 3,
    ]
    return rng.choice(odd)


def used(report: Report) -> None:
    """Reads what a report lets through; DataError where it lets nothing through."""
    if report.data is not None:
        for split in (report.data.train, report.data.val):
            for i in range(min(3, len(split))):
                assert split.picture(i).dtype == np.uint8
        Manifest.from_json(json.loads(json.dumps(report.data.manifest().to_json())))
    json.dumps(report.to_json())
    for fault in report.faults:
        str(fault).encode()
    report.require_data()
