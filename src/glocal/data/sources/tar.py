"""What lies where in a tar file, read from its headers alone. Knows no samples and no pictures.

Python's tarfile takes 80 us a member and ends without a word at a broken header in the middle; this reads the same members
(tests/data/sources/test_shards.py) in a tenth of the time, and says where and why it had to stop.
"""

import os
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from glocal.data.pictures import Unreadable

_BLOCK = 512
_FILES, _LINKS, _LONG_NAME, _PAX = b"0\0007", b"12", b"L", b"xX"
_ASIDE = b"Kg"  # a long name of a link's target, and what holds for all members: neither is about a name or a size
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstandard", b"PK": "zip"}


class Member(NamedTuple):
    """A file in a tar; a link has no bytes of its own."""

    name: str
    offset: int  # of its first byte
    size: int
    link: bool = False


def members(file: BinaryIO) -> Iterator[Member]:
    """The files and links of an open tar, in order; folders and devices are passed over.

    After the last whole one, Unreadable says what is wrong: "not a shard" where there is no tar at all, "cut short" where it ends
    before its end mark or a header is broken.
    """
    end = os.fstat(file.fileno()).st_size
    at, name, size = 0, None, None
    while True:
        header = _read(file, at, _BLOCK)
        if at and header == bytes(_BLOCK):
            return
        if not _sound(header):
            raise _verdict(file, at, header, end=end)
        try:
            kind, length = header[156:157], size if size is not None else _number(header[124:136])
        except ValueError:
            raise Unreadable("cut short", f"the header at byte {at:,} has no size, so what follows is lost") from None
        start, at = at + _BLOCK, at + _BLOCK + -(-length // _BLOCK) * _BLOCK
        if start + length > end:
            raise Unreadable("cut short", f"ends at byte {end:,} in the middle of {name or _name(header)}")
        if kind == _LONG_NAME:
            name = _text(_read(file, start, length))
        elif kind in _PAX:
            try:
                pax = _pax(_read(file, start, length))
                name, size = pax.get("path", name), _digits(pax["size"].encode()) if "size" in pax else size
            except ValueError:
                where = f"the extended header at byte {start:,} is broken"
                raise Unreadable("cut short", f"{where}, so what follows is lost") from None
        elif kind not in _ASIDE:
            name = name or _name(header)
            if kind in _LINKS or (kind in _FILES and not name.endswith("/")):
                yield Member(name, start, length, kind in _LINKS)
            name, size = None, None


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)


def _sound(header: bytes) -> bool:
    """Whether a block is a header by its own checksum, which counts itself as blanks."""
    try:
        return len(header) == _BLOCK and _number(header[148:156]) == sum(header) - sum(header[148:156]) + 8 * 32
    except ValueError:
        return False


def _verdict(file: BinaryIO, at: int, header: bytes, *, end: int) -> Unreadable:
    if not at:
        if not end:
            return Unreadable("not a shard", "zero bytes")
        packed = next((how for magic, how in _PACKED.items() if header.startswith(magic)), None)
        if packed:
            return Unreadable(
                "not a shard", f"packed with {packed}, so that no member can be read by itself; unpack it first"
            )
        if header == bytes(_BLOCK):
            return Unreadable("not a shard", "a tar without members")
        return Unreadable("not a shard", f"no tar: begins with {header[:8]!r}")
    if len(header) < _BLOCK:
        return Unreadable("cut short", f"ends at byte {end:,} without the mark of its end")
    return Unreadable("cut short", f"no header at byte {at:,}, so what follows is lost")


def _number(field: bytes) -> int:
    """A number of a header: octal digits, or, from 8 GiB on, bytes with the highest bit set. ValueError for neither."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    return _digits(field.split(b"\0", 1)[0].strip() or b"0", 8)


def _digits(text: bytes, base: int = 10) -> int:
    """A number of digits alone: no sign and no underscore, which `int` reads too. ValueError for anything else."""
    if not text.isdigit():
        raise ValueError(f"{text!r} is no number")
    return int(text, base)


def _name(header: bytes) -> str:
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{_text(header[:100])}" if prefix else _text(header[:100])


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _pax(data: bytes) -> dict[str, str]:
    """The records `LENGTH KEY=VALUE\\n` of an extended header. ValueError where a record is none."""
    header = {}
    while data[:1].isdigit():
        digits, _, _ = data.partition(b" ")
        length = _digits(digits)
        record, data = data[:length], data[length:]
        if not len(digits) < length == len(record) or not record.endswith(b"\n"):
            raise ValueError(f"no record of {length} bytes")
        key, _, value = record[len(digits) + 1 : -1].partition(b"=")
        header[key.decode()] = value.decode("utf-8", "surrogateescape")
    return header
