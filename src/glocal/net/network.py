"""An architecture with weights: a fold of its parts into one torch module, with the methods timm's users expect."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from glocal.design import Architecture, adapt, parts
from glocal.design.architecture import classifier, head_split
from glocal.design.cost import ops
from glocal.design.op import steps
from glocal.errors import ShapeError
from glocal.net import layers
from glocal.net.blocks import Blocks
from glocal.net.build import build, layer
from glocal.net.card import card, checked_pooling, fixed_size, pooling
from glocal.net.init import initialise
from glocal.net.inputs import check_pictures
from glocal.net.intermediates import Modules, Route, feature_info, follow
from glocal.net.layout import Layout, laid_out
from glocal.net.parameter_groups import group_matcher, no_weight_decay
from glocal.net.pyramid import Pyramid
from glocal.net.room import check_room
from glocal.net.saving.hub import OnTheHub


class Network(OnTheHub):
    """Reads pictures as BCHW of the size in `arch.image`; where nothing depends on the size, any size that fits.

    built: the layers of every path, where they exist already, as in a supernet, of which this is then one path: they are
    shared, not copied, and keep their values.

    layout: how pictures are laid out in memory before the stem, `net.layout`. It decides the speed and the last bits.
    """

    layout: Layout = "plain"

    def __init__(self, arch: Architecture, *, built: Mapping[str, nn.Sequential] | None = None) -> None:
        super().__init__(arch)
        fresh = built is None
        if built is None:
            check_room(arch)
            built = {path: build(part.sentence, part.given) for path, part in parts(arch)}
        self.global_pool = pooling(arch)
        self._route: Route | None = None
        self.stem = built["stem"]
        self.stages = nn.Sequential(*(_stage(built, f"stages.{i}") for i in range(len(arch.stages))))
        self.head = built["head"]
        self._pooled_at = head_split(arch)
        self._sizes = {(arch.image.h, arch.image.w)}
        blocks = [module for path, module in built.items() if ".blocks." in path]
        for i, block in enumerate(blocks):
            _set_drop_path(block, arch.drop_path * i / max(1, len(blocks) - 1))
        for path, op, _ in ops(arch) if fresh else ():
            initialise(op, self.get_submodule(path), scheme=arch.init)

    @property
    def num_features(self) -> int:
        """Width of the pooled vector that the classifier reads."""
        *_, (_, head) = parts(adapt(self.arch, classes=0))
        return head.left.c

    @property
    def num_classes(self) -> int:
        """Number of logits; 0 without a classifier."""
        last = classifier(self.arch)
        return last.width if last else 0

    def forward_features(self, x_BCHW: Tensor) -> Tensor:
        """What the pooling reads: a grid BCHW or normalised tokens BNC."""
        x: Tensor = self.stages(self.stem(self._laid_out(x_BCHW)))
        for module in self._before_pooling():
            x = module(x)
        return x

    def _laid_out(self, x_BCHW: Tensor) -> Tensor:
        """Pictures in the memory layout that the stem wants; an error where they cannot be read."""
        check_pictures(self.arch, x_BCHW)
        if not torch.compiler.is_compiling():
            self._check_size((x_BCHW.shape[2], x_BCHW.shape[3]))
        return laid_out(x_BCHW, self.layout)

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        *,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """The features and maps on the way to them, as timm's method of this name; the maps alone with `intermediates_only`.

        indices: of `feature_info`: the levels, or the blocks of a network of one resolution; None for all, a number for so
        many from the end. norm: apply the norms with which the head begins to the maps that it could read. stop_early: run
        no further than the last map. output_fmt: "NCHW" or "NLC". Class tokens are left out of the maps.
        """
        taken = self._routed().chosen(indices)
        modules = Modules(self.stem, self.stages, self._before_pooling())
        pictures = self._laid_out(x)
        found = follow(
            self._routed(), modules, pictures, taken, norm=norm, stop_early=stop_early, output_fmt=output_fmt
        )
        return found[1] if intermediates_only else found

    @property
    def feature_info(self) -> list[dict[str, Any]]:
        """The maps that `forward_intermediates` can give: timm's `num_chs`, `reduction` and `module` of each."""
        return feature_info(self._routed().places)

    def _routed(self) -> Route:
        if self._route is None or self._route.arch is not self.arch:
            self._route = Route(self.arch)
        return self._route

    def _before_pooling(self) -> list[nn.Module]:
        return [*self.head][: self._pooled_at]

    def _check_size(self, size: tuple[int, int]) -> None:
        if size in self._sizes:
            return
        arch = self.arch
        if fixed_size(arch):
            raise ShapeError(
                f"{arch.name} has positions for pictures of {arch.image.h}x{arch.image.w}, not {size[0]}x{size[1]}; "
                f"build it for that size: create_model(..., img_size={size}), or take network.resized({size})"
            )
        adapt(arch, size=size)
        self._sizes.add(size)

    def resized(self, size: int | tuple[int, int]) -> "Network":
        """A copy for pictures of another size, one side or (height, width): tables of positions and offsets are carried to
        the new grid as their papers do, all other weights are the same numbers. ShapeError where the size does not fit."""
        other = Network(adapt(self.arch, size=size)).to(next(self.parameters())).train(self.training)
        state = self.state_dict()
        for key in [key for key in state if key.endswith(".table")]:
            path = key.removesuffix(".table")
            state[key] = other.get_submodule(path).carried(state[key], self.get_submodule(path).grid)  # type: ignore[operator]
        other.load_state_dict(state)
        other.description, other.global_pool, other.layout = self.description, self.global_pool, self.layout
        return other

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Features to logits (B, num_classes), or with `pre_logits` to what the classifier reads (B, num_features); the
        features as they are where `global_pool` is empty."""
        if not self.global_pool:
            return x
        last = len(self.head) - bool(pre_logits and self.num_classes)
        for module in [*self.head][self._pooled_at : last]:
            x = module(x)
        return x

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Pictures to logits (B, num_classes)."""
        return self.forward_head(self.forward_features(x_BCHW))

    def features(self, levels: Sequence[int] | None = None, *, norm: bool = False) -> Pyramid:
        """Stem and stages, shared with this network, as maps for detectors and segmenters; all levels, or those of an index.

        With `norm`, each map gets a new LayerNorm of its own, as in ConvNeXt's detection code.
        """
        return Pyramid(self.arch, self.stem, self.stages, levels=levels, norm=norm, layout=self.layout)

    def get_classifier(self) -> nn.Module:
        """The last linear layer, or the identity where there is none."""
        return self.head[-1] if self.num_classes else nn.Identity()

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Puts a fresh classifier in place of the last linear layer; 0 takes it away. The other weights stay.

        global_pool: as in `set_pooling`, which it calls.
        """
        pooled = checked_pooling(self.arch, self.global_pool if global_pool is None else global_pool, num_classes)
        like = next(self.parameters())
        if self.num_classes:
            delattr(self.head, [name for name, _ in self.head.named_children()][-1])
        self.arch = adapt(self.arch, classes=num_classes)
        self.global_pool, self.description = pooled, replace(self.description, labels=(), temperature=1.0)
        if num_classes:
            *_, (_, head) = parts(self.arch)
            *_, (name, op, given) = steps(self.arch.head, head.given)
            fresh = layer(op, given)
            initialise(op, fresh, scheme=self.arch.init)
            self.head.add_module(name, fresh.to(device=like.device, dtype=like.dtype))

    def set_pooling(self, global_pool: str) -> None:
        """The network's own pooling, or "" for a network without classes that gives its features as they are.

        ArchitectureError for any other, which would need another head.
        """
        self.global_pool = checked_pooling(self.arch, global_pool, self.num_classes)

    # ------------------------------------------------------------------------------------- what code for timm asks for

    @property
    def pretrained_cfg(self) -> dict[str, Any]:
        """What timm's data pipeline and optimisers ask of a model, always as the network is now; see `card`."""
        return card(self.arch, preprocess=self.preprocess, labels=self.labels)

    @property
    def default_cfg(self) -> dict[str, Any]:
        """timm's older name of `pretrained_cfg`."""
        return self.pretrained_cfg

    @property
    def head_hidden_size(self) -> int:
        """timm's name of `num_features` where it means what the classifier reads."""
        return self.num_features

    @property
    def in_chans(self) -> int:
        """Channels of the pictures."""
        return self.arch.image.c

    @property
    def grad_checkpointing(self) -> bool:
        """Whether the backward pass computes the activations of blocks anew."""
        return any(isinstance(module, Blocks) and module.checkpointed for module in self.stages.modules())

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Lets the backward pass compute the activations of each block anew instead of keeping them: the same gradients and
        running statistics for less memory and the time of one more forward pass."""
        for module in self.stages.modules():
            if isinstance(module, Blocks):
                module.checkpointed = enable

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """timm's patterns for rates that decay from layer to layer: each block, or each stage where coarse, is a layer."""
        names = [name for name, _ in self.head.named_children()][: self._pooled_at]
        return group_matcher(names, coarse=coarse)

    def no_weight_decay(self) -> set[str]:
        """The names of parameters that timm's optimisers spare besides those of one axis: positions, class tokens and the
        tables of offsets."""
        return set(no_weight_decay(self))


def _stage(built: Mapping[str, nn.Sequential], path: str) -> nn.Sequential:
    stage: OrderedDict[str, nn.Module] = OrderedDict()
    if f"{path}.downsample" in built:
        stage["downsample"] = built[f"{path}.downsample"]
    stage["blocks"] = Blocks(*(block for name, block in built.items() if name.startswith(f"{path}.blocks.")))
    return nn.Sequential(stage)


def _set_drop_path(block: nn.Module, rate: float) -> None:
    for module in block.modules():
        if isinstance(module, layers.Residual):
            module.drop_path = rate
