"""Faults of single files: what gives no picture, and what gives another one than it seems to."""

import io
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from torture.planting import Fault, but, handled, named, picture, save, sow, stopped

MORE = but(train={"cat": 9})  # with one picture more
HTML = b"<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>no such picture</body></html>\n"
Put = Callable[[Path], np.ndarray | None]


def _odd(path: str, put: Put) -> Put:
    """A sound folder with one odd file, which `put` writes."""

    def plant(root: Path) -> np.ndarray | None:
        return put(sow(root) / "train/cat" / path)

    return plant


def _bytes(data: bytes) -> Put:
    def put(file: Path) -> None:
        file.write_bytes(data)

    return put


def _cut(kind: str, share: float) -> Put:
    def put(file: Path) -> None:
        if kind == "HEIF":
            import pillow_heif

            pillow_heif.register_heif_opener()
        whole = encoded(picture("cat/cut", (96, 128)), kind)
        file.write_bytes(whole[: int(len(whole) * share)])

    return put


def encoded(pixels: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of a file."""
    out = io.BytesIO()
    (Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels).save(out, kind, **options)
    return out.getvalue()


def _shown(put: Callable[[Path, np.ndarray], np.ndarray | None], size: tuple[int, int] = (24, 32)) -> Put:
    """Writes a picture by `put`; returns what it shows: what `put` returns, or the picture itself."""

    def write(file: Path) -> np.ndarray:
        pixels = picture("cat/odd", size)
        shown = put(file, pixels)
        return pixels if shown is None else shown

    return write


def _exif(file: Path, pixels: np.ndarray) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    Image.fromarray(np.rot90(pixels).copy()).save(file, exif=tags, quality=95)


def _sixteen(file: Path, pixels: np.ndarray) -> np.ndarray:
    grey = pixels.mean(2)
    Image.fromarray((grey * 257).astype(np.uint16)).save(file)
    return np.repeat(grey[:, :, None], 3, 2).round().astype(np.uint8)


def _sixteen_colours(file: Path, pixels: np.ndarray) -> None:
    """PNG with 16 bits a channel, which Pillow reads and does not write."""
    from zlib import compress, crc32

    h, w, _ = pixels.shape
    rows = b"".join(b"\0" + (pixels[y].astype(">u2") * 257).astype(">u2").tobytes() for y in range(h))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))

    head = struct.pack(">IIBBBBB", w, h, 16, 2, 0, 0, 0)
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", compress(rows)) + chunk(b"IEND", b""))


def _cmyk(file: Path, pixels: np.ndarray) -> np.ndarray:
    Image.fromarray(pixels).convert("CMYK").save(file, quality=95)
    return pixels


def _palette(file: Path, pixels: np.ndarray) -> np.ndarray:
    image = Image.fromarray(pixels).quantize(64)
    image.save(file)
    return np.asarray(image.convert("RGB"))


def _alpha(mode: str) -> Callable[[Path, np.ndarray], np.ndarray]:
    def write(file: Path, pixels: np.ndarray) -> np.ndarray:
        visible = np.zeros(pixels.shape[:2], np.uint8)
        visible[6:18, 8:24] = 255
        image = Image.fromarray(pixels).convert(mode)
        image.putalpha(Image.fromarray(visible))
        image.save(file)
        shown = np.asarray(Image.fromarray(pixels).convert(mode[:-1]).convert("RGB")).copy()
        shown[visible == 0] = 255
        return shown

    return write


def _animated(file: Path, pixels: np.ndarray) -> np.ndarray:
    first, *rest = [Image.fromarray(np.roll(pixels, 5 * i, 1)) for i in range(3)]
    options = {"lossless": True} if file.suffix == ".webp" else {}
    first.save(file, save_all=True, append_images=rest, **options)
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def _broken_exif(file: Path, pixels: np.ndarray) -> None:
    data = encoded(pixels, "JPEG", quality=95)
    block = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12\0\x03"  # 65,535 entries are announced, and the block ends
    file.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:])


def _heic(file: Path, pixels: np.ndarray) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    Image.fromarray(pixels).save(file, "HEIF", quality=95, chroma=444)


def _heic_turned(file: Path, pixels: np.ndarray) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(np.rot90(pixels).copy()).save(file, "HEIF", quality=95, chroma=444, exif=tags.tobytes())


def _float_tiff(file: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels.mean(2).astype(np.float32) / 255).save(file)


def _bomb(file: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(file)


def _fifo(file: Path) -> None:
    os.mkfifo(file)


def _socket(file: Path) -> None:
    here = os.getcwd()
    os.chdir(file.parent)  # a socket's path has at most 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(file.name)
    finally:
        os.chdir(here)


def _endless(file: Path) -> None:
    file.symlink_to("/dev/zero")


def _dangling(file: Path) -> None:
    file.symlink_to("nowhere.png")


def _unreadable(file: Path) -> None:
    save(file.parent, file.name)
    file.chmod(0)


def _no_picture(name: str, path: str, put: Put, reason: str, **more: bool) -> Fault:
    return Fault(name, _odd(path, put), stopped, rf"train/cat/{path}: {reason}", **more)


def _read(
    name: str, path: str, put: Callable[[Path, np.ndarray], np.ndarray | None], says: str, **more: object
) -> Fault:
    size = more.pop("size", (24, 32))
    verdict = named if says else handled
    told = rf"train/cat/{path}: {says}" if says else r"height x width: \d"
    probe = f"train/cat/{path}"
    return Fault(name, _odd(path, _shown(put, size)), verdict, told, counts=MORE, benign=True, probe=probe, **more)  # type: ignore[arg-type]


NO_PICTURE = (
    _no_picture("a file of zero bytes", "odd.jpg", _bytes(b""), "zero bytes"),
    _no_picture("a PNG cut in half", "odd.png", _cut("PNG", 0.5), "truncated"),
    _no_picture("a JPEG cut in half", "odd.jpg", _cut("JPEG", 0.5), "truncated"),
    _no_picture("a JPEG cut at 99 %", "odd.jpg", _cut("JPEG", 0.99), "truncated"),
    _no_picture("a WebP cut in half", "odd.webp", _cut("WEBP", 0.5), "(truncated|not a picture)"),
    _no_picture("a text called .jpg", "odd.jpg", _bytes(b"boxes: 3\n"), "not a picture"),
    _no_picture("an HTML error page called .jpg", "odd.jpg", _bytes(HTML), "not a picture.*DOCT"),
    _no_picture("a decompression bomb", "odd.png", _bomb, ".*decompression bomb"),
    _no_picture("a TIFF of floating-point pixels", "odd.tif", _shown(_float_tiff), "floating-point"),
    _no_picture("a named pipe called .jpg", "odd.jpg", _fifo, "a named pipe"),
    _no_picture("a socket called .jpg", "odd.jpg", _socket, "a socket"),
    _no_picture("a link to an endless device", "odd.jpg", _endless, "a device"),
    _no_picture("a dangling link", "odd.jpg", _dangling, "there is no such file"),
    _no_picture("a HEIC photograph cut in half", "odd.heic", _cut("HEIF", 0.5), "(truncated|not a picture)"),
    _no_picture("a file without the right to read it", "odd.png", _unreadable, ".*Permission denied", powerless=True),
)

LEFT_OUT = tuple(
    Fault(
        f"a {kind} file in a class folder",
        _odd(f"odd.{suffix}", _bytes(data)),
        named,
        rf"train/cat/odd\.{suffix}: .*left out",
        counts=but(),
    )
    for kind, suffix, data in (
        ("JPEG XL", "jxl", b"\xff\x0a"),
        ("SVG", "svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
        ("PDF", "pdf", b"%PDF-1.4\n"),
        ("ZIP", "zip", b"PK\x05\x06" + bytes(18)),
    )
)

READ = (
    _read("a photo turned by its EXIF tag", "odd.jpg", _exif, "turned upright"),
    _read("16-bit grey", "odd.png", _sixteen, "16-bit grey"),
    _read("16 bits a channel in colour", "odd.png", _sixteen_colours, "the upper 8"),
    _read("a CMYK JPEG", "odd.jpg", _cmyk, "CMYK"),
    _read("a palette", "odd.png", _palette, "palette"),
    _read("transparency", "odd.png", _alpha("RGBA"), "transparency is laid on white"),
    _read("grey with transparency", "odd.png", _alpha("LA"), "transparency is laid on white"),
    _read("an animated GIF", "odd.gif", _animated, "the first of 3 frames"),
    _read("an animated WebP", "odd.webp", _animated, "the first of 3 frames"),
    _read("a progressive JPEG", "odd.jpg", lambda f, p: save(f.parent, f.name, p, progressive=True, quality=95) and None, ""),
    _read("a JPEG with broken EXIF", "odd.jpg", _broken_exif, ""),
    _read("a JPEG with bytes after its end", "odd.jpg", lambda f, p: f.write_bytes(encoded(p, "JPEG", quality=95) + HTML) and None, ""),
    _read("a PNG called .jpeg", "odd.jpeg", lambda f, p: f.write_bytes(encoded(p, "PNG")) and None, ""),
    _read("a suffix in capitals", "ODD.PNG", lambda f, p: f.write_bytes(encoded(p, "PNG")) and None, ""),
    _read("a suffix that few know", "odd.tga", lambda f, p: save(f.parent, f.name, p) and None, ""),
    _read("a HEIC photograph", "odd.heic", _heic, ""),
    _read("a HEIC photograph turned by the phone", "odd.heic", _heic_turned, "turned upright"),
    _read("a picture of one pixel", "odd.png", lambda f, p: save(f.parent, f.name, p) and None, "1 x 1 pixels.*too small to show", size=(1, 1)),
    _read("a picture of 1 x 5,000 pixels", "odd.png", lambda f, p: save(f.parent, f.name, p) and None, "1 x 5000 pixels.*too small to show", size=(1, 5000)),
    _read("a picture of 8 x 900 pixels", "odd.png", lambda f, p: save(f.parent, f.name, p) and None, "8 x 900 pixels.*too narrow to show", size=(8, 900)),
)  # fmt: skip

FAULTS = (*NO_PICTURE, *LEFT_OUT, *READ)
