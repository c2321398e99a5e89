"""Requests that a server must refuse, each with a status below 500 and a reason."""

import base64
import io
import json
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from serving.client import form_request, picture_request, request

INFER = "/v2/models/NAME/infer"


class Bad(NamedTuple):
    """A request: its bytes, how many of them are sent before the sender falls silent, and the statuses that fit."""

    kind: str
    data: bytes
    statuses: tuple[int, ...]
    stop_after: int | None = None


def encoded(rng: random.Random, kind: str, side: int = 32) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(rng.randrange(2**32)).integers(0, 255, (side, side, 3), np.uint8)
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A whole PNG of a few bytes, whose header claims so many pixels: a decompression bomb."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def tensor(**changes: object) -> dict:
    return {"name": "image", "shape": [1, 2, 2, 3], "datatype": "UINT8", "data": [0] * 12} | changes


def infer(body: object, model: str) -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request("POST", INFER.replace("NAME", model), text, Content_Type="application/json")


def not_pictures(rng: random.Random) -> Iterator[Bad]:
    png, jpeg = encoded(rng, "PNG"), encoded(rng, "JPEG")
    cut = rng.randrange(len(jpeg) // 3, len(jpeg) * 2 // 3)
    yield Bad("empty body", picture_request(b""), (400,))
    yield Bad("random bytes", picture_request(rng.randbytes(rng.randrange(1, 5000))), (415, 422))
    yield Bad("text", picture_request(b"<html>" + b"hello " * rng.randrange(1, 500)), (415,))
    yield Bad("truncated JPEG", picture_request(jpeg[:cut]), (422,))
    yield Bad("truncated PNG", picture_request(png[: len(png) // 2]), (422,))
    yield Bad("signature alone", picture_request(png[: rng.randrange(8, 20)]), (415, 422))
    yield Bad("damaged PNG", picture_request(png[:60] + rng.randbytes(200) + png[260:]), (422,))
    yield Bad("bomb", picture_request(png_claiming(rng.randrange(20_000, 60_000), 60_000)), (413,))
    yield Bad("huge dimensions", picture_request(png_claiming(2**31 - 1, 2**31 - 1)), (413, 422))
    yield Bad("line of pixels", picture_request(png_claiming(2**31 - 1, 1)), (413, 422))
    yield Bad(
        "PostScript",
        picture_request(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"),
        (415,),
    )
    yield Bad("SVG", picture_request(b'<svg xmlns="http://www.w3.org/2000/svg"/>', kind="image/svg+xml"), (415,))


def wrong_forms(rng: random.Random) -> Iterator[Bad]:
    png = encoded(rng, "PNG")
    kind = "multipart/form-data; boundary=x"
    yield Bad("form without end", form_request("/predict", [("a.png", png)], closed=False), (400,))
    yield Bad("form without boundary", request("POST", "/predict", png, Content_Type="multipart/form-data"), (400,))
    yield Bad("form of another boundary", request("POST", "/predict", png, Content_Type=kind), (400,))
    yield Bad("form without parts", form_request("/predict", []), (400,))
    yield Bad("many parts", form_request("/predict", [("a.png", b"x")] * rng.randrange(65, 3000)), (413,))
    yield Bad("path-like name", form_request("/predict", [("../../../etc/passwd", b"root")]), (415,))
    yield Bad("absolute name", form_request("/predict", [("/etc/passwd", b"")]), (400,))
    yield Bad("name in Unicode", form_request("/predict", [("写真\u202e🖼.png", b"no picture")]), (415,))
    field = b'--x\r\nContent-Disposition: form-data; name="url"\r\n\r\nfile:///etc/passwd\r\n--x--\r\n'
    yield Bad("field that is no file", request("POST", "/predict", field, Content_Type=kind), (422,))
    many = b"--x\r\n" + b"A: b\r\n" * 5000 + b"\r\nx\r\n--x--\r\n"
    yield Bad("many headers of a part", request("POST", "/predict", many, Content_Type=kind), (400,))
    long = b"--x\r\nContent-Disposition: " + b"a" * 100_000 + b"\r\n\r\nx\r\n--x--\r\n"
    yield Bad("long header of a part", request("POST", "/predict", long, Content_Type=kind), (400,))
    yield Bad("long boundary", request("POST", "/predict", png, Content_Type=kind + "y" * 3000), (400,))


def wrong_http(rng: random.Random, limit: int) -> Iterator[Bad]:
    png = encoded(rng, "PNG")
    for kind in ("text/html", "application/json", "application/x-www-form-urlencoded", "video/mp4", "ü/ü"):
        yield Bad("wrong type", picture_request(png, kind=kind), (415,))
    yield Bad("compressed body", request("POST", "/predict", zlib.compress(png), Content_Encoding="deflate"), (415,))
    yield Bad("too many bytes", picture_request(bytes(limit + rng.randrange(1, 1000))), (413,))
    lines = b"%x\r\n" % (limit + 1) + bytes(limit + 1) + b"\r\n0\r\n\r\n"
    yield Bad("too many bytes in chunks", request("POST", "/predict", lines, Transfer_Encoding="chunked"), (413,))
    yield Bad("wrong length", request("POST", "/predict", png, Content_Length="-5"), (400,))
    yield Bad("two lengths", request("POST", "/predict", b"", Content_Length="5, 6"), (400,))
    yield Bad("no HTTP", rng.randbytes(50).replace(b"\n", b"") + b"\r\n\r\n", (400,))
    yield Bad("other method", request("DELETE", "/predict"), (405,))
    yield Bad(
        "other path",
        request("GET", rng.choice(("/../../etc/passwd", "/%2e%2e/%00", "/predict/x", "/explain"))),
        (404, 405),
    )
    yield Bad("top of 0", picture_request(png, "/predict?top=0"), (422,))
    yield Bad("top that is no number", picture_request(png, "/predict?top=five%00"), (422,))
    yield Bad("header without a colon", b"GET / HTTP/1.1\r\nHost test\r\n\r\n", (400,))


def slow(rng: random.Random) -> Iterator[Bad]:
    whole = picture_request(encoded(rng, "PNG"))
    head = whole.index(b"\r\n\r\n") + 4
    yield Bad("slow body", whole, (408,), stop_after=rng.randrange(head, len(whole) - 1))
    yield Bad("slow headers", whole, (408,), stop_after=rng.randrange(1, head - 4))


def wrong_json(rng: random.Random, model: str) -> Iterator[Bad]:
    depth = rng.randrange(300, 200_000)
    for kind, body in (
        ("no JSON", b"{'inputs': 1}"),
        ("empty JSON", b""),
        ("half of JSON", json.dumps({"inputs": [tensor()]}).encode()[:30]),
        ("not UTF-8", b'{"inputs": "\xff\xfe"}'),
        ("deep JSON", b"[" * depth + b"]" * depth),
        (
            "deep data",
            b'{"inputs": [{"name": "image", "shape": [1], "datatype": "UINT8", "data": '
            + b"[" * depth
            + b"]" * depth
            + b"}]}",
        ),
        ("list for an object", []),
        ("no inputs", {}),
        ("inputs of no length", {"inputs": []}),
        ("two inputs", {"inputs": [tensor(), tensor()]}),
        ("other input", {"inputs": [tensor(name="../image")]}),
        ("no shape", {"inputs": [{"name": "image", "datatype": "UINT8", "data": []}]}),
        ("wrong shape", {"inputs": [tensor(shape=[1, 2, 2, 4])]}),
        ("shape of other data", {"inputs": [tensor(shape=[1, 3, 3, 3])]}),
        ("shape of zero", {"inputs": [tensor(shape=[0, 2, 2, 3], data=[])]}),
        ("negative shape", {"inputs": [tensor(shape=[-1, -2, 2, 3])]}),
        ("huge shape", {"inputs": [tensor(shape=[1, 2**62, 2**62, 3])]}),
        ("shape beyond integers", {"inputs": [tensor(shape=[1, 10**30, 1, 3])]}),
        ("many pictures", {"inputs": [tensor(shape=[10**9, 1, 1, 3])]}),
        ("other datatype", {"inputs": [tensor(datatype=rng.choice(("FP32", "INT64", "uint8", "", "💥")))]}),
        ("fractions", {"inputs": [tensor(data=[0.5] * 12)]}),
        ("booleans", {"inputs": [tensor(data=[True] * 12)]}),
        ("text for numbers", {"inputs": [tensor(data=["1"] * 12)]}),
        ("numbers out of range", {"inputs": [tensor(data=[rng.choice((-1, 256, 10**40))] * 12)]}),
        ("ragged data", {"inputs": [tensor(data=[[0, 0], [0]] * 4)]}),
        ("null data", {"inputs": [tensor(data=[None] * 12)]}),
        ("no base64", {"inputs": [tensor(datatype="BYTES", shape=[1], data=["§§§"])]}),
        ("numbers for base64", {"inputs": [tensor(datatype="BYTES", shape=[1], data=[5])]}),
        (
            "base64 of no picture",
            {"inputs": [tensor(datatype="BYTES", shape=[1], data=[base64.b64encode(b"text").decode()])]},
        ),
        ("other output", {"inputs": [tensor()], "outputs": [{"name": "logits"}]}),
    ):
        yield Bad(kind, infer(body, model), (400, 413, 415))
    yield Bad("other model", infer({"inputs": [tensor()]}, "../" + model), (404,))
    yield Bad("other version", request("POST", f"/v2/models/{model}/versions/9/infer", b"{}"), (404,))


def bad_requests(seed: int, *, model: str, limit: int) -> list[Bad]:
    """Every kind of bad request once, drawn anew for each seed. limit: the server's --max-bytes."""
    rng = random.Random(seed)
    kinds: list[Callable[[], Iterator[Bad]]] = [
        lambda: not_pictures(rng),
        lambda: wrong_forms(rng),
        lambda: wrong_http(rng, limit),
        lambda: slow(rng),
        lambda: wrong_json(rng, model),
    ]
    return [bad for kind in kinds for bad in kind()]


def complaint(bad: Bad, status: int, body: bytes) -> str | None:
    """What is wrong with the answer to a bad request; None where it is as it should be."""
    if status not in bad.statuses:
        return f"{bad.kind}: {status} instead of {bad.statuses}: {body[:200]!r}"
    if len(body.split()) < 2:
        return f"{bad.kind}: {status} without a reason: {body[:200]!r}"
    return None
