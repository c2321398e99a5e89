"""A network of timm with the methods that glocal asks of a network: the adapter around timm's module."""

from copy import deepcopy
from dataclasses import replace

from torch import Tensor, nn

from glocal.errors import ShapeError
from glocal.net.inputs import check_pictures
from glocal.net.saving.hub import Description
from glocal.weights.networks.timm_architecture import TimmArchitecture
from glocal.weights.networks.timm_creation import create_timm_module, takes_size


class TimmNetwork(nn.Module):
    """timm's module as `model`. `description` is what the file of its weights says of it, which travels with the network."""

    def __init__(self, arch: TimmArchitecture) -> None:
        super().__init__()
        self.arch = arch
        self.description = Description()
        self.model = create_timm_module(arch)
        self._one_size = takes_size(arch)

    @property
    def num_classes(self) -> int:
        """Number of logits; 0 without a classifier."""
        return self.arch.classes

    @property
    def in_chans(self) -> int:
        """Channels of the pictures."""
        return self.arch.image.c

    @property
    def num_features(self) -> int:
        """Width of the pooled vector that the classifier reads."""
        return int(getattr(self.model, "head_hidden_size", None) or self.model.num_features)  # type: ignore[arg-type]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Pictures to logits (B, num_classes)."""
        self._check(x_BCHW)
        logits: Tensor = self.model(x_BCHW)
        return logits

    def forward_features(self, x_BCHW: Tensor) -> Tensor:
        """What timm's method of this name gives, which its pooling reads."""
        self._check(x_BCHW)
        features: Tensor = self.model.forward_features(x_BCHW)  # type: ignore[operator]
        return features

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Features to logits, or with `pre_logits` to what the classifier reads."""
        found: Tensor = self.model.forward_head(x, pre_logits=pre_logits)  # type: ignore[operator]
        return found

    def _check(self, x_BCHW: Tensor) -> None:
        check_pictures(self.arch, x_BCHW)
        _, h, w = self.arch.image
        if self._one_size and tuple(x_BCHW.shape[2:]) != (h, w):
            size = "x".join(map(str, x_BCHW.shape[2:]))
            raise ShapeError(
                f"{self.arch.name} is built for pictures of {h}x{w}, not {size}; take network.resized(size)"
            )

    def get_classifier(self) -> nn.Module:
        """The layer that makes the logits; all of them, where a network has several."""
        found = self.model.get_classifier()  # type: ignore[operator]
        return nn.ModuleList(found) if isinstance(found, tuple | list) else found

    def reset_classifier(self, num_classes: int) -> None:
        """Puts a fresh classifier in place of the old one; 0 takes it away. The other weights stay."""
        like = next(self.parameters())
        self.model.reset_classifier(num_classes)  # type: ignore[operator]
        self.to(device=like.device, dtype=like.dtype)
        self.arch = self.arch.adapted(classes=num_classes)
        self.description = replace(self.description, labels=(), temperature=1.0)

    def resized(self, size: int | tuple[int, int]) -> "TimmNetwork":
        """A copy for pictures of another size, one side or (height, width): timm carries tables of positions to the new grid, all
        other weights are the same numbers. ShapeError for a network that timm cannot resize."""
        h, w = (size, size) if isinstance(size, int) else size
        if (h, w) == (self.arch.image.h, self.arch.image.w):
            return deepcopy(self)
        resize = getattr(self.model, "set_input_size", None)
        if self._one_size and resize is None:
            raise ShapeError(
                f"{self.arch.name} was made for pictures of {self.arch.image.h}x{self.arch.image.w} and timm cannot resize it"
            )
        other = deepcopy(self)
        if resize is not None:
            try:
                other.model.set_input_size(img_size=(h, w))  # type: ignore[operator]
            except (AssertionError, RuntimeError, ValueError) as error:
                raise ShapeError(f"pictures of {h}x{w} do not fit {self.arch.name}: {error}") from None
        other.arch = self.arch.adapted(size=(h, w))
        return other
