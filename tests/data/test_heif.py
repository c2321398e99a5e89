"""HEIF pictures are read where pillow-heif is installed, upright and in their colours; the message says so where it is not."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glocal.data import check, decode, heif, write_shards
from glocal.data.pictures import read

SCRIPT = """
import sys
if "without" in sys.argv:
    sys.modules["pillow_heif"] = None
from glocal.data import check
for fault in check(sys.argv[1], skip_bad_files="skip" in sys.argv).faults:
    print(fault.severity, fault.kind, fault)
"""


@pytest.fixture
def photo(noise):
    """`photo(name, orientation)`: the pixels of a photograph and the HEIF file that a phone would write of it."""
    pytest.importorskip("pillow_heif")
    heif.register()

    def make(name: str = "photo", orientation: int = 1) -> tuple[np.ndarray, bytes]:
        pixels = noise(name, (96, 128))
        tags = Image.Exif()
        tags[0x0112] = orientation
        out = io.BytesIO()
        turned = {1: pixels, 6: np.rot90(pixels), 3: np.rot90(pixels, 2)}[orientation].copy()
        Image.fromarray(turned).save(out, "HEIF", quality=90, exif=tags.tobytes())
        return pixels, out.getvalue()

    return make


def near(seen: np.ndarray, pixels: np.ndarray) -> bool:
    return seen.shape == pixels.shape and bool(np.abs(seen.astype(int) - pixels).mean() < 5)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_photograph_is_read_upright(photo, orientation: int):
    pixels, data = photo(orientation=orientation)
    decoded = read(data)
    assert near(decoded.pixels, pixels)
    assert [kind for kind, _ in decoded.conversions] == ["exif"] * (orientation > 1)


def test_a_folder_of_them_is_data_and_so_are_its_shards(photo, tmp_path: Path):
    for name in ("cat", "dog"):
        (tmp_path / "phone" / name).mkdir(parents=True)
        for i, suffix in enumerate(("heic", "HEIC", "heif", "hif", "heic")):
            (tmp_path / "phone" / name / f"{i}.{suffix}").write_bytes(photo(f"{name}{i}")[1])
    data = check(tmp_path / "phone").require_data()
    assert len(data.train) + len(data.val) == 10
    write_shards(data, tmp_path / "shards")
    again = check(tmp_path / "shards").require_data()
    assert {row.digest for row in again.train.rows} == {row.digest for row in data.train.rows}


def test_a_file_is_what_it_holds_whatever_its_suffix(photo, tmp_path: Path):
    pixels, data = photo()
    (tmp_path / "photo.jpg").write_bytes(data)
    assert near(decode(tmp_path / "photo.jpg"), pixels)


def test_of_several_pictures_the_primary_is_taken(noise):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    first, second = (noise(name, (96, 128)) for name in "ab")
    out = io.BytesIO()
    Image.fromarray(first).save(
        out, "HEIF", quality=90, save_all=True, append_images=[Image.fromarray(second)], primary_index=1
    )
    decoded = read(out.getvalue())
    assert near(decoded.pixels, second)
    assert decoded.conversions == (("animated", "the primary of 2 frames is taken"),)


def test_broken_ones_are_named(photo, pets: Path):
    data = photo()[1]
    (pets / "cat" / "cut.heic").write_bytes(data[: len(data) // 2])
    (pets / "cat" / "head.heic").write_bytes(data[:24])
    assert {fault.path for fault in check(pets).faults if fault.severity == "error"} == {
        "cat/cut.heic",
        "cat/head.heic",
    }


def said(source: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(source), *words], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_without_the_package_the_message_names_it(pets: Path, monkeypatch: pytest.MonkeyPatch):
    head = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    (pets / "cat" / "a.heic").write_bytes(head)
    assert "warning not read cat/a.heic: a HEIF picture, left out; reading HEIF needs pillow-heif: pip install" in said(
        pets, "without"
    )
    (pets / "cat" / "a.heic").rename(pets / "cat" / "a.jpg")
    assert "error not a picture cat/a.jpg: a HEIF picture; reading HEIF needs pillow-heif" in said(pets, "without")


def test_what_was_not_readable_before_the_package_came_is_read_after_it(
    photo, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GLOCAL_CACHE", str(tmp_path / "cache"))
    (pets / "cat" / "a.jpg").write_bytes(photo()[1])
    table = pets / "t.csv"
    table.write_text(
        "path,label\n" + "".join(f"{p}/{i}.png,{p}\n" for p in ("cat", "dog") for i in range(10)) + "cat/a.jpg,cat\n"
    )
    for file in pets.rglob("*.*"):
        os.utime(file, (1e9, 1e9))
    assert "needs pillow-heif" in said(table, "without")
    assert said(table) == ""
    assert "needs pillow-heif" in said(table, "without")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
        b"\0\0\0\x18ftypisom\0\0\0\0mp41isom",
        b"\xff\xd8\xff\xe0" + bytes(30),
        b"\0\0\0\x18ftyp",
    ],
    ids=["nothing", "AVIF", "MP4", "JPEG", "cut"],
)  # fmt: skip
def test_what_is_no_heif(data: bytes):
    assert not heif.is_heif(data)


def test_avif_is_still_read_by_pillow(noise):
    out = io.BytesIO()
    Image.fromarray(noise("a", (96, 128))).save(out, "AVIF", quality=90)
    assert near(read(out.getvalue()).pixels, noise("a", (96, 128)))
