"""One picture is decoded by one rule, and what is no picture is an error that says why."""

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glocal.data import decode
from glocal.data.pictures import Unreadable, read
from glocal.errors import DataError


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def kinds(data: bytes) -> set[str]:
    return {kind for kind, _ in read(data).conversions}


def ramp(mode: str = "L") -> Image.Image:
    return Image.fromarray(np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)).convert(mode)


def test_plain_rgb_is_decoded_as_it_is():
    pixels = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    data = encoded(Image.fromarray(pixels))
    assert (decode(data) == pixels).all()
    assert kinds(data) == set()


def test_a_path_and_its_bytes_give_the_same_pixels(tmp_path: Path):
    data = encoded(ramp("RGB"), "JPEG")
    (tmp_path / "a.jpg").write_bytes(data)
    assert (decode(tmp_path / "a.jpg") == decode(str(tmp_path / "a.jpg"))).all()
    assert (decode(tmp_path / "a.jpg") == decode(data)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    data = encoded(Image.fromarray(pixels), exif=exif)
    upright = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        6: np.rot90(pixels, -1),
        7: pixels[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(pixels),
    }
    assert (decode(data) == upright[orientation]).all()
    assert kinds(data) == (set() if orientation == 1 else {"exif"})


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(form: str):
    values = np.array([[0, 128, 257, 25_700, 65_535]], dtype=np.uint16)
    data = encoded(Image.fromarray(values), form)
    assert decode(data)[0].tolist() == [[v] * 3 for v in (0, 0, 1, 100, 255)]
    assert kinds(data) == {"16-bit"}


def test_integers_beyond_sixteen_bits_are_refused():
    data = encoded(Image.fromarray(np.array([[0, 70_000]], dtype=np.int32)), "TIFF")
    with pytest.raises(DataError, match="70000"):
        decode(data)


def test_floating_point_pixels_are_refused():
    with pytest.raises(DataError, match="floating-point"):
        decode(encoded(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF"))


def test_colours_of_sixteen_bits_keep_their_upper_half():
    rows = b"".join(b"\0" + struct.pack(">6H", *row) for row in [[0, 0x1234, 0xFFFF, 0x00FF, 0x8000, 0x7F80]] * 2)
    assert decode(png(2, 2, bits=16, colour=2, rows=rows))[0].tolist() == [[0, 0x12, 0xFF], [0, 0x80, 0x7F]]
    assert kinds(png(2, 2, bits=16, colour=2, rows=rows)) == {"16-bit"}


def test_cmyk_becomes_rgb():
    data = encoded(Image.new("CMYK", (4, 4), (255, 0, 0, 0)), "JPEG", quality=100)
    assert np.abs(decode(data).astype(int) - [0, 255, 255]).max() <= 2
    assert kinds(data) == {"cmyk"}


def test_a_palette_becomes_its_colours():
    data = encoded(Image.new("RGB", (3, 3), (200, 10, 30)).quantize(4))
    assert (decode(data) == [200, 10, 30]).all()
    assert kinds(data) == {"palette"}


def test_transparency_is_laid_on_white():
    half = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    half.putpixel((1, 0), (0, 0, 0, 255))
    assert decode(encoded(half))[0].tolist() == [[255] * 3, [0] * 3]
    assert kinds(encoded(half)) == {"alpha"}


def test_a_transparent_palette_is_laid_on_white():
    image = Image.new("P", (2, 1))
    image.putpalette([9, 9, 9, 50, 60, 70])
    image.putpixel((1, 0), 1)
    data = encoded(image, transparency=0)
    assert decode(data)[0].tolist() == [[255] * 3, [50, 60, 70]]
    assert kinds(data) == {"palette", "alpha"}


def test_of_an_animation_the_first_frame_is_taken():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode(data) == [255, 0, 0]).all()
    assert "animated" in kinds(data)


@pytest.mark.parametrize("mode", ["L", "1", "LA"])
def test_grey_is_repeated(mode: str):
    pixels = decode(encoded(ramp(mode)))
    assert pixels.shape == (4, 6, 3)
    assert (pixels == pixels[:, :, :1]).all()
    assert "grey" in kinds(encoded(ramp(mode)))


def test_one_pixel_is_a_picture():
    assert decode(encoded(Image.new("RGB", (1, 1), "red"))).tolist() == [[[255, 0, 0]]]


def test_a_missing_path_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"nowhere\.jpg: there is no such file"):
        decode(tmp_path / "nowhere.jpg")


def test_a_folder_is_not_a_picture(tmp_path: Path):
    with pytest.raises(DataError, match="directory"):
        decode(tmp_path)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_refused(form: str, share: float):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(pixels), form)
    with pytest.raises(DataError):
        decode(data[: int(len(data) * share)])


def test_any_damage_is_a_data_error_or_a_picture():
    rng = np.random.default_rng(0)
    whole = [encoded(ramp("RGB").resize((32, 32)), form) for form in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")]
    for trial in range(600):
        data = bytearray(whole[trial % len(whole)])
        for at in rng.integers(0, len(data), 3):
            data[at] = rng.integers(256)
        with contextlib.suppress(DataError):
            assert decode(bytes(data)).dtype == np.uint8


@pytest.mark.parametrize(("data", "reason"), [(b"", "zero bytes"), (b"hello, world", "not a picture")])
def test_what_is_no_picture_says_so(data: bytes, reason: str):
    with pytest.raises(DataError, match=reason):
        decode(data)


@pytest.mark.parametrize("side", [20_000, 12_000])
def test_a_decompression_bomb_is_refused_before_it_is_unpacked(side: int):
    with pytest.raises(DataError, match="decompression bomb"):
        decode(png(side, side, bits=1, colour=0, rows=b""))


def png(width: int, height: int, *, bits: int, colour: int, rows: bytes) -> bytes:
    """A PNG written by hand; `rows` are its filtered lines."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_postscript_is_refused_because_pillow_would_run_it():
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "EPS")
    with pytest.raises(DataError, match="PostScript, which is a program and is not run"):
        decode(file.getvalue())


def test_a_limit_of_pixels_is_checked_before_decoding():
    file = io.BytesIO()
    Image.new("RGB", (20, 10)).save(file, "PNG")
    assert read(file.getvalue(), max_pixels=200).pixels.shape == (10, 20, 3)
    with pytest.raises(Unreadable, match="20 x 10 pixels, which is more than the 199 allowed"):
        read(file.getvalue(), max_pixels=199)
