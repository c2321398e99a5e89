"""Batches of one epoch, each a pure function of (seed, epoch, its number), so a run resumes in the middle of an epoch.

This is where torch enters the room; `glocal.data` imports it only when `Batches` is used.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from glocal.data import draws
from glocal.data.dataset import Split

Transform = Callable[[np.ndarray, int], np.ndarray]


class Batches(Dataset[tuple[Tensor, Tensor]]):
    """Yields (pictures uint8 (B, C, H, W), labels int64 (B,)) from batch `start` to the end of an epoch.

    train: in an order drawn from (seed, epoch); otherwise in the split's own.
    transform: (picture (h, w, c), sample seed) -> (C, H, W); the sample seed is drawn from (seed, epoch, position).
    drop_last: leave out an incomplete last batch, unless it is the only one.
    start: batches before it are skipped and cost nothing.
    workers: processes that prepare batches; their number changes no byte.
    """

    def __init__(
        self,
        split: Split,
        *,
        batch_size: int,
        seed: int,
        epoch: int,
        train: bool,
        transform: Transform,
        drop_last: bool,
        start: int = 0,
        workers: int = 0,
    ) -> None:
        n = len(split)
        self._split, self._transform, self._workers = split, transform, workers
        self._batch_size, self._start = batch_size, start
        self._order = draws.order(seed, epoch, n) if train else np.arange(n)
        self._seeds = draws.sample_seeds(seed, epoch, n)
        self._end = n // batch_size if drop_last and n >= batch_size else -(-n // batch_size)

    def __len__(self) -> int:
        """Batches that iterating yields."""
        return max(0, self._end - self._start)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """Batch `number` of the whole epoch, whatever `start` is."""
        positions = slice(number * self._batch_size, (number + 1) * self._batch_size)
        index = self._order[positions]
        seeds = self._seeds[positions].tolist()
        pictures = [
            self._transform(self._split.picture(i), seed) for i, seed in zip(index.tolist(), seeds, strict=True)
        ]
        return torch.from_numpy(np.stack(pictures)), torch.from_numpy(self._split.labels[index])

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        numbers = range(self._start, self._end)
        if not self._workers or not numbers:
            return map(self.__getitem__, numbers)
        # A DataLoader draws a seed for its workers, from torch's global generator unless it has its own.
        loader = DataLoader(
            self, batch_size=None, sampler=numbers, num_workers=self._workers, generator=torch.Generator()
        )
        return iter(loader)
