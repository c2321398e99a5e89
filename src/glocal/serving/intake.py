"""Reads the bodies of requests, within limits on their size, their time and the memory of all of them together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from glocal.serving.messages.refusal import Refusal
from glocal.serving.metrics import Metrics
from glocal.serving.settings import ServeSettings

T = TypeVar("T")


class Intake:
    """How many bytes of bodies are in memory, and what is refused for it."""

    def __init__(self, settings: ServeSettings, metrics: Metrics) -> None:
        self._max_bytes = int(settings.max_bytes)
        self._max_memory = int(settings.max_memory)
        self._timeout_s = settings.timeout_s
        self._metrics = metrics
        self._held = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The body of a request; its bytes count as held inside the block. Refusal where it is too large or too slow."""
        received = bytearray()
        counted = 0
        try:
            async with asyncio.timeout(self._timeout_s):
                self._check_headers(request)
                async for chunk in request.stream():
                    self._check_size(len(received) + len(chunk))
                    self._check_room(len(chunk))
                    received += chunk
                    counted += self._hold(len(chunk))
        except Refusal:
            received.clear()
            await self._discard(request)
            raise
        except TimeoutError:
            reason = f"the body did not arrive within {self._timeout_s:g} s; {len(received):,} bytes of it came"
            raise Refusal(408, "slow", reason) from None
        except ClientDisconnect:
            raise Refusal(499, "disconnected", "the client closed the connection") from None
        else:
            yield bytes(received)
        finally:
            self._hold(-counted)

    def _check_headers(self, request: Request) -> None:
        encoding = request.headers.get("content-encoding", "identity")
        if encoding.strip().lower() != "identity":
            raise Refusal(415, "encoding", f"Content-Encoding {encoding!r} is not understood; send the body as it is")
        declared = request.headers.get("content-length", "")
        size = int(declared) if declared.isdigit() else 0
        self._check_size(size)
        self._check_room(size)

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise Refusal(413, "bytes", f"the body has more than the {self._max_bytes:,} bytes allowed")

    def _check_room(self, more: int) -> None:
        if self._held + more > self._max_memory:
            raise Refusal(429, "memory", "the server holds as many bytes of requests as it may", retry_after_s=1)

    def _hold(self, n: int) -> int:
        self._held += n
        self._metrics.body_bytes.set(self._held)
        return n

    async def _discard(self, request: Request) -> None:
        """Reads the rest of a refused body, so that clients that send all of it first can read the answer.

        A client that waits for "100 Continue" is answered at once instead.
        """
        if request.headers.get("expect", "").lower() == "100-continue":
            return
        with suppress(TimeoutError, ClientDisconnect, RuntimeError):
            async with asyncio.timeout(self._timeout_s):
                while (await request.receive()).get("more_body", False):
                    pass


async def unless_disconnected(receive: Receive, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled when the client closes the connection."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Refusal(499, "disconnected", "the client closed the connection")
        return task.result()
    finally:
        gone.cancel()
        task.cancel()


async def _disconnect(receive: Receive) -> None:
    """Returns when the client has closed the connection; called after the body has been read."""
    while (await receive())["type"] != "http.disconnect":
        pass
