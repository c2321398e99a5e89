"""Entangled weights: the parts that may stand at one path are slices of common tensors (AutoFormer; GLiT with one block a layer).

Parts share a weight where its name and coordinates agree (`coordinates`). So a head keeps its channels, a small kernel is the
middle of a large one, and no slice takes q for k, or a value for its gate.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from glocal.design import Part
from glocal.searching.coordinates import Axis, coordinates


class Cut(NamedTuple):
    """Where a weight of a part lies in the tensor that it is cut from."""

    module: str  # of the part's layers
    name: str  # of the weight in it
    key: str  # of the tensor
    stored: tuple[int, ...]  # the tensor's shape, which has as many axes as the weight
    span: tuple[int, ...]  # the same, with one axis a coordinate
    place: tuple[slice, ...]
    shape: tuple[int, ...]  # the weight's

    def of(self, whole: Tensor) -> Tensor:
        """The slice, a view with one axis a coordinate."""
        return whole.view(self.span)[self.place]

    @property
    def divides(self) -> bool:
        """Whether anything of the tensor lies outside."""
        return prod(self.shape) < prod(self.span)


class Entangled(nn.Module):
    """A path whose parts are slices of tensors that hold the coordinates of all of them.

    Running statistics of batch norms belong to a network and not to a weight: each part has its own. They are no part of the
    state, since a candidate is judged by statistics that are taken for it.
    """

    def __init__(self, built: Mapping[Part, nn.Sequential]) -> None:
        super().__init__()
        self.whole = nn.ParameterDict()
        self._parts = dict(built)
        cuts = _cuts(built)
        # The largest part comes last, so that its first values stand, and a small one is given some of them.
        for part in sorted(built, key=lambda part: sum(p.numel() for p in built[part].parameters())):
            for cut in cuts[part]:
                self._take(cut, built[part].get_submodule(cut.module))
        for part, layers in built.items():
            for cut in cuts[part]:
                if not cut.divides:
                    setattr(layers.get_submodule(cut.module), cut.name, self.whole[cut.key])
        self._cuts = {part: [cut for cut in cuts[part] if cut.divides] for part in built}
        self._active: list[Cut] = []
        self._stepped: list[tuple[Cut, nn.Parameter, Tensor, dict[str, Tensor]]] = []

    def _take(self, cut: Cut, module: nn.Module) -> None:
        """Moves the first values of a weight into its tensor."""
        value = getattr(module, cut.name).detach()
        if cut.key not in self.whole:
            self.whole[cut.key] = nn.Parameter(value.new_zeros(cut.stored))
        place = cut.of(self.whole[cut.key].detach())
        place.copy_(value.view(place.shape))
        delattr(module, cut.name)

    def layers(self, part: Part) -> nn.Sequential:
        """The layers of a part, whose weights are slices: gradients reach what they are cut from."""
        layers, self._active = self._parts[part], self._cuts[part]
        layers.to(next(self.whole.parameters()))  # the running statistics
        for cut in self._active:
            setattr(layers.get_submodule(cut.module), cut.name, cut.of(self.whole[cut.key]).reshape(cut.shape))
        return layers

    def guard(self, optimizer: torch.optim.Optimizer) -> None:
        """Shows an optimiser the active slices alone while it steps: of weights, gradients and moments."""
        optimizer.register_step_pre_hook(self._cut_out)
        optimizer.register_step_post_hook(self._put_back)

    @torch.no_grad()
    def _cut_out(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        self._stepped = []
        for cut in self._active:
            weight = self.whole[cut.key]
            if weight.grad is not None:
                state = optimizer.state[weight]
                whole = _moments(weight, state)
                self._stepped.append((cut, weight, weight.data, whole))
                grad = cut.of(weight.grad).contiguous()
                weight.grad = None  # it must have the shape of its weight at any time
                weight.data = cut.of(weight.data).contiguous()
                weight.grad = grad
                state.update({name: cut.of(moment).contiguous() for name, moment in whole.items()})

    @torch.no_grad()
    def _put_back(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        for cut, weight, values, whole in self._stepped:
            state = optimizer.state[weight]
            for name, moment in _moments(weight, state).items():
                state[name] = whole[name] if name in whole else torch.zeros_like(values)  # the step began it
                cut.of(state[name]).copy_(moment)
            cut.of(values).copy_(weight.data)
            weight.grad, weight.data = None, values


def _moments(weight: Tensor, state: Mapping[str, object]) -> dict[str, Tensor]:
    """An optimiser's moments of a weight: what has its shape."""
    return {name: told for name, told in state.items() if isinstance(told, Tensor) and told.shape == weight.shape}


def _cuts(built: Mapping[Part, nn.Sequential]) -> dict[Part, list[Cut]]:
    found = {part: list(_weights(part, layers)) for part, layers in built.items()}
    spans: dict[str, Axis] = {}
    for weights in found.values():
        for _, _, key, axes in weights:
            flat = [a for axis in axes for a in axis]
            spans[key] = tuple(_cover(a, b) for a, b in zip(spans.get(key, flat), flat, strict=True))
    return {part: [_cut(*weight, spans[weight[2]]) for weight in weights] for part, weights in found.items()}


def _weights(part: Part, layers: nn.Sequential) -> Iterator[tuple[str, str, str, tuple[Axis, ...]]]:
    """Module, name, key of the tensor, and axes of every weight of a part."""
    known = {(w.module, w.name): w for w in coordinates(part.sentence, part.given)}
    for path, value in layers.named_parameters():
        module, _, name = path.rpartition(".")
        weight = known.get((module, name))
        axes = weight.axes if weight else tuple((range(n),) for n in value.shape)
        ranks = "".join(str(len(axis)) for axis in axes)  # parts that count their channels otherwise share nothing
        yield module, name, f"{weight.shared if weight else path}:{ranks}".replace(".", "/"), axes


def _cut(module: str, name: str, key: str, axes: tuple[Axis, ...], span: Axis) -> Cut:
    flat = [a for axis in axes for a in axis]
    place = tuple(slice(a.start - whole.start, a.stop - whole.start) for a, whole in zip(flat, span, strict=True))
    shape, sizes = tuple(prod(map(len, axis)) for axis in axes), iter(map(len, span))
    stored = tuple(prod(islice(sizes, len(axis))) for axis in axes)
    return Cut(module, name, key, stored, tuple(map(len, span)), place, shape)


def _cover(a: range, b: range) -> range:
    return range(min(a.start, b.start), max(a.stop, b.stop))
