"""Hostile and huge inputs are read or refused by name, in bounded time and memory; nothing runs or is written outside."""

import io
import json
import os
import socket
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from campaigns.conftest import SETTINGS
from campaigns.forks import Ended, Forks

LONGEST_S, MOST_BYTES = 60.0, 2 * 2**30
TRAPS = ("trap", "../trap", "../../trap", "../../../trap")


def bounded(forks: Forks, *words: object, seconds: float = LONGEST_S) -> Ended:
    """A command that ends in time, in memory, and well or by name."""
    end = forks.start(*words, stuck_s=seconds - 5).lives_for(seconds)
    assert end is not None, "it does not end"
    assert end.code in (0, 1, 2, 3), end.text
    assert "Traceback" not in end.text, end.text
    assert end.most_bytes < MOST_BYTES, f"{end.most_bytes:,} bytes"
    return end


def png(size: tuple[int, int] = (16, 16), seed: int = 0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, with its size and time of change."""
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")}


# -------------------------------------------------------------------------------------------------------------- bombs


def zipped(name: str, size: int) -> bytes:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(name, "w", force_zip64=True) as part,
    ):
        for _ in range(size >> 20):
            part.write(bytes(1 << 20))
    return file.getvalue()


def gzipped(size: int) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()


def png_bomb(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(50_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def laughs(first: str) -> bytes:
    """YAML of a few hundred bytes whose values would be 10^9 if they were copied."""
    lines = [f"{first}: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"b{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    return "\n".join(lines).encode()


def pretended(data: bytes) -> bytes:
    """Safetensors whose header says that a tensor is longer than the file."""
    header = json.dumps({"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


GIB = 2**30
BOMBS: dict[str, tuple[str, Callable[[], bytes], tuple[str, ...]]] = {
    "zip as weights": ("a.pth", lambda: zipped("archive/data.pkl", 3 * GIB), ("val", "FILE", "PIXELS")),
    "gzip as weights": ("a.pth", lambda: gzipped(3 * GIB), ("predict", "FILE", "PIXELS")),
    "safetensors of 2^40": ("a.safetensors", lambda: pretended(bytes(100)), ("val", "FILE", "PIXELS")),
    "header of 2^60": ("a.safetensors", lambda: struct.pack("<Q", 2**60) + b"{}", ("predict", "FILE", "PIXELS")),
    "gzip as shard": ("a.tar", lambda: gzipped(3 * GIB), ("check", "FILE")),
    "gzip as packed shard": ("a.tar.gz", lambda: gzipped(3 * GIB), ("check", "FILE")),
    "zip as data": ("a.zip", lambda: zipped("a/0.png", 3 * GIB), ("check", "FILE")),
    "gzip as table": ("a.csv", lambda: gzipped(GIB), ("check", "FILE")),
    "picture": ("a.png", lambda: png_bomb(60_000, 60_000), ("predict", "RUN", "FILE")),
    "laughs as config": ("a.yaml", lambda: laughs("recipe"), ("train", "PIXELS", "--config", "FILE")),
    "laughs as study": ("a.yaml", lambda: laughs("question"), ("study", "FILE", "PIXELS", "--scale", "tiny")),
    "laughs as space": ("a.yaml", lambda: laughs("stem"), ("search", "PIXELS", "--space", "FILE")),
    "laughs as network": ("a.yaml", lambda: laughs("name"), ("show", "FILE")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_little_time_and_memory(forks, pixels, run, tmp_path, name):
    file, make, words = BOMBS[name]
    path = tmp_path / file
    path.write_bytes(make())
    known = {"FILE": path, "PIXELS": pixels, "RUN": run}
    end = bounded(forks, *(known.get(word, word) for word in words))
    assert end.code, end.text
    assert file in end.text


# -------------------------------------------------------------------------------------------------------- special files

READERS = {
    "check": ("check", "FILE"),
    "table": ("train", "FILE.csv"),
    "shard": ("check", "FILE.tar"),
    "config": ("train", "PIXELS", "--config", "FILE"),
    "study": ("study", "FILE.yaml", "PIXELS"),
    "space": ("search", "PIXELS", "--space", "FILE.yaml"),
    "weights": ("predict", "FILE.safetensors", "PIXELS"),
    "torch": ("val", "FILE.pth", "PIXELS"),
    "picture": ("predict", "RUN", "FILE.png"),
    "show": ("show", "FILE.yaml"),
}


def special(kind: str, path: Path) -> socket.socket | None:
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        listener = socket.socket(socket.AF_UNIX)
        os.chdir(path.parent)  # the address of a socket is short
        listener.bind(path.name)
        return listener
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"zero": "/dev/zero", "itself": path.name, "memory": "/proc/self/mem", "none": "nowhere"}[kind])
    return None


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fifo", "socket", "zero", "itself", "memory", "none", "folder"])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused_at_once(forks, pixels, run, tmp_path, monkeypatch, reader, kind):
    monkeypatch.chdir(tmp_path)
    words = READERS[reader]
    suffix = next((word.removeprefix("FILE") for word in words if word.startswith("FILE")), "")
    path = tmp_path / f"odd{suffix}"
    held = special(kind, path)
    known = {f"FILE{suffix}": path, "PIXELS": pixels, "RUN": run}
    end = bounded(forks, *(known.get(word, word) for word in words), seconds=30)
    assert end.code, end.text
    assert path.name in end.text
    if held:
        held.close()


# ------------------------------------------------------------------------------------------------- out of the tree


def tar_of(members: list[tuple[str, bytes | str]], path: Path) -> None:
    """A tar of files, and of links where a text says to what."""
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            about = tarfile.TarInfo(name)
            if isinstance(data, str):
                about.type, about.linkname = (tarfile.SYMTYPE if data.startswith("s") else tarfile.LNKTYPE), data[1:]
                tar.addfile(about)
            else:
                about.size = len(data)
                tar.addfile(about, io.BytesIO(data))


@pytest.mark.slow
@pytest.mark.parametrize("up", ["../../trap", "/tmp/glocal-trap", "a/../../../trap"])
def test_names_in_shards_and_tables_lead_nowhere(forks, tmp_path, up):
    home = tmp_path / "a" / "b" / "c"
    home.mkdir(parents=True)
    good = [(f"{i}.{kind}", data) for i in range(8) for kind, data in (("png", png(seed=i)), ("cls", b"%d" % (i % 2)))]
    tar_of([*good, (f"{up}.png", png(seed=9)), (f"{up}.cls", b"1")], home / "up.tar")
    tar_of([*good, ("link.png", f"s{up}"), ("link.cls", b"1"), ("hard.png", f"h{up}")], home / "links.tar")
    for i in range(8):
        (home / f"{i}.png").write_bytes(png(seed=i))
    rows = [f"{i}.png,{'ab'[i % 2]}" for i in range(8)]
    (home / "up.csv").write_text("\n".join(["path,label", *rows, f"{up}.png,a"]))
    (home / "names.csv").write_text("\n".join(["path,label", *rows[:4], *(f"{i}.png,{up}" for i in (4, 5, 6, 7))]))
    before = contents(tmp_path)
    for name in ("up.tar", "links.tar", "up.csv", "names.csv"):
        bounded(forks, "check", home / name)
        bounded(forks, "train", home / name, *SETTINGS, "--epochs", 1, "--output", home / "out", "--name", name)
    new = {path for path in contents(tmp_path) if path not in before}
    assert {Path(path).relative_to(home).parts[0] for path in new} <= {"out"}
    assert not Path("/tmp/glocal-trap").exists()


# ------------------------------------------------------------------------------------------------------- names, sizes


def every_byte(root: Path) -> int:
    """Pictures and classes with every byte that a name can hold."""
    number = 0
    for byte in (byte for byte in range(1, 256) if byte != ord("/")):
        for name in (b"class-%d" % (byte % 2) + b"/x" + bytes([byte]) + b".png",):
            path = os.path.join(os.fsencode(root), name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(png(seed=number))
            number += 1
    return number


def test_names_of_every_byte_are_read_or_refused_by_name(forks, run, tmp_path):
    n = every_byte(tmp_path / "bytes")
    end = bounded(forks, "check", tmp_path / "bytes")
    assert end.code == 3
    assert "UTF-8" in end.text
    for path in [path for path in (tmp_path / "bytes").rglob("*.png") if not os.fsencode(path).isascii()]:
        path.unlink()
    kept = len([*(tmp_path / "bytes").rglob("*.png")])
    assert kept == 126 < n
    end = bounded(forks, "check", tmp_path / "bytes")
    assert end.code == 0, end.text
    end = bounded(forks, "predict", run, tmp_path / "bytes", "--json")
    assert end.code == 0, end.text
    assert len(json.loads(end.text[end.text.index("{") : end.text.rindex("}") + 1])["predictions"]) == kept


def test_a_picture_of_144_million_pixels_is_answered_or_refused(forks, run, tmp_path):
    path = tmp_path / "large.png"
    Image.new("RGB", (12_000, 12_000), (90, 120, 200)).save(path, compress_level=1)
    bounded(forks, "predict", run, path)
    (tmp_path / "two" / "a").mkdir(parents=True)
    (tmp_path / "two" / "b").mkdir()
    for i in range(4):
        (tmp_path / "two" / "ab"[i % 2] / f"{i}.png").write_bytes(png(seed=i))
    path.rename(tmp_path / "two" / "a" / "large.png")
    bounded(forks, "check", tmp_path / "two")


@pytest.mark.slow
@pytest.mark.campaign
def test_a_folder_of_100000_pictures_and_10000_classes(forks, tmp_path):
    root, data = tmp_path / "many", [png((8, 8), seed=i) for i in range(100)]
    for i in range(10_000):
        folder = root / f"class-{i:05}"
        folder.mkdir(parents=True)
        for j in range(10):
            (folder / f"{j}.png").write_bytes(data[(i + j) % 100] + b"%d-%d" % (i, j))
    end = bounded(forks, "check", root, seconds=590)
    print(f"check of 100,000 files in 10,000 classes: exit {end.code}, {end.most_bytes / 2**30:.2f} GiB")
