"""A network without its head, as the maps that detectors and segmenters read: one for each resolution, finest first."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from glocal.design import (
    Architecture,
    AreaAttention,
    Grid,
    LearnedPosition,
    SinePosition,
    Tokens,
    Unflatten,
    Vector,
    adapt,
    parts,
)
from glocal.design.cost import ops
from glocal.errors import ShapeError
from glocal.net import layers

OF_ONE_GRID = (LearnedPosition, SinePosition, Unflatten, AreaAttention)  # ops whose layers are built for one grid
_REMEMBERED = 256  # picture sizes; training at several scales sees some dozens


class Level(NamedTuple):
    """The last map at one resolution: the path of the module that leaves it, its channels, pixels from place to place."""

    path: str
    width: int
    stride: int


def levels_of(arch: Architecture) -> tuple[Level, ...]:
    """The levels of an architecture, finest first; stages at one resolution (CoAtNet-6's S3) and a stem at the first
    stage's (ConvNeXt, ResNet) share a level."""
    _, h, w = arch.image
    vast = _left(adapt(arch, size=(h << 12, w << 12)))  # so large that no rounding shows in the ratio of sides
    strides = [round((h << 12) / shape.h) for shape in vast]
    last = {stride: i for i, stride in enumerate(strides)}
    return tuple(Level(f"stages.{i - 1}" if i else "stem", vast[i].c, stride) for stride, i in last.items())


def reads_one_size(arch: Architecture) -> bool:
    """Whether the layers fit only the picture size that they are built for."""
    return any(isinstance(op, OF_ONE_GRID) for _, op, _ in ops(arch))


class Pyramid(nn.Module):
    """Stem and stages of a network, shared with it and not copied, up to the last level asked for.

    Pictures of any size that the strides allow are read; tables of offsets are resized on the way. Networks with positions
    or areas, and under torch.compile all with tokens, read only the size that they are built for.
    """

    def __init__(
        self,
        arch: Architecture,
        stem: nn.Sequential,
        stages: nn.Sequential,
        *,
        levels: Sequence[int] | None = None,
        norm: bool = False,
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        self.indices = _chosen(arch, levels)
        self.levels = tuple(levels_of(arch)[i] for i in self.indices)
        self._after = [0 if level.path == "stem" else int(level.path.split(".")[1]) + 1 for level in self.levels]
        self.arch = replace(arch, stages=arch.stages[: self._after[-1]], head=())
        self.stem, self.stages = stem, stages[: self._after[-1]]
        self.training, self.channels_last = stem.training, channels_last
        self.norms = [f"norm{i}" for i in self.indices] if norm else []
        for name, level in zip(self.norms, self.levels, strict=False):
            # As in the authors' detection code: a new norm for each output; the raw map goes on to the next stage.
            self.add_module(name, layers.LayerNorm2d(level.width, eps=1e-6).to(next(stem.parameters())))
        self._one_size = reads_one_size(self.arch)
        self._own = _left(self.arch)
        self._known = {(arch.image.h, arch.image.w): self._own}

    @property
    def strides(self) -> tuple[int, ...]:
        """Pixels of the picture from place to place, level by level."""
        return tuple(level.stride for level in self.levels)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels, level by level."""
        return tuple(level.width for level in self.levels)

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        """Pictures to maps BCHW, finest first; tokens are back on their grid, without class tokens."""
        shapes = self._shapes(x_BCHW)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        x, maps = x_BCHW.contiguous(memory_format=layout), []
        for i, module in enumerate((self.stem, *self.stages)):
            x = module(x)
            if i in self._after:
                maps.append(_on_grid(x, shapes[i]))
        if not self.norms:
            return maps
        return [self.get_submodule(name)(map_BCHW) for name, map_BCHW in zip(self.norms, maps, strict=True)]

    def _shapes(self, x_BCHW: Tensor) -> list[Grid | Tokens]:
        """What stem and stages leave of these pictures; ShapeError where they cannot be read, before a layer runs."""
        if x_BCHW.ndim != 4 or x_BCHW.shape[1] != self.arch.image.c:
            raise ShapeError(
                f"{self.arch.name} reads (batch, {self.arch.image.c}, height, width), not {tuple(x_BCHW.shape)}; "
                "create_model(..., in_chans=) changes the channels"
            )
        (h, w), own = x_BCHW.shape[2:], (self.arch.image.h, self.arch.image.w)
        compiled = torch.compiler.is_compiling()  # then sides may be symbols; grids need none, and tokens their own
        if (h, w) != own and (self._one_size or (compiled and any(isinstance(s, Tokens) for s in self._own))):
            raise ShapeError(
                f"{self.arch.name} is built for pictures of {own[0]}x{own[1]}, not {h}x{w}; "
                f"build it for that size: create_model(..., img_size=({h}, {w}))"
            )
        if compiled:
            return self._own
        size = int(h), int(w)
        if size not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[size] = _left(adapt(self.arch, size=size))
        return self._known[size]


def _left(arch: Architecture) -> list[Grid | Tokens]:
    """What the stem leaves, and each stage."""
    left: list[Grid | Tokens] = [arch.image] * (len(arch.stages) + 1)
    for path, part in parts(arch):
        room, _, rest = path.partition(".")
        if room != "head":
            assert not isinstance(part.left, Vector), "only a head pools"
            i = int(rest.split(".")[0]) + 1 if rest else 0
            left[i:] = [part.left] * (len(left) - i)
    return left


def _chosen(arch: Architecture, asked: Sequence[int] | None) -> tuple[int, ...]:
    every = levels_of(arch)
    if asked is None:
        return tuple(range(len(every)))
    chosen = {i % len(every) for i in asked if -len(every) <= i < len(every)}
    if not chosen or len(chosen) != len(asked):
        there = ", ".join(f"{i} (stride {level.stride})" for i, level in enumerate(every))
        raise ShapeError(f"{arch.name} has level {there}; choose from them, each once, not {asked}")
    return tuple(sorted(chosen))


def _on_grid(x: Tensor, shape: Grid | Tokens) -> Tensor:
    if isinstance(shape, Tokens):
        return x[:, shape.extra :].mT.unflatten(2, (shape.h, shape.w))
    return x
