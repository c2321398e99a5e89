"""How a tensor lies in another source's file: reversible changes of shape and order, named in the rows of `tables`."""

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from glocal.net.attention import Attention


class Form(NamedTuple):
    """Theirs to ours and ours to theirs, given our layer. A tensor that cannot be theirs is returned as it is."""

    ours: Callable[[Tensor, nn.Module], Tensor]
    theirs: Callable[[Tensor, nn.Module], Tensor]


def _ones(axes: int) -> Form:
    """Theirs has axes of length 1 at the end: a matrix as a 1 x 1 convolution, a vector as a map. Ours is taken too."""

    def ours(t: Tensor, layer: nn.Module) -> Tensor:
        return t.flatten(-1 - axes) if t.ndim > axes and t.shape[-axes:] == (1,) * axes else t

    return Form(ours, lambda t, _: t[(..., *[None] * axes)])


def _weight_only(form: Form) -> Form:
    def of(change: Callable[[Tensor, nn.Module], Tensor]) -> Callable[[Tensor, nn.Module], Tensor]:
        return lambda t, layer: t if t.ndim == 1 else change(t, layer)

    return Form(of(form.ours), of(form.theirs))


def _regroup(t: Tensor, outer: int, inner: int) -> Tensor:
    """Rows [outer][inner][rest] to [inner][outer][rest]."""
    regrouped: Tensor = t.unflatten(0, (outer, inner, -1)).transpose(0, 1).flatten(0, 2)
    return regrouped


def _heads(layer: nn.Module) -> int:
    assert isinstance(layer, Attention)
    return layer.heads


def _table(t: Tensor, layer: nn.Module) -> Tensor:
    (own,) = (tuple(p.shape[1:]) for p in layer.parameters(recurse=False) if p.ndim == 3)  # (heads, rows, columns)
    n, side = len(t), math.isqrt(len(t))
    if t.ndim != 2 or (n != math.prod(own) and side**2 != n):
        return t
    table: Tensor = t.mT.unflatten(1, own if n == math.prod(own) else (side, side))
    return table


ONE_BY_ONE = _weight_only(_ones(2))
FORMS = {
    "1x1": ONE_BY_ONE,
    "1": _weight_only(_ones(1)),
    "map": _ones(2),
    "by head": Form(
        lambda t, layer: _regroup(ONE_BY_ONE.ours(t, layer), _heads(layer), 3),
        lambda t, layer: ONE_BY_ONE.theirs(_regroup(t, 3, _heads(layer)), layer),
    ),
    "offsets": Form(_table, lambda t, _: t.flatten(1).mT),
}
