"""One picture: bytes to pixels, by the rule that training, evaluation and prediction share. Knows no folders."""

import io
import os
import stat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from glocal.data import heif
from glocal.errors import DataError

SUFFIXES = frozenset(
    (".jpg .jpeg .jpe .jfif .png .apng .webp .gif .bmp .dib .tif .tiff .ppm .pgm .pbm .pnm .jp2 .avif .tga").split()
)
"""Files so named are taken for pictures, and those of `heif.SUFFIXES` where they can be read; what they hold is found by
decoding them."""

_ORIENTATION = 0x0112  # the EXIF tag
_SIXTEEN_BIT = 65535 // 255  # 257: the full range of 16 bits onto the full range of 8
_ELSE = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Decoded(NamedTuple):
    """Pixels, and the rules that were applied to reach them: (kind, what was done)."""

    pixels: np.ndarray  # uint8 (h, w, 3)
    conversions: tuple[tuple[str, str], ...]


class Unreadable(Exception):  # noqa: N818 - a verdict on a file, not a failure of the program
    """Bytes that give no picture; `kind` is the fault it makes."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def decode(picture: str | Path | bytes) -> np.ndarray:
    """Pixels of a file or of its bytes: uint8 (h, w, 3).

    EXIF orientation is applied; 16-bit grey is divided by 257; CMYK and palettes become RGB; transparency is laid on
    white; of an animation the first frame is taken; grey is repeated. DataError names the path and why there is no picture.
    """
    name = "<bytes>" if isinstance(picture, bytes) else str(picture)
    try:
        return read(picture if isinstance(picture, bytes) else load(picture)).pixels
    except Unreadable as error:
        raise DataError(f"{name}: {error}") from None


def is_picture_name(name: str) -> bool:
    """Whether a file is taken for a picture, by its suffix."""
    suffix = os.path.splitext(name)[1].lower()
    return suffix in SUFFIXES or (suffix in heif.SUFFIXES and heif.is_readable())


def load(path: str | Path) -> bytes:
    """The bytes of a file. Unreadable says why there are none."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # a pipe would wait for a writer for ever, a device may never end
            raise Unreadable("unreadable", f"{_ELSE.get(stat.S_IFMT(mode), 'no file')}, not a file of a picture")
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise Unreadable("unreadable", "there is no such file") from None
    except OSError as error:
        raise Unreadable("unreadable", f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise Unreadable("unreadable", "no file can have this name: it holds a null character") from None


def read(data: bytes, *, max_pixels: int | None = None) -> Decoded:
    """Decodes, and says which conversions were needed. Unreadable says why it could not.

    max_pixels: refuses larger pictures by their header; Pillow's own limit holds too.
    """
    if not data:
        raise Unreadable("zero bytes", "zero bytes")
    if is_heif := heif.is_heif(data):
        heif.register()
    try:
        # Pillow opens lazily: the header here, the pixels in `_pixels`.
        with Image.open(io.BytesIO(data)) as image:
            _check_header(image, max_pixels)
            return _pixels(image)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        if is_heif and not heif.is_readable():
            raise Unreadable("not a picture", f"a HEIF picture; {heif.NEEDS_PLUGIN}") from None
        raise Unreadable("not a picture", f"not a picture that Pillow knows; begins with {data[:8]!r}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unreadable("too large", _too_large("its header")) from None
    except (
        Exception
    ) as error:  # broken files make Pillow raise OSError, SyntaxError, ValueError, struct.error, IndexError, ...
        raise Unreadable("truncated", f"truncated or broken: {error}") from None


def _too_large(what: str) -> str:
    return f"{what} claims more than {Image.MAX_IMAGE_PIXELS:,} pixels, which Pillow takes for a decompression bomb"


def _check_header(file: ImageFile.ImageFile, max_pixels: int | None) -> None:
    """Unreadable for what must not be decoded: pictures that are too large, and PostScript, which Pillow gives to Ghostscript."""
    if file.format == "EPS":
        raise Unreadable("not a picture", "PostScript, which is a program and is not run")
    pixels = file.width * file.height
    if Image.MAX_IMAGE_PIXELS and pixels > Image.MAX_IMAGE_PIXELS:
        raise Unreadable("too large", _too_large(f"{file.width} x {file.height}"))
    if max_pixels is not None and pixels > max_pixels:
        raise Unreadable(
            "too large", f"{file.width} x {file.height} pixels, which is more than the {max_pixels:,} allowed"
        )


def _pixels(file: ImageFile.ImageFile) -> Decoded:
    done = []
    if getattr(file, "is_animated", False):
        which = "primary" if file.format == "HEIF" else "first"
        done.append(("animated", f"the {which} of {getattr(file, 'n_frames', 'many')} frames is taken"))
    deep = any(";16" in str(tile.args) for tile in file.tile)  # 16 bits a channel, of which Pillow may read 8
    image: Image.Image = file
    if file.getexif().get(_ORIENTATION, 1) in range(2, 9):
        done.append(("exif", "turned upright, as its EXIF orientation says"))
        image = ImageOps.exif_transpose(file)
    elif file.info.get("original_orientation", 1) in range(2, 9):  # of HEIF, which pillow-heif turns itself
        done.append(("exif", "turned upright, as the file says"))
    image.load()
    if image.mode == "RGB" and not image.has_transparency_data:
        if deep:
            done.append(("16-bit", "the upper 8 of the 16 bits of each channel are kept"))
        return Decoded(np.asarray(image), tuple(done))
    image, rules = _to_rgb(image)
    return Decoded(np.asarray(image), (*done, *rules))


def to_rgb(image: Image.Image) -> np.ndarray:
    """uint8 (h, w, 3) of a loaded picture of any mode, by the same rules, not turned. DataError for values of no colour."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return np.asarray(image)
    try:
        return np.asarray(_to_rgb(image)[0])
    except Unreadable as error:
        raise DataError(f"a picture of mode {image.mode}: {error}") from None


def _to_rgb(image: Image.Image) -> tuple[Image.Image, list[tuple[str, str]]]:
    """A loaded picture of any mode but plain RGB, as RGB, and the rules used on the way."""
    mode, rules = image.mode, []
    if mode in ("I", "I;16", "I;16B", "I;16L", "I;16N"):
        return _from_sixteen_bits(image), [("16-bit", "16-bit grey is divided by 257, then repeated as RGB")]
    if mode == "F":
        raise Unreadable("not a picture", "floating-point pixels, whose black and white are not stated")
    if mode in ("P", "PA"):
        rules.append(("palette", "palette colours become RGB"))
    elif mode in _NAMED:
        rules.append(_NAMED[mode])
    if image.has_transparency_data:
        rules.append(("alpha", "transparency is laid on white"))
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    elif mode not in ("L", "1", "P", "PA") and mode not in _NAMED:
        rules.append(("colours", f"{mode} becomes RGB"))
    return image.convert("RGB"), rules


_NAMED = {
    "L": ("grey", "grey is repeated as RGB"),
    "LA": ("grey", "grey is repeated as RGB"),
    "1": ("grey", "black and white is repeated as RGB"),
    "CMYK": ("cmyk", "CMYK becomes RGB, without a colour profile"),
}


def _from_sixteen_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise Unreadable("not a picture", f"integers from {values.min()} to {values.max()}, which 16 bits do not hold")
    rounded = values.astype(np.uint32)  # in place from here on: a picture may have 89 million pixels
    rounded += _SIXTEEN_BIT // 2
    rounded //= _SIXTEEN_BIT
    return Image.fromarray(rounded.astype(np.uint8)).convert("RGB")


def thumbnail(pixels: np.ndarray, side: int) -> np.ndarray:
    """Grey uint8 (side, side) of a picture (h, w, 3), each cell the mean of what it covers; the aspect is not kept."""
    return np.asarray(Image.fromarray(pixels).convert("L").resize((side, side), Image.Resampling.BOX))
