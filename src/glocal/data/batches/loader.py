"""Batches of one epoch, each a pure function of (seed, epoch, its number), so a run resumes in the middle of an epoch.

This is where torch enters the room; `glocal.data` imports it only when `Batches` is used.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass
from itertools import islice
from types import TracebackType
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from glocal.data import random_streams as draws
from glocal.data.checks.scan import cores
from glocal.data.dataset import Split
from glocal.errors import DataError

Transform = Callable[[np.ndarray, int], np.ndarray]
Sampling = Literal["natural", "balanced"]
Batch = tuple[Tensor, Tensor]

_AHEAD = 2  # batches that threads prepare beyond the one in use
_PART = 8  # pictures a thread takes at a time: all threads work on the batch that is waited for


@dataclass(eq=False)
class Batches(Dataset[Batch]):
    """Yields (pictures uint8 (B, C, H, W), labels (B,), or (B, classes) of multi-label data) from batch `start` on.

    train: in an order drawn from (seed, epoch); otherwise in the split's own.
    transform: (picture (h, w, c), sample seed) -> (C, H, W); the sample seed is drawn from (seed, epoch, position).
    drop_last: leave out an incomplete last batch, unless it is the only one.
    start: batches before it are skipped and cost nothing.
    workers: processes that prepare batches; threads: threads of this process that do, where there are no workers. Neither
        changes a byte, provided that with threads the transform leaves global random states alone. workers None: a thread a
        core where pictures are decoded for every batch and the transform says that it is `threadsafe`, else neither.
    repeats: so many samples of each picture that an epoch shows, see `draws.repeated`.
    sampling: "balanced" shows every class equally often, see `draws.balanced`.
    share: (rank, of) takes this process's part of every batch: a slice of its first half and the mirrored one of its second, so
        that position i and its mirror B-1-i, which timm's mixup mixes, lie in one share.
    """

    split: Split
    _: KW_ONLY
    batch_size: int
    seed: int
    epoch: int
    train: bool
    transform: Transform
    drop_last: bool
    start: int = 0
    workers: int | None = 0
    threads: int = 0
    repeats: int = 1
    sampling: Sampling = "natural"
    share: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        """DataError for settings that do not fit the pictures."""
        if self.workers is None and self.split.pixels is None and getattr(self.transform, "threadsafe", False):
            self.threads = cores()
        self.workers = self.workers or 0
        self._order = _order(
            self.split,
            seed=self.seed,
            epoch=self.epoch,
            train=self.train,
            repeats=self.repeats,
            sampling=self.sampling,
        )
        n, batch = len(self._order), self.batch_size
        self._seeds = draws.sample_seeds(self.seed, self.epoch, n)
        self._end = n // batch if self.drop_last and n >= batch else -(-n // batch)
        of = self.share[1]
        if of > 1 and (batch % (2 * of) or n < self._end * batch):
            raise DataError(
                f"batches of {batch} of {n:,} pictures cannot be shared by {of} processes: "
                f"give a --batch-size that is a multiple of {2 * of}, and not above the number of pictures"
            )

    def __len__(self) -> int:
        """Batches that iterating yields."""
        return max(0, self._end - self.start)

    def __getitem__(self, number: int) -> Batch:
        """Batch `number` of the whole epoch, or this process's share of it, whatever `start` is."""
        positions = self._positions(number)
        return torch.from_numpy(self._pictures(positions)), self._labels(positions)

    def __iter__(self) -> Iterator[Batch]:
        numbers = range(self.start, self._end)
        if self.workers and numbers:
            return self._from_processes(numbers)
        return self._from_threads(numbers) if self.threads else map(self.__getitem__, numbers)

    def _positions(self, number: int) -> np.ndarray:
        """Places in the epoch's order of this process's samples of a batch: int64 (B,)."""
        begin = number * self.batch_size
        whole = np.arange(begin, min(begin + self.batch_size, len(self._order)))
        rank, of = self.share
        if of == 1:
            return whole
        half = len(whole) // (2 * of)
        first = slice(rank * half, (rank + 1) * half)
        return np.concatenate([whole[first], whole[::-1][first][::-1]])

    def _pictures(self, positions: np.ndarray) -> np.ndarray:
        index, seeds = self._order[positions].tolist(), self._seeds[positions].tolist()
        return np.stack([self.transform(self.split.picture(i), seed) for i, seed in zip(index, seeds, strict=True)])

    def _labels(self, positions: np.ndarray) -> Tensor:
        return torch.from_numpy(self.split.labels[self._order[positions]])

    def _from_processes(self, numbers: range) -> Iterator[Batch]:
        # A DataLoader draws a seed for its workers, from torch's global generator unless it has its own.
        loader = DataLoader(
            _Answers(self),
            batch_size=None,
            sampler=numbers,
            num_workers=self.workers or 0,
            generator=torch.Generator(),
            worker_init_fn=_say_nothing_of_lost_connections,
        )
        try:
            for answer in loader:
                if isinstance(answer, DataError):
                    raise answer
                yield answer
        # It was killed while a batch was on its way, and torch did not see it yet.
        except (ConnectionError, EOFError) as error:
            raise RuntimeError("DataLoader worker ended while it sent a batch") from error

    def _from_threads(self, numbers: range) -> Iterator[Batch]:
        pool = ThreadPoolExecutor(self.threads)

        def begin(number: int) -> tuple[np.ndarray, list[Future[np.ndarray]]]:
            positions = self._positions(number)
            parts = (positions[i : i + _PART] for i in range(0, len(positions), _PART))
            return positions, [pool.submit(self._pictures, part) for part in parts]

        begun = map(begin, numbers)
        ahead = deque(islice(begun, _AHEAD + 1))
        try:
            while ahead:
                positions, parts = ahead.popleft()
                pictures = np.concatenate([part.result() for part in parts])
                ahead.extend(islice(begun, 1))
                yield torch.from_numpy(pictures), self._labels(positions)
        finally:
            pool.shutdown(cancel_futures=True)


def _order(split: Split, *, seed: int, epoch: int, train: bool, repeats: int, sampling: Sampling) -> np.ndarray:
    """The picture at each position of the epoch: int64 (samples,)."""
    if sampling not in get_args(Sampling):
        raise DataError(f"sampling {sampling!r}: possible are {', '.join(get_args(Sampling))}")
    if not train:
        return np.arange(len(split))
    if sampling == "balanced":
        if repeats > 1 or split.labels.ndim > 1:
            what = f"repeats {repeats}" if repeats > 1 else "multi-label data"
            raise DataError(f"balanced sampling does not go together with {what}; take sampling natural")
        return draws.balanced(seed, epoch, split.labels)
    if repeats > 1:
        return draws.repeated(seed, epoch, len(split), repeats=repeats)
    return draws.order(seed, epoch, len(split))


def _say_nothing_of_lost_connections(worker: int) -> None:
    """For a process that loads: where nobody takes its batches any more, multiprocessing would print a traceback."""
    said = sys.excepthook

    def say(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
        if not isinstance(error, (ConnectionError, EOFError)):
            said(kind, error, at)

    sys.excepthook = say


class _Answers(Dataset[Batch | DataError]):
    """Batches, or the DataError in a batch's place: raised in a process of its own, it would arrive inside a traceback."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __getitem__(self, number: int) -> Batch | DataError:
        try:
            return self._batches[number]
        except DataError as error:
            return error
