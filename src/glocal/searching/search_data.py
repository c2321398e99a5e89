"""The pictures of a search: training pictures only, and fast to read again and again.

The test split, and the source's own validation split, are for the end: what this file returns cannot read them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from glocal.data import Batches, Data, Preprocess, Split, random_streams
from glocal.data.batches.loader import Batch
from glocal.data.pictures import Unreadable
from glocal.data.splitting import held_out as hold_out
from glocal.data.splitting import held_out_multi as hold_out_multi
from glocal.data.store import Stamp, Store
from glocal.errors import DataError
from glocal.evaluation.scores import Resize

MOST_BYTES = 2 * 2**30
"""The largest split that is held in memory: 699,050 pictures of 32 x 32, or 14,266 of 224 x 224. A larger one is read again in
every pass. Each worker holds its own."""

_CALIBRATION = -1  # in place of an epoch, so that the order differs from that of every epoch of training


@dataclass(frozen=True)
class RestrictedStore:
    """A store from which only the pictures at `paths` can be read."""

    store: Store
    paths: frozenset[str] = field(repr=False)

    def read(self, path: str) -> bytes:
        """The bytes of a picture; Unreadable for any path that is not in `paths`."""
        if path not in self.paths:
            raise Unreadable("unreadable", "not one of the pictures that a search may read")
        return self.store.read(path)

    def stamp(self, path: str) -> Stamp | None:
        """None, too, for a path that is not in `paths`."""
        return self.store.stamp(path) if path in self.paths else None

    def __str__(self) -> str:
        return str(self.store)


def search_data(data: Data, *, held_out: float | None = None, seed: int) -> Data:
    """The train and val of a search, both from the source's training pictures, without a test split.

    A val that `check` split off train is used as it is. The source's own val is set aside, and a new one is split off train as
    `check` would do it: stratified, duplicates and groups on one side, a fifth but at most 5,000 pictures. `held_out` gives
    another share (below 1) or number of pictures. DataError where `held_out` is out of range or has no effect, and where the
    data came from a manifest with its own val, since a manifest does not say which pictures belong together.
    """
    if data.val_is_own:
        return _divided(data, fraction=_fraction(held_out, len(data.train)), seed=seed)
    if held_out is not None:
        raise DataError(
            f"{data.source}: val was split off train already, so holding out {held_out} has no effect; leave it out, or give "
            "--val-fraction"
        )
    return replace(
        data, train=_restricted(data.train), val=_restricted(data.val), test=None, split_rule=_rule(data, "")
    )


def _divided(data: Data, *, fraction: float | None, seed: int) -> Data:
    train = data.train
    if train.groups is None:
        raise DataError(
            f"{data.source}: a manifest does not say which pictures belong together, and val is the source's own, which a "
            "search must not read; check the source anew, without the manifest"
        )
    divide = hold_out_multi if data.multi_label else hold_out
    to_val = divide(train.labels, train.groups, seed=seed, fraction=fraction)
    if not to_val.any() or to_val.all():
        raise DataError(
            f"{data.source}: train cannot be divided for a search; too few pictures, or all belong together"
        )
    val = replace(train.taken(np.flatnonzero(to_val)), name="val")
    rule = (
        f"val is {to_val.sum():,} of {len(train):,} training pictures, stratified by class with seed {seed}, duplicates "
        f"and groups on one side; the source's own val of {len(data.val):,} is set aside"
    )
    return replace(
        data,
        train=_restricted(train.taken(np.flatnonzero(~to_val))),
        val=_restricted(val),
        test=None,
        split_rule=_rule(data, rule),
        seed=seed,
        val_is_own=False,
    )


def _fraction(held_out: float | None, n: int) -> float | None:
    if held_out is None:
        return None
    share = held_out / n if held_out >= 1 else held_out
    if not 0 < share < 1 or (held_out >= 1 and held_out != int(held_out)):
        raise DataError(
            f"held out {held_out}: give a share between 0 and 1, or a number of the {n:,} training pictures"
        )
    return share


def _rule(data: Data, rule: str) -> str:
    aside = f"; test, {len(data.test):,} pictures, is set aside" if data.test is not None else ""
    return (rule or data.split_rule) + aside


def _restricted(split: Split) -> Split:
    """The split with a store that reads only its own pictures."""
    return replace(
        split, store=RestrictedStore(split.store, frozenset(split.paths)) if split.store is not None else None
    )


def calibration(data: Data, n: int, *, seed: int) -> Split:
    """n training pictures, stratified by class, the same for every candidate and in every process.

    The order depends on the seed only, so that a smaller n gives the first pictures of a larger one. Pictures with several
    labels are not stratified. Returns all of train where it has no more than n pictures.
    """
    labels = data.train.labels
    order = random_streams.order(seed, _CALIBRATION, len(labels))
    if labels.ndim == 1:
        place = np.empty(len(labels))
        for label in np.unique(labels):
            members = np.flatnonzero(labels[order] == label)
            place[members] = (np.arange(len(members)) + 0.5) / len(members)  # evenly along the whole order
        order = order[np.argsort(place, kind="stable")]
    return data.train.taken(order[:n])


@dataclass(frozen=True, eq=False)
class CachedSplit:
    """A split as evaluation reads it: resized once, and held on a device where it fits."""

    split: Split
    preprocess: Preprocess
    pictures: Tensor | None  # uint8 (N, C, H, W); None where it would be too large
    labels: Tensor  # as `Split.labels`, on the same device

    @classmethod
    def of(
        cls,
        split: Split,
        preprocess: Preprocess,
        *,
        device: torch.device | str = "cpu",
        most_bytes: int = MOST_BYTES,
    ) -> "CachedSplit":
        """Decodes and resizes all pictures of a split, if they need at most `most_bytes`."""
        labels = torch.from_numpy(split.labels).to(device)
        shape = (len(split), preprocess.channels, *preprocess.size)
        if np.prod(shape, dtype=np.int64) > most_bytes:
            return cls(split, preprocess, None, labels)
        x_NCHW = torch.empty(shape, dtype=torch.uint8, device=device)
        at = 0
        for x, _ in _read(split, preprocess, 256):
            x_NCHW[at : at + len(x)] = x
            at += len(x)
        return cls(split, preprocess, x_NCHW, labels)

    def __len__(self) -> int:
        return len(self.split)

    def batches(self, size: int) -> Iterator[Batch]:
        """(pictures uint8 (B, C, H, W), labels) in the split's order; the last batch may be smaller. The tensors are views: do
        not write to them. `Preprocess.normalise` turns the pictures into a network's input, a new tensor."""
        if self.pictures is not None:
            yield from zip(torch.split(self.pictures, size), torch.split(self.labels, size), strict=True)
            return
        for x, labels in _read(self.split, self.preprocess, size):
            yield x.to(self.labels.device), labels.to(self.labels.device)


def _read(split: Split, preprocess: Preprocess, size: int) -> Batches:
    transform = Resize(preprocess)
    return Batches(
        split, batch_size=size, seed=0, epoch=0, train=False, transform=transform, drop_last=False, workers=None
    )
