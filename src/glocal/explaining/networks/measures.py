"""How local and how global a network with its weights is, as numbers: attention distances and effective receptive fields."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from glocal.explaining.attention.places import Positions
from glocal.explaining.attention.rollout import attention_of
from glocal.explaining.subject import Place, Subject, tapped

MASS = 0.9  # of the gradient that the effective field holds


@dataclass(frozen=True)
class HeadDistances:
    """The mean attention distance of each head of a layer, in pixels of the network's input, and of equal attention."""

    path: str
    pixels: tuple[float, ...]
    uniform: float


def mean_distance(shares_BhNN: Tensor, positions: Positions, size: tuple[int, int]) -> Tensor:
    """The distance, in pixels, over which each head gathers: (heads,).

    For each patch that reads, the distances to the patches read, weighed by their probabilities (Dosovitskiy et al. 2021,
    Figure 7 and appendix D.7); the mean over patches and pictures. Class tokens have no place and are left out, the rest
    of each row is scaled to sum to one. size: of the pictures (h, w).
    """
    shares_BhNN = shares_BhNN[:, :, positions.extra :, positions.extra :]
    shares_BhNN = shares_BhNN / shares_BhNN.sum(-1, keepdim=True).clamp(min=1e-12)
    found: Tensor = (shares_BhNN * _distances(positions, size)).sum(-1).mean((0, 2))
    return found


def _distances(positions: Positions, size: tuple[int, int]) -> Tensor:
    """(N, N): pixels between the centres of the patches of a grid."""
    y = (torch.arange(positions.h) * size[0] / positions.h).repeat_interleave(positions.w)
    x = (torch.arange(positions.w) * size[1] / positions.w).repeat(positions.h)
    return torch.hypot(y[:, None] - y, x[:, None] - x)


def attention_distances(subject: Subject, x_BCHW: Tensor) -> list[HeadDistances]:
    """`mean_distance` of every attention layer in forward order."""
    found = []
    for place, shares_BhNN in attention_of(subject, x_BCHW):
        pixels = mean_distance(shares_BhNN, place.positions, subject.size)
        uniform = float(_distances(place.positions, subject.size).mean())
        found.append(HeadDistances(place.path, tuple(pixels.tolist()), uniform))
    return found


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """What the position in the middle of a place computes from.

    gradient: (h, w) of the input, the mean absolute gradient of the position's channels, scaled to sum to one.
    reach: (rows, columns) of the smallest box around all pixels with a gradient.
    effective: side in pixels of the smallest square around the position that holds 90 % of the gradient, cut off at the
        picture's edges.
    """

    path: str
    gradient: np.ndarray
    reach: tuple[int, int]
    effective: int


def receptive_fields(subject: Subject, x_BCHW: Tensor) -> list[ReceptiveField]:
    """Of the stem and the last block of each resolution or stage (Luo et al. 2016, arXiv:1701.04128)."""
    return [receptive_field(subject, place, x_BCHW) for place in stage_ends(subject)]


def stage_ends(subject: Subject) -> list[Place]:
    """The stem, and the last block of each stage; of a network of one stage its first, middle and last block."""
    inside = [place for place in subject.places if not place.path.startswith("head.")]
    last = {".".join(place.path.split(".")[:2]): place for place in inside}
    if len(last) > 2 or len(inside) < 4:
        return list(last.values())
    blocks = inside[1:]
    return list(dict.fromkeys((inside[0], blocks[0], blocks[len(blocks) // 2], blocks[-1])))


def receptive_field(subject: Subject, place: Place, x_BCHW: Tensor) -> ReceptiveField:
    """Of the position in the middle of one place."""
    x_BCHW = x_BCHW.clone().requires_grad_()
    maps: list[Tensor] = []
    with torch.enable_grad(), tapped(subject, place) as tap:
        tap.register_forward_hook(lambda _, given, __: maps.append(given[0]))
        subject.network(x_BCHW)
        middle = maps[-1][:, :, place.h // 2, place.w // 2].sum()
        (gradient_BCHW,) = torch.autograd.grad(middle, x_BCHW)
    field = gradient_BCHW.abs().sum(1).mean(0).double().numpy()
    h, w = field.shape
    centre = (place.h // 2 + 0.5) * h / place.h, (place.w // 2 + 0.5) * w / place.w
    total = field.sum()
    return ReceptiveField(place.path, field / total if total else field, _reach(field), _effective(field, centre))


def _reach(field: np.ndarray) -> tuple[int, int]:
    rows, columns = (np.flatnonzero(field.any(axis)) for axis in (1, 0))
    return (int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1) if len(rows) else (0, 0)


def _effective(field: np.ndarray, centre: tuple[float, float]) -> int:
    """The side of the smallest square around a point (y, x) that holds the share `MASS` of the field."""
    total = field.sum()
    if not total:
        return 0
    y, x = (np.abs(np.arange(n) + 0.5 - c) for n, c in zip(field.shape, centre, strict=True))
    radius = np.maximum(y[:, None], x)  # of the square that reaches a pixel's middle
    order = np.argsort(radius, axis=None, kind="stable")
    held = np.cumsum(field.ravel()[order]) / total
    # All pixels of the same radius join the square together.
    reached = radius.ravel()[order][min(int(np.searchsorted(held, MASS - 1e-12)), len(order) - 1)]
    return round(float(2 * reached + 1))
