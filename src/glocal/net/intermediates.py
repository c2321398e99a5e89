"""What a network computes on the way to its features, in timm's terms: maps after some of its levels or blocks."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from glocal.design import Architecture, Grid, Norm, Shape, Tokens, adapt, parts
from glocal.errors import ShapeError
from glocal.net.blocks import Blocks
from glocal.net.pyramid import REMEMBERED, chosen, levels_of, on_grid


class Place(NamedTuple):
    """Where a map is taken: the path of the module that leaves it, its channels, pixels from position to position."""

    path: str
    width: int
    stride: int


def places(arch: Architecture) -> tuple[Place, ...]:
    """The levels of a network of several resolutions; of a network of one, each of its blocks, as in timm's ViT."""
    levels = levels_of(arch)
    blocks = [] if len(levels) > 1 else [(path, part) for path, part in parts(arch) if ".blocks." in path]
    if blocks:
        return tuple(Place(path, part.left.c, levels[0].stride) for path, part in blocks)
    return tuple(Place(*level) for level in levels)


def feature_info(found: Sequence[Place]) -> list[dict[str, Any]]:
    """The places in the words of timm's FeatureInfo."""
    return [{"num_chs": place.width, "reduction": place.stride, "module": place.path} for place in found]


def shapes_on_the_way(arch: Architecture, size: tuple[int, int]) -> dict[str, Shape]:
    """What the stem, each stage and each block leave of pictures of a size, by path; under "head", what the head is given."""
    found: dict[str, Shape] = {}
    for path, part in parts(arch if size == (arch.image.h, arch.image.w) else adapt(arch, size=size)):
        found[path] = part.given if path == "head" else part.left
        if path.startswith("stages."):
            found[".".join(path.split(".")[:2])] = part.left
    for i in range(len(arch.stages)):  # a stage of no words leaves what it is given
        found.setdefault(f"stages.{i}", found[f"stages.{i - 1}"] if i else found["stem"])
    return found


class Route:
    """The places of an architecture at which maps can be taken, and the shapes there for each size of pictures met."""

    def __init__(self, arch: Architecture) -> None:
        self.arch, self.places = arch, places(arch)
        self._own = (arch.image.h, arch.image.w)
        self._shapes = {self._own: shapes_on_the_way(arch, self._own)}

    def shapes(self, size: tuple[int, int]) -> dict[str, Shape]:
        """`shapes_on_the_way` of pictures of a size. A compiler's sides may be symbols: grids need none, tokens their own."""
        if torch.compiler.is_compiling():
            return self._shapes[self._own]
        if size not in self._shapes:
            if len(self._shapes) >= REMEMBERED:
                self._shapes = {self._own: self._shapes[self._own]}
            self._shapes[size] = shapes_on_the_way(self.arch, size)
        return self._shapes[size]

    def chosen(self, indices: int | Sequence[int] | None) -> list[str]:
        """The paths of the places asked for: all, so many from the end, or those of the indices; ShapeError for others."""
        asked = range(-indices, 0) if isinstance(indices, int) else indices
        return [self.places[i].path for i in chosen(self.arch.name, [place.path for place in self.places], asked)]


class Modules(NamedTuple):
    """The modules of a network in forward order; the last are the head's layers that still see positions."""

    stem: nn.Module
    stages: nn.Sequential
    before_pooling: Sequence[nn.Module]


def follow(
    route: Route, modules: Modules, x: Tensor, taken: Sequence[str], *, norm: bool, stop_early: bool, output_fmt: str
) -> tuple[Tensor, list[Tensor]]:
    """The features, or what the last module leaves where it stops early, and the maps of the places asked for."""
    if output_fmt not in ("NCHW", "NLC"):
        raise ShapeError(f"{route.arch.name}: output_fmt is {output_fmt!r}; possible are 'NCHW' and 'NLC'")
    shapes = route.shapes((x.shape[2], x.shape[3]))
    maps: list[Tensor] = []
    for path, step in _steps(modules, by_block=any(".blocks." in place.path for place in route.places)):
        x = step(x)
        if path in taken:
            readable = norm and shapes[path] == shapes["head"]
            maps.append(_formatted(_normed(route.arch, modules, x) if readable else x, shapes[path], output_fmt))
        if stop_early and len(maps) == len(taken):
            return x, maps
    for module in modules.before_pooling:
        x = module(x)
    return x, maps


def _steps(modules: Modules, *, by_block: bool) -> Iterator[tuple[str, Callable[[Tensor], Tensor]]]:
    """The modules in order, each with its path: whole stages, or their downsamplings and blocks."""
    yield "stem", modules.stem
    for i, stage in enumerate(modules.stages):
        for name, child in stage.named_children() if by_block else ():
            if isinstance(child, Blocks):
                yield from ((f"stages.{i}.{name}.{j}", partial(child.step, block)) for j, block in enumerate(child))
            else:
                yield f"stages.{i}.{name}", child
        if not by_block:
            yield f"stages.{i}", stage


def _normed(arch: Architecture, modules: Modules, x: Tensor) -> Tensor:
    """What the norms with which the head begins make of x; x itself where the head begins otherwise."""
    for op, module in zip(arch.head, modules.before_pooling, strict=False):
        if not isinstance(op, Norm):
            break
        x = module(x)
    return x


def _formatted(x: Tensor, shape: Shape, output_fmt: str) -> Tensor:
    assert isinstance(shape, Grid | Tokens), "only a head pools"
    if output_fmt == "NCHW":
        return on_grid(x, shape)
    return x[:, shape.extra :] if isinstance(shape, Tokens) else x.flatten(2).mT
