"""Entangled weights: the parts that a space allows at one position are slices of common tensors, as in AutoFormer.

Parts share a weight where its name and coordinates agree (`coordinates`). So a head keeps its channels, a small kernel is the
middle of a large one, and no slice mistakes a query for a key, or a value for its gate.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from glocal.design import Part
from glocal.searching.supernet.coordinates import Axis, coordinates


class Slice(NamedTuple):
    """Where a weight of a part is in the tensor that holds it."""

    module: str  # of the part's layers
    name: str  # of the weight in it
    key: str  # of the tensor
    stored: tuple[int, ...]  # the tensor's shape, which has as many axes as the weight
    span: tuple[int, ...]  # the same, with one axis for each coordinate
    where: tuple[slice, ...]
    shape: tuple[int, ...]  # the weight's

    def of(self, whole: Tensor) -> Tensor:
        """The slice, a view with one axis for each coordinate."""
        return whole.view(self.span)[self.where]

    @property
    def is_partial(self) -> bool:
        """Whether a part of the tensor is outside the slice."""
        return prod(self.shape) < prod(self.span)


class Entangled(nn.Module):
    """A position whose parts are slices of tensors that hold the coordinates of all of them.

    Running statistics of batch norms belong to a network and not to a weight: each part has its own. They are not in the state
    dict, since a candidate is evaluated with statistics that are computed for it.
    """

    def __init__(self, built: Mapping[Part, nn.Sequential]) -> None:
        super().__init__()
        self.whole = nn.ParameterDict()
        self._parts = dict(built)
        slices = _slices(built)
        # The largest part comes last, so that all its initial values stay, and a small part has some of them.
        for part in sorted(built, key=lambda part: sum(p.numel() for p in built[part].parameters())):
            for piece in slices[part]:
                self._take(piece, built[part].get_submodule(piece.module))
        for part, layers in built.items():
            for piece in slices[part]:
                if not piece.is_partial:
                    setattr(layers.get_submodule(piece.module), piece.name, self.whole[piece.key])
        self._slices = slices
        self._active: list[Part] = []  # the parts that were taken since `forget`
        self._stepped: list[tuple[Slice, nn.Parameter, Tensor, dict[str, Tensor]]] = []
        self._masked: list[tuple[Tensor, nn.Parameter, Tensor, dict[str, Tensor]]] = []

    def _take(self, piece: Slice, module: nn.Module) -> None:
        """Moves the initial values of a weight into its tensor."""
        value = getattr(module, piece.name).detach()
        if piece.key not in self.whole:
            self.whole[piece.key] = nn.Parameter(value.new_zeros(piece.stored))
        target = piece.of(self.whole[piece.key].detach())
        target.copy_(value.view(target.shape))
        delattr(module, piece.name)

    def layers(self, part: Part) -> nn.Sequential:
        """The layers of a part, whose weights are slices: gradients reach the tensors that hold them."""
        layers = self._parts[part]
        layers.to(next(self.whole.parameters()))  # the running statistics
        for piece in self._slices[part]:
            if piece.is_partial:
                # A copy in memory of its own: where a weight begins there decides the last bit of some products.
                weight = piece.of(self.whole[piece.key]).clone(memory_format=torch.contiguous_format)
                setattr(layers.get_submodule(piece.module), piece.name, weight.view(piece.shape))
        self._active.append(part)
        return layers

    def forget(self) -> None:
        """Forgets which parts were taken: the next step of the optimiser is for those that are taken from now on."""
        self._active.clear()

    def guard(self, optimizer: torch.optim.Optimizer) -> None:
        """Gives an optimiser only the active slices during its step: of weights, gradients and moments."""
        optimizer.register_step_pre_hook(self._before_step)
        optimizer.register_step_post_hook(self._after_step)

    @torch.no_grad()
    def _before_step(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        self._stepped, self._masked = [], []
        for key, pieces in self._taken().items():
            weight = self.whole[key]
            if weight.grad is None or not all(piece.is_partial for piece in pieces):
                continue  # the whole tensor is stepped, or nothing
            state = optimizer.state[weight]
            whole = _moments(weight, state)
            if len(pieces) > 1:
                before = {name: moment.clone() for name, moment in whole.items()}
                self._masked.append((_outside(pieces, weight), weight, weight.data.clone(), before))
                continue
            (piece,) = pieces
            self._stepped.append((piece, weight, weight.data, whole))
            grad = piece.of(weight.grad).contiguous()
            weight.grad = None  # a gradient must always have the shape of its weight
            weight.data = piece.of(weight.data).contiguous()
            weight.grad = grad
            state.update({name: piece.of(moment).contiguous() for name, moment in whole.items()})

    def _taken(self) -> dict[str, list[Slice]]:
        """The slices of the active parts by the tensor that holds them, each once."""
        found: dict[str, dict[tuple[tuple[int, int], ...], Slice]] = {}
        for part in self._active:
            for piece in self._slices[part]:
                region = tuple((cut.start, cut.stop) for cut in piece.where)
                found.setdefault(piece.key, {})[region] = piece
        return {key: list(pieces.values()) for key, pieces in found.items()}

    @torch.no_grad()
    def _after_step(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        for piece, weight, values, whole in self._stepped:
            state = optimizer.state[weight]
            for name, moment in _moments(weight, state).items():
                state[name] = whole[name] if name in whole else torch.zeros_like(values)  # the step created it
                piece.of(state[name]).copy_(moment)
            piece.of(values).copy_(weight.data)
            weight.grad, weight.data = None, values
        for outside, weight, values, before in self._masked:
            weight[outside] = values[outside]
            for name, moment in _moments(weight, optimizer.state[weight]).items():
                moment[outside] = before[name][outside] if name in before else 0.0


def _outside(pieces: Sequence[Slice], weight: Tensor) -> Tensor:
    """Which elements of a tensor are in none of the slices."""
    mask = torch.ones_like(weight, dtype=torch.bool)
    for piece in pieces:
        piece.of(mask).fill_(False)
    return mask


def _moments(weight: Tensor, state: Mapping[str, object]) -> dict[str, Tensor]:
    """An optimiser's moments of a weight: what has its shape."""
    return {name: value for name, value in state.items() if isinstance(value, Tensor) and value.shape == weight.shape}


def _slices(built: Mapping[Part, nn.Sequential]) -> dict[Part, list[Slice]]:
    found = {part: list(_weights(part, layers)) for part, layers in built.items()}
    spans: dict[str, Axis] = {}
    for weights in found.values():
        for _, _, key, axes in weights:
            flat = [a for axis in axes for a in axis]
            spans[key] = tuple(_cover(a, b) for a, b in zip(spans.get(key, flat), flat, strict=True))
    return {part: [_slice(*weight, spans[weight[2]]) for weight in weights] for part, weights in found.items()}


def _weights(part: Part, layers: nn.Sequential) -> Iterator[tuple[str, str, str, tuple[Axis, ...]]]:
    """Module, name, key of the tensor, and axes of every weight of a part."""
    known = {(w.module, w.name): w for w in coordinates(part.sentence, part.given)}
    for path, value in layers.named_parameters():
        module, _, name = path.rpartition(".")
        weight = known.get((module, name))
        axes = weight.axes if weight else tuple((range(n),) for n in value.shape)
        # Parts with other coordinates for their channels share nothing.
        ranks = "".join(str(len(axis)) for axis in axes)
        yield module, name, f"{weight.shared if weight else path}:{ranks}".replace(".", "/"), axes


def _slice(module: str, name: str, key: str, axes: tuple[Axis, ...], span: Axis) -> Slice:
    flat = [a for axis in axes for a in axis]
    index = tuple(slice(a.start - whole.start, a.stop - whole.start) for a, whole in zip(flat, span, strict=True))
    shape, sizes = tuple(prod(map(len, axis)) for axis in axes), iter(map(len, span))
    stored = tuple(prod(islice(sizes, len(axis))) for axis in axes)
    return Slice(module, name, key, stored, tuple(map(len, span)), index, shape)


def _cover(a: range, b: range) -> range:
    return range(min(a.start, b.start), max(a.stop, b.stop))
