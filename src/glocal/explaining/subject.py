"""What is explained: a network with the places at which its maps can be read, found without anybody naming a layer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from glocal.design import Architecture, Grid, Tokens, adapt, parts
from glocal.design.architecture import head_split
from glocal.design.op import steps
from glocal.errors import ArchitectureError
from glocal.net.network import Network
from glocal.weights.networks.timm_network import TimmNetwork

FEATURES = "forward_features"  # the path that stands for what this method of timm's networks returns
_ENOUGH = 16  # positions that a map needs to show a place


class Place(NamedTuple):
    """A module whose output is a map: its path, how its output is laid out, its grid, and the class tokens in front."""

    path: str
    layout: Literal["BCHW", "BHWC", "BNC"]
    h: int
    w: int
    extra: int = 0

    @property
    def n(self) -> int:
        """Positions of the grid."""
        return self.h * self.w

    def to_grid(self, x: Tensor) -> Tensor:
        """The output as BCHW, without class tokens."""
        if self.layout == "BNC":
            x_BCHW: Tensor = x[:, self.extra :].mT.unflatten(2, (self.h, self.w))
            return x_BCHW
        return x.permute(0, 3, 1, 2) if self.layout == "BHWC" else x

    def put_back(self, grid_BCHW: Tensor, x: Tensor) -> Tensor:
        """The inverse of `to_grid`; class tokens are taken from x."""
        if self.layout == "BNC":
            return torch.cat((x[:, : self.extra], grid_BCHW.flatten(2).mT), 1)
        return grid_BCHW.permute(0, 2, 3, 1) if self.layout == "BHWC" else grid_BCHW


@dataclass(frozen=True, eq=False)
class Subject:
    """A network in evaluation mode, the size of its pictures (h, w), its channels, and its places from the stem on.

    name: of the architecture, or of the class of a module of timm's.
    arch: of a network of glocal; None for one of timm's. multi_label: whether the probability of each class stands for itself.
    """

    network: nn.Module
    size: tuple[int, int]
    channels: int
    places: tuple[Place, ...]
    name: str
    arch: Architecture | None = None
    multi_label: bool = False

    def probabilities(self, x_BCHW: Tensor) -> Tensor:
        """(B, classes) of normalised pictures, without the temperature."""
        logits_BK: Tensor = self.network(x_BCHW).float()
        return logits_BK.sigmoid() if self.multi_label else logits_BK.softmax(1)

    @property
    def last_block(self) -> Place:
        """The last place before the head, whose norm would make all positions equally long."""
        inside = [place for place in self.places if not place.path.startswith("head.") and place.path != FEATURES]
        return inside[-1] if inside else self.places[-1]


def subject_of(network: nn.Module, size: tuple[int, int] | None = None) -> Subject:
    """Prepares a network of glocal, or one that `timm.create_model` made, for explanations; puts it into evaluation mode.

    size: of the pictures (h, w); the network's own by default. ArchitectureError for any other module.
    """
    network.eval()
    if isinstance(network, Network):
        arch = network.arch if size is None else adapt(network.arch, size=size)
        several = network.description.multi_label
        return Subject(network, (arch.image.h, arch.image.w), arch.image.c, _places_of(arch), arch.name, arch, several)
    if isinstance(network, TimmNetwork):
        image = network.arch.image
        subject = _timm_subject(network.model, size or (image.h, image.w), channels=image.c, name=network.arch.name)
        return replace(subject, multi_label=network.description.multi_label)
    if not hasattr(network, "forward_features"):
        raise ArchitectureError(
            f"{type(network).__name__} has no method forward_features; give a network of glocal or of timm.create_model"
        )
    settings: dict[str, Any] = getattr(network, "pretrained_cfg", {})
    channels, height, width = settings.get("input_size", (3, 224, 224))
    return _timm_subject(network, size or (height, width), channels=channels, name=type(network).__name__)


def _timm_subject(module: nn.Module, size: tuple[int, int], *, channels: int, name: str) -> Subject:
    return Subject(module, size, channels, _measured_places(module, (1, channels, *size)), name)


def _places_of(arch: Architecture) -> tuple[Place, ...]:
    """The stem, downsamplings, blocks, and the layers of the head before it pools, as the architecture's data says."""
    found = []
    for path, part in parts(arch):
        if path == "head":
            before = [*steps(arch.head, part.given)][: head_split(arch)]
            found += [_place(f"head.{name}", op.out(given)) for name, op, given in before]
        else:
            found.append(_place(path, part.left))
    return tuple(found)


def _place(path: str, s: object) -> Place:
    assert isinstance(s, Grid | Tokens), "only the end of a head pools"
    return Place(path, "BNC", s.h, s.w, s.extra) if isinstance(s, Tokens) else Place(path, "BCHW", s.h, s.w)


def _measured_places(network: nn.Module, shape: tuple[int, ...]) -> tuple[Place, ...]:
    """The modules that timm's `feature_info` lists, and what `forward_features` returns, by the shapes of their outputs."""
    info: Any = getattr(network, "feature_info", [])
    listed = {each["module"]: each["num_chs"] for each in (info if isinstance(info, list | tuple) else info.info)}
    paths = [path for path in dict.fromkeys(listed) if path in dict(network.named_modules())]
    extra = int(getattr(network, "num_prefix_tokens", 0))
    with torch.no_grad(), recorded(network, (*paths, FEATURES)) as outputs:
        network(torch.zeros(shape))
    listed[FEATURES] = int(getattr(network, "num_features", 0))
    places = (
        _measured(path, outputs[path], listed[path], extra, shape) for path in (*paths, FEATURES) if path in outputs
    )
    return tuple(place for place in places if place is not None)


def _measured(path: str, x: object, channels: int, extra: int, shape: tuple[int, ...]) -> Place | None:
    if not isinstance(x, Tensor) or x.ndim not in (3, 4):
        return None
    if x.ndim == 4:
        first = x.shape[1] == channels or x.shape[-1] != channels
        return Place(path, "BCHW", *x.shape[2:]) if first else Place(path, "BHWC", *x.shape[1:3])
    n = x.shape[1] - extra
    h = max(1, round((n * shape[2] / shape[3]) ** 0.5))
    return Place(path, "BNC", h, n // h, extra) if n % h == 0 else None


@contextmanager
def recorded(network: nn.Module, paths: tuple[str, ...]) -> Iterator[dict[str, Tensor]]:
    """What the modules of these paths return in the block's forward passes, by path; the latest alone."""
    outputs: dict[str, Tensor] = {}

    def record(path: str, x: Tensor) -> Tensor:
        outputs[path] = x
        return x

    with _changed(network, paths, record):
        yield outputs


@contextmanager
def _changed(network: nn.Module, paths: tuple[str, ...], change: Any) -> Iterator[None]:
    """Replaces what the modules of these paths return by change(path, output)."""
    hooks: list[RemovableHandle] = []
    try:
        for path in paths:
            if path == FEATURES:
                compute = network.forward_features
                # On the instance, in front of the method of its class.
                setattr(network, FEATURES, lambda *a, compute=compute, **k: change(FEATURES, compute(*a, **k)))
            else:
                module = network.get_submodule(path)
                hooks.append(module.register_forward_hook(lambda _, __, x, path=path: change(path, x)))
        yield
    finally:
        for hook in hooks:
            hook.remove()
        vars(network).pop(FEATURES, None)


class Tap(nn.Module):
    """The identity, through which the map of a place passes as BCHW whatever the layout of the place."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """The same tensor."""
        return x_BCHW


@contextmanager
def tapped(subject: Subject, place: Place) -> Iterator[Tap]:
    """A module through which the map of a place passes in the block's forward passes; hooks on it read and change the map."""
    tap = Tap()
    with _changed(subject.network, (place.path,), lambda _, x: place.put_back(tap(place.to_grid(x)), x)):
        yield tap


def readable_place(subject: Subject) -> Place:
    """The place at which a class's score can be traced to positions: going back from the pooling, the last one on whose
    positions the score depends.

    After the last attention, the score of a network with a class token depends on no other token, so that maps read there are
    zero; the gradient of one forward pass on noise finds the place before it. Places of fewer than 4 x 4 positions, which
    show nothing, count only where there are no others.
    """
    x = torch.randn(2, subject.channels, *subject.size, generator=torch.Generator().manual_seed(0))
    x = x.to(next(subject.network.parameters())).requires_grad_()
    paths = tuple(place.path for place in subject.places)
    with torch.enable_grad(), recorded(subject.network, paths) as outputs:
        score = subject.network(x).amax(1).sum()
        found = [(place, outputs[place.path]) for place in subject.places if outputs[place.path].requires_grad]
        gradients = torch.autograd.grad(score, [output for _, output in found], allow_unused=True)
    reached = {
        place: 0.0 if g is None else float((place.to_grid(g).abs().amax(1) > 0).float().mean())
        for (place, _), g in zip(found, gradients, strict=True)
    }
    most = max(place.n for place in reached)
    wanted = [place for place in reached if place.n >= min(_ENOUGH, most)]
    best = max(reached[place] for place in wanted)
    return next(place for place in reversed(wanted) if reached[place] >= 0.9 * best)
