"""An architecture with weights: a fold of its parts into one torch module, with the methods timm's users expect."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from glocal.design import Architecture, Conv, Depthwise, Part, adapt, parts
from glocal.design.architecture import classifier, head_split
from glocal.design.cost import ops
from glocal.design.op import leaves, steps
from glocal.errors import ShapeError
from glocal.net import layers
from glocal.net.attention import RelativeAttention
from glocal.net.build import build, layer
from glocal.net.init import initialise
from glocal.net.pyramid import Pyramid, reads_one_size


class Network(nn.Module):
    """Reads pictures as BCHW of the size in `arch.image`; where nothing depends on the size, any size that fits.

    built: the layers of every path, where they exist already, as in a supernet, of which this is then one path: they are
    shared, not copied, and keep their values.
    """

    def __init__(self, arch: Architecture, *, built: Mapping[str, nn.Sequential] | None = None) -> None:
        super().__init__()
        self.arch = arch
        fresh = built is None
        if built is None:
            built = {path: build(part.sentence, part.given) for path, part in parts(arch)}
        self.stem = built["stem"]
        self.stages = nn.Sequential(*(_stage(built, f"stages.{i}") for i in range(len(arch.stages))))
        self.head = built["head"]
        self._pooled_at = head_split(arch)
        self._channels_last = gains_from_channels_last(part for _, part in parts(arch))
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
        if x_BCHW.ndim != 4 or x_BCHW.shape[1] != self.arch.image.c:
            raise ShapeError(
                f"{self.arch.name} reads (batch, {self.arch.image.c}, height, width), not {tuple(x_BCHW.shape)}; "
                "create_model(..., in_chans=) changes the channels"
            )
        if not torch.compiler.is_compiling():
            self._check_size((x_BCHW.shape[2], x_BCHW.shape[3]))
        layout = torch.channels_last if self._channels_last else torch.contiguous_format
        x = self.stages(self.stem(x_BCHW.contiguous(memory_format=layout)))
        for module in [*self.head][: self._pooled_at]:
            x = module(x)
        return x

    def _check_size(self, size: tuple[int, int]) -> None:
        if size in self._sizes:
            return
        arch = self.arch
        if reads_one_size(arch) or any(isinstance(module, RelativeAttention) for module in self.modules()):
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
        return other

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Features to logits (B, num_classes), or with `pre_logits` to what the classifier reads (B, num_features)."""
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
        return Pyramid(self.arch, self.stem, self.stages, levels=levels, norm=norm, channels_last=self._channels_last)

    def get_classifier(self) -> nn.Module:
        """The last linear layer, or the identity where there is none."""
        return self.head[-1] if self.num_classes else nn.Identity()

    def reset_classifier(self, num_classes: int) -> None:
        """Puts a fresh classifier in place of the last linear layer; 0 takes it away. The other weights stay."""
        like = next(self.parameters())
        if self.num_classes:
            delattr(self.head, [name for name, _ in self.head.named_children()][-1])
        self.arch = adapt(self.arch, classes=num_classes)
        if num_classes:
            *_, (_, head) = parts(self.arch)
            *_, (name, op, given) = steps(self.arch.head, head.given)
            fresh = layer(op, given)
            initialise(op, fresh, scheme=self.arch.init)
            self.head.add_module(name, fresh.to(device=like.device, dtype=like.dtype))


def gains_from_channels_last(of: Iterable[Part]) -> bool:
    """Whether a network of these parts better reads pictures laid out position by position: where there are convolutions, but
    not with depthwise kernels above 7, whose channels-last code is slow (docs/log.md; timm's tables of ConvMixer on GPUs say
    the same)."""
    spelled = [op for part in of for _, op, _ in leaves(part.sentence, part.given)]
    depthwise = [op.kernel for op in spelled if isinstance(op, Depthwise)]
    dense = any(isinstance(op, Conv) and op.kernel > op.stride for op in spelled)
    return (dense or bool(depthwise)) and max(depthwise, default=0) <= 7


def _stage(built: Mapping[str, nn.Sequential], path: str) -> nn.Sequential:
    stage: OrderedDict[str, nn.Module] = OrderedDict()
    if f"{path}.downsample" in built:
        stage["downsample"] = built[f"{path}.downsample"]
    stage["blocks"] = nn.Sequential(*(block for name, block in built.items() if name.startswith(f"{path}.blocks.")))
    return nn.Sequential(stage)


def _set_drop_path(block: nn.Module, rate: float) -> None:
    for module in block.modules():
        if isinstance(module, layers.Residual):
            module.drop_path = rate
