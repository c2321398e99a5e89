"""A cache saves reading and changes nothing: the same report and the same batches with it, without it, and when it is damaged."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glocal import caches
from glocal.data import Batches, Preprocess, Report, check
from glocal.data.checks import scan as scanning
from glocal.data.checks import scan_cache

HOUR_NS = 3600 * 10**9


def settled(folder: Path) -> Path:
    """The folder, all of it an hour old, so that its stamps can be trusted."""
    for file in folder.rglob("*"):
        if file.is_file():
            os.utime(file, ns=(time.time_ns(), time.time_ns() - HOUR_NS))
    return folder


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache, which is on."""
    monkeypatch.setenv("GLOCAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "scans"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the pictures that are read."""
    paths: list[str] = []
    scan = scanning.scan_file

    def watched(store: Any, path: str) -> Any:
        paths.append(path)
        return scan(store, path)

    monkeypatch.setattr(scanning, "scan_file", watched)
    return paths


@pytest.fixture
def animals(pets: Path) -> Path:
    """Pets, one grey, one a copy of another, one broken, one smaller than a thumbnail."""
    Image.open(pets / "cat/0.png").convert("L").save(pets / "cat/grey.png")
    shutil.copy(pets / "dog/1.png", pets / "dog/copy.png")
    (pets / "dog/half.png").write_bytes((pets / "dog/2.png").read_bytes()[:200])
    Image.new("RGB", (5, 7), "red").save(pets / "cat/small.png")
    return settled(pets)


def told(report: Report) -> tuple[Any, ...]:
    """All that a report says, and every batch."""
    data = report.require_data()
    preprocess = Preprocess((16, 16))
    batches = [
        (x.numpy().tobytes(), y.tolist())
        for split in (data.train, data.val)
        for x, y in Batches(
            split,
            batch_size=4,
            seed=0,
            epoch=0,
            train=True,
            transform=lambda picture, seed: preprocess.resize(picture),
            drop_last=False,
        )
    ]
    return report.to_json(), data.manifest().to_json(), batches


def without(folder: Path) -> tuple[Any, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLOCAL_CACHE", "off")
        return told(check(folder, skip_bad_files=True))


def test_a_second_check_reads_nothing_and_tells_the_same(animals: Path, kept: Path, read: list[str]):
    first = told(check(animals, skip_bad_files=True))
    assert len(read) == 24
    assert len(list(kept.iterdir())) == 1
    read.clear()
    assert told(check(animals, skip_bad_files=True)) == first
    assert not read
    assert without(animals) == first


def changed(folder: Path) -> None:
    Image.new("RGB", (30, 20), "blue").save(folder / "cat/3.png")


def added(folder: Path) -> None:
    Image.new("RGB", (30, 20), "blue").save(folder / "cat/new.png")


def removed(folder: Path) -> None:
    (folder / "cat/3.png").unlink()


def renamed(folder: Path) -> None:
    (folder / "cat/3.png").rename(folder / "dog/33.png")


def mended(folder: Path) -> None:
    shutil.copy(folder / "dog/2.png", folder / "dog/half.png")


@pytest.mark.parametrize(("change", "again"), [(changed, 1), (added, 1), (removed, 0), (renamed, 1), (mended, 1)])
def test_what_changed_is_read_again_and_nothing_else(
    change: Callable[[Path], None], again: int, animals: Path, kept: Path, read: list[str]
):
    check(animals, skip_bad_files=True)
    change(animals)
    read.clear()
    with_cache = told(check(animals, skip_bad_files=True))
    assert len(read) == again
    assert with_cache == without(animals)


def test_a_file_just_written_is_not_trusted(animals: Path, kept: Path, read: list[str]):
    changed(animals)
    check(animals, skip_bad_files=True)
    read.clear()
    check(animals, skip_bad_files=True)
    assert read == ["cat/3.png"]


@pytest.mark.parametrize("most", [0, 30_000])
def test_pictures_that_do_not_fit_into_memory_stay_on_disk(
    most: int, animals: Path, kept: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
):
    whole = told(check(animals, skip_bad_files=True))
    monkeypatch.setattr(scanning, "MEMORY_BYTES", most)
    for _ in range(2):
        report = check(animals, skip_bad_files=True)
        assert report.require_data().train.pixels is None
        assert told(report) == whole
    monkeypatch.setattr(scanning, "MEMORY_BYTES", 2**30)
    assert check(animals, skip_bad_files=True).require_data().train.pixels is not None


@pytest.mark.parametrize("at", [0, 30, 200, 2000, -1])
def test_a_damaged_file_is_made_again(at: int, animals: Path, kept: Path, read: list[str]):
    first = told(check(animals, skip_bad_files=True))
    (file,) = kept.iterdir()
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    read.clear()
    assert told(check(animals, skip_bad_files=True)) == first
    assert len(read) == 24
    read.clear()
    check(animals, skip_bad_files=True)
    assert not read


@pytest.mark.parametrize("data", [b"", b"glocal scans 1", b"\x93NUMPY"])
def test_a_foreign_file_is_made_again(data: bytes, animals: Path, kept: Path, read: list[str]):
    check(animals, skip_bad_files=True)
    (file,) = kept.iterdir()
    file.write_bytes(data)
    read.clear()
    check(animals, skip_bad_files=True)
    assert len(read) == 24


def test_another_version_of_pillow_reads_again(animals: Path, kept: Path, read: list[str], monkeypatch):
    check(animals, skip_bad_files=True)
    monkeypatch.setattr(scan_cache.PIL, "__version__", "99.0")
    scan_cache._rules.cache_clear()
    read.clear()
    check(animals, skip_bad_files=True)
    scan_cache._rules.cache_clear()
    assert len(read) == 24


def test_a_cache_that_cannot_be_written_is_none(animals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GLOCAL_CACHE", str(tmp_path / "file"))
    assert told(check(animals, skip_bad_files=True)) == without(animals)


def test_what_was_not_used_for_longest_makes_room(plant, kept: Path, monkeypatch: pytest.MonkeyPatch):
    kept.mkdir(parents=True)
    for days in (2, 3, 4):
        old = kept / f"{days}.scans"
        old.write_bytes(bytes(1000))
        os.utime(old, (time.time() - days * 86400,) * 2)
    monkeypatch.setitem(caches.CACHES, "scans", replace(caches.CACHES["scans"], most_bytes=50_000 + 1500))
    folder = settled(plant(*(f"{pet}/{i}.png" for pet in "ab" for i in range(10))))
    check(folder)
    written = [file for file in kept.iterdir() if file.stem not in "234"]
    assert len(written) == 1
    assert written[0].stat().st_size > 46_000
    assert {file.stem for file in kept.iterdir()} - {written[0].stem} <= {"2"}


def test_pixels_of_the_cache_cannot_be_written_to(animals: Path, kept: Path):
    for _ in range(2):
        picture = check(animals, skip_bad_files=True).require_data().train.picture(0)
        assert not picture.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            picture[0] = 0
    assert isinstance(picture, np.ndarray)
