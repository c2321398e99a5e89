"""From pictures to predictions: decodes in a few threads, computes in batches, and bounds how many pictures are in the server."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import numpy as np

from glocal.data.pictures import Unreadable, read
from glocal.evaluation.predict import Prediction, decide
from glocal.serving.batching import Batcher
from glocal.serving.messages.refusal import Refusal
from glocal.serving.messages.uploads import Picture
from glocal.serving.metrics import Metrics
from glocal.serving.models import Classifier, Explain
from glocal.serving.settings import ServeSettings

T = TypeVar("T")
P = ParamSpec("P")


class Service:
    """A classifier behind a queue."""

    def __init__(
        self,
        classifier: Classifier,
        settings: ServeSettings,
        *,
        threshold: float | None,
        metrics: Metrics,
        explain: Explain | None,
    ) -> None:
        self.classifier = classifier
        self.explain = explain
        self._threshold = threshold
        self._max_queue = settings.max_queue
        self._max_pixels = settings.max_pixels
        self._metrics = metrics
        self._held = 0
        self._decoders = ThreadPoolExecutor(settings.decoders, thread_name_prefix="decode")
        self._batcher = Batcher(
            classifier.probabilities,
            max_batch=settings.max_batch,
            max_wait_s=settings.max_wait_ms / 1000,
            observe=self._observe,
        )

    async def close(self) -> None:
        """Ends the threads. All requests must have been answered."""
        await self._batcher.close()
        self._decoders.shutdown()

    def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Runs a function beside the event loop, among the threads that decode."""
        return asyncio.get_running_loop().run_in_executor(self._decoders, lambda: function(*args, **kwargs))

    async def rows(self, pictures: Sequence[Picture]) -> list[np.ndarray | Unreadable]:
        """The probabilities of each picture, float32 (classes,), or why it cannot be read. Refusal where the queue is full."""
        with self._counted(len(pictures)):
            inputs = await asyncio.gather(*(self.in_thread(self._input, each.content) for each in pictures))
            answers = self._batcher.submit([each for each in inputs if not isinstance(each, Unreadable)])
            rows = iter(await asyncio.gather(*answers))
            return [each if isinstance(each, Unreadable) else next(rows) for each in inputs]

    def decide(self, name: str, row: np.ndarray) -> Prediction:
        """The prediction that `glocal predict` makes of these probabilities."""
        return decide(
            name,
            row.tolist(),
            classes=self.classifier.classes,
            multi_label=self.classifier.multi_label,
            threshold=self._threshold,
        )

    async def explanation(self, picture: Picture) -> bytes:
        """A PNG of what the network looked at. Unreadable for a picture that is none, Refusal where there are no explanations."""
        if self.explain is None:
            raise Refusal(404, "explain", "this server explains no predictions")
        with self._counted(1):
            pixels = await self.in_thread(self._pixels, picture.content)
            return await asyncio.get_running_loop().run_in_executor(self._batcher.thread, self.explain, pixels)

    def _input(self, content: bytes | np.ndarray) -> np.ndarray | Unreadable:
        try:
            return self.classifier.resize(self._pixels(content))
        except Unreadable as error:
            return error

    def _pixels(self, content: bytes | np.ndarray) -> np.ndarray:
        return content if isinstance(content, np.ndarray) else read(content, max_pixels=self._max_pixels).pixels

    def _observe(self, pictures: int, seconds: float) -> None:
        self._metrics.batches.observe(pictures)
        self._metrics.batch_seconds.observe(seconds)
        self._metrics.pictures.inc(pictures)

    @contextmanager
    def _counted(self, n: int) -> Iterator[None]:
        """Counts pictures as held inside the block. Refusal where they are too many."""
        if self._held + n > self._max_queue:
            wait = self._batcher.seconds_for(self._held)
            raise Refusal(
                429, "queue", f"{self._held:,} pictures are before these; try again later", retry_after_s=wait
            )
        self._held += n
        self._metrics.held.set(self._held)
        try:
            yield
        finally:
            self._held -= n
            self._metrics.held.set(self._held)
