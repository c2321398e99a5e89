"""Random damage to bytes, from a seed: what disks, networks, editors and attackers make of a file."""

import random
from collections.abc import Sequence

NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
TOKENS = (
    b"[", b"{", b'"', b"'", b",", b";", b"\t", b"\n", b"\r\n", b"|", b":", b"\\", b"/", b"../",
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf",
    b"null", b"NaN", b"1e999", b"-1", b"99999999999999999999999", b"true", b"{}", b"[]", b"\\ud800", b"\xed\xa0\x80", b"%s%n",
    b"path", b"label", b"split", b"train", b"val", b"file:///etc/passwd", b"__import__('os')", b"!!python/object:os.system",
    "\u202e".encode(), "\u200b".encode(), "é".encode(), "e\u0301".encode(),
)  # fmt: skip
DEEP = (b"[", b'{"a":', b'"', b"(", b"\n", b",", b"1")


def damaged(seeds: Sequence[bytes], number: int) -> bytes:
    """The file of a number: one of the seeds with a few accidents."""
    rng = random.Random(number)
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        data = rng.choice(ACCIDENTS)(data, rng, seeds)
    return bytes(data)


def _flip(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    for _ in range(rng.choice((1, 1, 4, 32))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _set(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    for _ in range(rng.choice((1, 1, 4, 32))):
        if data:
            data[rng.randrange(len(data))] = rng.choice((0, 0xFF, 0x20, 0x7F, rng.randrange(256)))
    return data


def _cut(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    return data[: rng.randrange(len(data) + 1)]


def _lose(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.choice((1, 2, 4, 16, 512))]
    return data


def _repeat(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    at = rng.randrange(len(data) + 1)
    part = data[at : at + rng.choice((1, 4, 64, 512))]
    return data[:at] + part * rng.choice((1, 2, 50)) + data[at:]


def _number(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    size = rng.choice((1, 2, 4, 8))
    at = rng.randrange(len(data) + 1)
    number = rng.choice(NUMBERS) & (256**size - 1)
    data[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))
    return data


def _token(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    at = rng.randrange(len(data) + 1)
    data[at : at + rng.choice((0, 0, 1, 4))] = rng.choice(TOKENS)
    return data


def _deep(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(DEEP) * rng.choice((10, 1000, 5000, 100_000)) + data[at:]


def _splice(data: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> bytearray:
    other = rng.choice(seeds)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _zeros(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> bytearray:
    at = rng.randrange(len(data) + 1)
    size = rng.choice((1, 16, 512, 4096))
    data[at : at + size] = bytes(min(size, len(data) - at))
    return data


def _noise(_: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> bytearray:
    return bytearray(rng.choice(seeds)[:8] + rng.randbytes(rng.choice((0, 1, 100, 3000))))


ACCIDENTS = (_flip, _flip, _set, _cut, _lose, _repeat, _number, _number, _token, _token, _deep, _splice, _zeros, _noise)
