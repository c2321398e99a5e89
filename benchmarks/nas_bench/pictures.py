"""The pictures of the bench, decoded once, and the batches of an epoch: the same for every network of a seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from glocal.data import check
from glocal.data.options import DataOptions
from glocal.recipes.schema import Recipe
from glocal.searching.search_data import CachedSplit

PAD = 4


@dataclass(frozen=True)
class Pictures:
    """Normalised training pictures (N, C, H, W) with their labels, the held-out ones, and those that judge in the end."""

    train: tuple[Tensor, Tensor]
    val: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


def load(source: Path, judges: Path, recipe: Recipe, *, passes: int = 1) -> Pictures:
    """`source` has the folders train and val, `judges` one folder a class that no strategy sees. Each training picture is there
    `passes` times."""
    preprocess = recipe.preprocess((32, 32))

    def tensors(split: object) -> tuple[Tensor, Tensor]:
        cached = CachedSplit.of(split, preprocess)  # type: ignore[arg-type]
        assert cached.pictures is not None
        return preprocess.normalise(cached.pictures), cached.labels

    data = check(source).require_data()
    judged = check(judges, options=DataOptions(val_fraction=0.1)).require_data()
    parts = [tensors(judged.train), tensors(judged.val)]
    test = torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])
    x, y = tensors(data.train)
    return Pictures((x.repeat(passes, 1, 1, 1), y.repeat(passes)), tensors(data.val), test)


def batches(x_NCHW: Tensor, y: Tensor, *, size: int, seed: int, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of an epoch, shifted by up to four pixels and flipped at random. A function of (seed, epoch) alone."""
    rng = np.random.default_rng((seed, epoch))
    n, _, h, w = x_NCHW.shape
    order, flips = rng.permutation(n), rng.random(n) < 0.5
    shifts = rng.integers(0, 2 * PAD + 1, (n, 2))
    padded = functional.pad(x_NCHW, (PAD,) * 4)
    for start in range(0, n - size + 1, size):
        chosen = order[start : start + size]
        crops = []
        for i in chosen:
            down, right = shifts[i]
            crop = padded[i, :, down : down + h, right : right + w]
            crops.append(crop.flip(-1) if flips[i] else crop)
        yield torch.stack(crops), y[torch.from_numpy(chosen)]
