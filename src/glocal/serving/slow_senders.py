"""Closes connections whose request headers do not arrive. uvicorn itself waits for them for ever."""

import asyncio
import json
from weakref import WeakKeyDictionary

from uvicorn import Server
from uvicorn.protocols.http.h11_impl import H11Protocol

EVERY_S = 1


class SlowSenders:
    """Looks at the connections of a server, once a second, and remembers since when each has waited for headers."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._waiting_since: WeakKeyDictionary[H11Protocol, float] = WeakKeyDictionary()

    async def close(self, server: Server) -> None:
        """Answers 408 to those that have waited too long, and closes them."""
        now = asyncio.get_running_loop().time()
        for connection in list(server.server_state.connections):
            assert isinstance(connection, H11Protocol)
            if not _waits_for_headers(connection):
                self._waiting_since.pop(connection, None)
            elif now - self._waiting_since.setdefault(connection, now) > self._timeout_s:
                connection.transport.write(self._answer())
                connection.transport.close()

    def _answer(self) -> bytes:
        body = json.dumps({"error": f"the headers of the request did not arrive within {self._timeout_s:g} s"})
        head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close"
        return f"HTTP/1.1 408 Request Timeout\r\n{head}\r\n\r\n{body}".encode()


def _waits_for_headers(connection: H11Protocol) -> bool:
    """Whether no request is being answered, and uvicorn's timer for idle connections does not run either."""
    idle = connection.cycle is None or connection.cycle.response_complete
    return idle and connection.timeout_keep_alive_task is None
