"""A network without its head, as the maps that detectors and segmenters read: one for each resolution, finest first."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from glocal.design import Architecture, Grid, Tokens, Vector, adapt, parts
from glocal.design.cost import ops
from glocal.errors import ShapeError
from glocal.net import layers
from glocal.net.blocks import Blocks
from glocal.net.inputs import check_pictures
from glocal.net.layout import Layout, laid_out

REMEMBERED = 256  # picture sizes; training at several scales sees some dozens


class Level(NamedTuple):
    """The last map at one resolution: the path of the module that leaves it, its channels, pixels from place to place."""

    path: str
    width: int
    stride: int


def levels_of(arch: Architecture) -> tuple[Level, ...]:
    """The levels of an architecture, finest first; stages at one resolution (CoAtNet-6's S3) and a stem at the first
    stage's (ConvNeXt, ResNet) share a level."""
    _, h, w = arch.image
    large = h << 12, w << 12  # no rounding shows in the ratio of such sides
    try:
        side, left = large[0], _left(adapt(arch, size=large))
    except ShapeError:  # areas that do not divide so large a grid
        side, left = h, _left(arch)
    last = {round(side / shape.h): i for i, shape in enumerate(left)}
    return tuple(Level(f"stages.{i - 1}" if i else "stem", left[i].c, stride) for stride, i in last.items())


def reads_one_size(arch: Architecture) -> bool:
    """Whether the layers fit only the picture size that they are built for."""
    return any(op.sizes == "one" for _, op, _ in ops(arch))


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
        layout: Layout = "plain",
    ) -> None:
        super().__init__()
        every = levels_of(arch)
        self.indices = chosen(arch.name, [f"stride {level.stride}" for level in every], levels)
        self.levels = tuple(every[i] for i in self.indices)
        self._after = [0 if level.path == "stem" else int(level.path.split(".")[1]) + 1 for level in self.levels]
        self.arch = replace(arch, stages=arch.stages[: self._after[-1]], head=())
        self.stem, self.stages = stem, stages[: self._after[-1]]
        self.training, self.layout = stem.training, layout
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

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """As `Network.set_grad_checkpointing`, of the blocks that this pyramid shares with its network."""
        for module in self.stages.modules():
            if isinstance(module, Blocks):
                module.checkpointed = enable

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        """Pictures to maps BCHW, finest first; tokens are back on their grid, without class tokens."""
        shapes = self._shapes(x_BCHW)
        x, maps = laid_out(x_BCHW, self.layout), []
        for i, module in enumerate((self.stem, *self.stages)):
            x = module(x)
            if i in self._after:
                maps.append(on_grid(x, shapes[i]))
        if not self.norms:
            return maps
        return [self.get_submodule(name)(map_BCHW) for name, map_BCHW in zip(self.norms, maps, strict=True)]

    def _shapes(self, x_BCHW: Tensor) -> list[Grid | Tokens]:
        """What stem and stages leave of these pictures; ShapeError where they cannot be read, before a layer runs."""
        check_pictures(self.arch, x_BCHW)
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
            if len(self._known) >= REMEMBERED:
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


def chosen(name: str, there: Sequence[str], asked: Sequence[int] | None) -> tuple[int, ...]:
    """The indices asked for, from 0 or backwards from -1, in ascending order; None asks for all. ShapeError lists what is
    there where one is not, is asked for twice, or none is asked for."""
    if asked is None:
        return tuple(range(len(there)))
    found = {i % len(there) for i in asked if -len(there) <= i < len(there)}
    if not found or len(found) != len(asked):
        listed = ", ".join(f"{i} ({what})" for i, what in enumerate(there))
        raise ShapeError(f"{name} has level {listed}; choose from them, each once, not {asked}")
    return tuple(sorted(found))


def on_grid(x: Tensor, shape: Grid | Tokens) -> Tensor:
    """A grid as it is; tokens back on theirs, without class tokens."""
    if isinstance(shape, Tokens):
        x = x[:, shape.extra :].mT.unflatten(2, (shape.h, shape.w))
    return x
