"""Groups pictures of all requests into batches, by number and by time, and computes one batch after the other in a thread."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

import numpy as np

Compute = Callable[[np.ndarray], np.ndarray]  # a batch of pictures -> float32 (B, classes)
Observe = Callable[[int, float], None]  # pictures of a batch, and its seconds

_MEMORY = 0.8  # weight of the past in the mean time of a picture


class _Waiting(NamedTuple):
    picture: np.ndarray  # uint8, as the model resized it
    answer: "asyncio.Future[np.ndarray]"
    since: float  # by the clock of the event loop


class Batcher:
    """One queue and one computing thread. All methods but the computation belong to the event loop.

    A batch starts when `max_batch` pictures wait, or when the first of them has waited `max_wait_s`. The pictures of one call of
    `submit` stay together in the queue, so on an idle server they form a batch of their own, in their order.
    """

    def __init__(self, compute: Compute, *, max_batch: int, max_wait_s: float, observe: Observe) -> None:
        self._compute = compute
        self._max_batch = max_batch
        self._max_wait_s = max_wait_s
        self._observe = observe
        self._queue: deque[_Waiting] = deque()
        self._arrival = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._task: asyncio.Task[None] | None = None
        self._seconds_per_picture = 0.0

    @property
    def thread(self) -> ThreadPoolExecutor:
        """The one thread that uses the network."""
        return self._thread

    def submit(self, pictures: Sequence[np.ndarray]) -> "list[asyncio.Future[np.ndarray]]":
        """Puts pictures into the queue; each future becomes a row of probabilities. A cancelled one is not computed."""
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        answers = [loop.create_future() for _ in pictures]
        now = loop.time()
        self._queue.extend(_Waiting(picture, answer, now) for picture, answer in zip(pictures, answers, strict=True))
        self._arrival.set()
        return answers

    def seconds_for(self, pictures: int) -> int:
        """How long so many pictures are expected to take, in whole seconds, from 1 to 60."""
        return min(max(1, math.ceil(pictures * self._seconds_per_picture)), 60)

    async def close(self) -> None:
        """Ends the computing thread. What still waits is cancelled."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for waiting in self._queue:
            waiting.answer.cancel()
        self._thread.shutdown()

    async def _run(self) -> None:
        while True:
            await self._fill()
            if batch := self._take():
                await self._answer(batch)

    async def _fill(self) -> None:
        """Returns when a batch should start."""
        loop = asyncio.get_running_loop()
        while len(self._queue) < self._max_batch:
            self._arrival.clear()
            left = self._queue[0].since + self._max_wait_s - loop.time() if self._queue else None
            if left is not None and left <= 0:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrival.wait(), left)

    def _take(self) -> list[_Waiting]:
        """The next batch, without pictures whose requests have gone."""
        batch: list[_Waiting] = []
        while self._queue and len(batch) < self._max_batch:
            waiting = self._queue.popleft()
            if not waiting.answer.done():
                batch.append(waiting)
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        start = time.perf_counter()
        try:
            rows = await asyncio.get_running_loop().run_in_executor(self._thread, self._rows, batch)
        except Exception as error:  # whatever a network raises ends these requests, and not the server
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        seconds = time.perf_counter() - start
        past = self._seconds_per_picture or seconds / len(batch)
        self._seconds_per_picture = _MEMORY * past + (1 - _MEMORY) * seconds / len(batch)
        self._observe(len(batch), seconds)
        for waiting, row in zip(batch, rows, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(row)

    def _rows(self, batch: list[_Waiting]) -> np.ndarray:
        return self._compute(np.stack([waiting.picture for waiting in batch]))
