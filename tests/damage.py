"""Random damage to files and plain data, the same on every run: what the readers of files are tested on."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

STRANGE = (
    None, True, -1, 0, 1, 2**31, 10**30, 1.5, -0.0, float("nan"), float("inf"), 1e308, "", " ", "same", "OneOf", "Grid",
    "Conv", "architecture", "²", "12 x", "\u0000", "ünï 🐟", b"\xff\xfe", (), [], {}, [[]], {"3 x": 1}, {"999999 x": "Mean"},
    {"Vary": {"Conv": {"width": [1, 2]}}}, {"OneOf": []}, {"OneOf": [1]}, {1: 2}, {None: None},
    "2001-99-99", "0x", "1e5", "!!int",
)  # fmt: skip
BYTES = (
    b"\xff\xfe",
    b"\x00",
    b"[" * 400,
    b"{" * 400,
    b"- " * 400,
    b"&a [*a]",
    b"!!python/object:os.system {}",
    b"!!int ''",
)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """A file with one to four faults: bits turned, bytes changed, pieces lost, doubled, swapped or put in from elsewhere."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, n = rng.randrange(len(found) + 1), rng.choice((1, 1, 2, 8, 64, 512))
        piece = found[at : at + n]
        kind = rng.choice(("bit", "byte", "lose", "double", "end", "other", "text", "number"))
        if kind == "bit" and piece:
            found[at] ^= 1 << rng.randrange(8)
        elif kind == "byte" and piece:
            found[at] = rng.randrange(256)
        elif kind == "lose":
            del found[at : at + n]
        elif kind == "double":
            found[at:at] = piece * rng.choice((1, 2, 50))
        elif kind == "end":
            del found[at:]
        elif kind == "other":
            elsewhere = rng.randrange(len(found) + 1)
            found[at : at + n] = found[elsewhere : elsewhere + n]
        elif kind == "text":
            found[at:at] = rng.choice(BYTES)
        elif kind == "number":
            found[at : at + 4] = rng.choice(
                (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x00", b"9999", b"-1e9")
            )
    return bytes(found)


def damaged_files(path: Path, *, n: int, seed: int) -> Iterator[bytes]:
    """What a file is overwritten with: its bytes damaged or, half the time where it is YAML or JSON, its values disturbed."""
    whole, rng = path.read_bytes(), random.Random(f"{path.name} {seed}")
    read = {".yaml": yaml.safe_load, ".json": json.loads}.get(path.suffix)
    plain = read(whole) if read else None
    for _ in range(n):
        if read is None or rng.random() < 0.5:
            yield damaged(whole, rng)
        else:
            values = disturbed(plain, rng)
            text = yaml.safe_dump(values) if path.suffix == ".yaml" else json.dumps(values, default=repr, skipkeys=True)
            yield text.encode(errors="replace")


def disturbed(x: Any, rng: random.Random) -> Any:
    """Plain data in which one to three values are others, keys are renamed or lost, or lists are longer or shorter."""
    for _ in range(rng.randint(1, 3)):
        x = _disturbed_once(x, rng)
    return x


def _disturbed_once(x: Any, rng: random.Random) -> Any:
    if not isinstance(x, list | dict) or not x or rng.random() < 0.15:
        return rng.choice(STRANGE)
    if isinstance(x, list):
        i = rng.randrange(len(x))
        kind = rng.choice(("in", "in", "in", "lose", "double", "put"))
        changed = (
            [_disturbed_once(x[i], rng)]
            if kind == "in"
            else {"lose": [], "double": [x[i]] * 2}.get(kind, [rng.choice(STRANGE)])
        )
        return [*x[:i], *changed, *x[i + 1 :]]
    key = rng.choice(list(x))
    kind = rng.choice(("in", "in", "in", "in", "lose", "rename", "more"))
    if kind == "in":
        return {**x, key: _disturbed_once(x[key], rng)}
    rest = {k: v for k, v in x.items() if k != key}
    other = rng.choice(("width", "Conv", "OneOf", "50 x", "", "stages", "Mean"))
    return rest if kind == "lose" else {**(x if kind == "more" else rest), other: x[key]}
