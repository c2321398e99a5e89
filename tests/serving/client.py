"""HTTP as bytes: requests are built by hand, so that they can be wrong, and cost a load test little."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import NamedTuple

BOUNDARY = "----glocal"


class Answer(NamedTuple):
    status: int  # 0 where the connection was closed without an answer
    headers: dict[str, str]
    body: bytes


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request; header names have underscores for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body and "Content-Length" not in named and "Transfer-Encoding" not in named:
        named["Content-Length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", "Host: test", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + body


def form(parts: Sequence[tuple[str, bytes]], *, closed: bool = True) -> bytes:
    """The body of a form with files, by their names."""
    head = '--{}\r\nContent-Disposition: form-data; name="file"; filename="{}"\r\nContent-Type: image/png\r\n\r\n'
    body = b"".join(head.format(BOUNDARY, name).encode() + data + b"\r\n" for name, data in parts)
    return body + (f"--{BOUNDARY}--\r\n".encode() if closed else b"")


def form_request(path: str, parts: Sequence[tuple[str, bytes]], *, closed: bool = True) -> bytes:
    body = form(parts, closed=closed)
    return request("POST", path, body, Content_Type=f"multipart/form-data; boundary={BOUNDARY}")


def picture_request(data: bytes, path: str = "/predict", kind: str = "image/png") -> bytes:
    return request("POST", path, data, Content_Type=kind)


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        length = headers.get("content-length")
        body = await reader.readexactly(int(length)) if length else await reader.read()
        return Answer(int(status.split()[1]), headers, body)
    except (asyncio.IncompleteReadError, ConnectionError):
        return Answer(0, {}, b"")


async def exchange(port: int, data: bytes, *, stop_after: int | None = None) -> Answer:
    """Sends bytes on a connection of their own, and reads the answer while they go out.

    stop_after: sends so many bytes, and then waits for the answer without sending more.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        answer = asyncio.create_task(read_answer(reader))
        with contextlib.suppress(ConnectionError):
            for i in range(0, len(data) if stop_after is None else stop_after, 2**18):
                writer.write(data[i : min(i + 2**18, stop_after or len(data))])
                await writer.drain()
        return await answer
    finally:
        writer.close()
