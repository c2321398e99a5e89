"""A copy of a network that only evaluates, with less to do: norms and scales in the weights of their neighbours, activations
inside convolutions, relative biases kept. The same logits up to rounding.
"""

import copy
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from glocal.errors import ArchitectureError, RunError
from glocal.net import layers
from glocal.net.attention import Attention, RelativeAttention
from glocal.net.network import Network

Dense = nn.Linear | nn.Conv1d | nn.Conv2d

# activations that oneDNN computes at the end of a convolution, by its name for them
INSIDE: dict[type[nn.Module], str] = {nn.ReLU: "relu", nn.GELU: "gelu", layers.GELU2d: "gelu"}


class Fused(Network):
    """What `fuse` returns: a Network that cannot be trained. Its weights have other names than the network's."""

    def train(self, mode: bool = True) -> "Fused":
        """Refuses training mode."""
        if mode:
            raise RunError(f"this {self.arch.name} is fused and only evaluates; train the network it was made from")
        super().train(False)
        return self

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> NoReturn:
        """Refuses: a classifier is trained."""
        raise RunError(f"this {self.arch.name} is fused; put another classifier into the network it was made from")

    def resized(self, size: int | tuple[int, int]) -> NoReturn:
        """Refuses: the weights are folded."""
        raise RunError(f"this {self.arch.name} is fused; resize the network it was made from, and fuse that again")

    def _save_pretrained(self, save_directory: Path) -> NoReturn:
        """Refuses: the weights are folded."""
        raise RunError(f"this {self.arch.name} is fused; save the network it was made from")

    def load_state_dict(self, *_: Any, **__: Any) -> NoReturn:
        """Refuses: the weights are folded."""
        raise RunError(f"this {self.arch.name} is fused; load into the network it was made from, and fuse that again")


def fuse(network: Network) -> Fused:
    """A copy of a network for evaluation, without gradients; the network itself is left as it is.

    Batch norms fold into the convolution before them, or into the dense layer after them; LayerScale folds into the dense
    layer before it; ReLU and GELU join the convolution before them where oneDNN has them (CPU, float32, no gradient asked
    for), and weights are kept a second time in the order that oneDNN wants for the last picture size, where that pays.
    ArchitectureError for a network of timm.
    """
    if not isinstance(network, Network):
        raise ArchitectureError(f"only networks of the design space can be fused, not a {type(network).__name__}")
    if isinstance(network, Fused):
        return network
    fused = copy.deepcopy(network)
    fused.__class__ = Fused
    fused.eval().requires_grad_(False)
    for sequence in [m for m in fused.modules() if isinstance(m, nn.Sequential)]:
        _rewrite(sequence)
    for module in [m for m in fused.modules() if isinstance(m, Attention)]:
        module.qkv, module.project = Packed(module.qkv), Packed(module.project)  # type: ignore[assignment]
        if isinstance(module, RelativeAttention):
            module.freeze()
    return fused  # type: ignore[return-value]


def _rewrite(sequence: nn.Sequential) -> None:
    """Takes pairs of neighbours out of a sequence until none is left that one of them can do alone."""
    rest = list(sequence.named_children())
    done: list[tuple[str, nn.Module]] = []
    while rest:
        name, module = rest.pop(0)
        if done and isinstance(done[-1][1], layers.Residual) and isinstance(module, layers.Pointwise):
            done[-1] = (done[-1][0], _shifted(done[-1][1], module))
        if done and (one := _one(done[-1][1], module)) is not None:
            done[-1] = (done[-1][0], one)
        else:
            done.append((name, module))
    done = [(name, Packed(module) if isinstance(module, nn.Linear | nn.Conv2d) else module) for name, module in done]
    for name, _ in list(sequence.named_children()):
        delattr(sequence, name)
    for name, module in done:
        sequence.add_module(name, module)


def _one(first: nn.Module, second: nn.Module) -> nn.Module | None:
    """One layer that does what two do; None where there is none."""
    if isinstance(first, Dense) and isinstance(second, BatchNorm):
        return _scaled(first, *_affine(second))
    if isinstance(first, Dense) and isinstance(second, layers.Scale):
        return _scaled(first, second.weight, torch.zeros_like(second.weight))
    if isinstance(first, BatchNorm) and isinstance(second, nn.Linear):
        return _reading(second, *_affine(first))
    if isinstance(first, Dense) and type(second) in INSIDE and not isinstance(first, nn.Conv1d):
        return Packed(first, second)
    return None


def _shifted(residual: layers.Residual, after: layers.Pointwise) -> nn.Module:
    """A residual whose branch ends in a batch norm (ConvMixer's): the norm's factor goes into the sum, its summand, which
    every position gets alike, into the dense layer after."""
    if not len(residual.branch) or len(residual.shortcut) or not isinstance(residual.branch[-1], BatchNorm):
        return residual
    factor, summand = _affine(residual.branch[-1])
    _reading(after, torch.ones_like(factor), summand)
    return ScaledResidual(residual.branch[:-1], factor.to(after.weight.dtype))


class ScaledResidual(nn.Module):
    """x + factor * branch(x), one factor a channel of a grid."""

    factor: Tensor

    def __init__(self, branch: nn.Module, factor: Tensor) -> None:
        super().__init__()
        self.branch = branch
        self.register_buffer("factor", factor[:, None, None])

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Same shape."""
        return torch.addcmul(x_BCHW, self.branch(x_BCHW), self.factor)


def _affine(norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """Factor and summand of each channel that a batch norm is in evaluation, in float64."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    return factor, norm.bias.double() - factor * norm.running_mean.double()


def _scaled(layer: nn.Linear | nn.Conv1d | nn.Conv2d, factor: Tensor, summand: Tensor) -> nn.Module:
    """A dense layer whose output channels are multiplied and shifted."""
    bias = torch.zeros_like(factor) if layer.bias is None else layer.bias.double()
    weight = layer.weight.double() * factor.double().view(-1, *[1] * (layer.weight.ndim - 1))
    return _with(layer, weight, bias * factor + summand)


def _reading(layer: nn.Linear, factor: Tensor, summand: Tensor) -> nn.Module:
    """A dense layer whose input channels are multiplied and shifted; nothing is padded, so the shift is the same anywhere."""
    weight = layer.weight.double()
    bias = 0 if layer.bias is None else layer.bias.double()
    return _with(layer, weight * factor, bias + weight @ summand)


def _with(layer: nn.Linear | nn.Conv1d | nn.Conv2d, weight: Tensor, bias: Tensor) -> nn.Module:
    dtype = layer.weight.dtype
    layer.weight = nn.Parameter(weight.to(dtype), requires_grad=False)
    layer.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
    return layer


class Packed(nn.Module):
    """A dense layer, and the activation after it, as one call of oneDNN whose weights lie as it wants them.

    The order depends on the size of the input, so the weights of the last size are kept. Where oneDNN does not do it
    (another device or type, a compiler at work), the layers run as they are.
    """

    def __init__(self, dense: nn.Linear | nn.Conv2d, act: nn.Module | None = None) -> None:
        super().__init__()
        self.dense, self.act = dense, act or nn.Identity()
        self.inside = INSIDE[type(act)] if act else "none"
        self.padding, self.stride, self.groups = (0, 0), (1, 1), 1
        if isinstance(dense, nn.Conv2d):
            self.padding, self.stride, self.groups = dense.padding, dense.stride, dense.groups  # type: ignore[assignment]
        self._packed: tuple[torch.Size, Tensor] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": None}  # oneDNN's tensors cannot be copied

    def forward(self, x: Tensor) -> Tensor:
        """What the two layers give."""
        if not (_onednn_takes(x) and self._gains(x)):
            y: Tensor = self.act(self.dense(x))
            return y
        if isinstance(self.dense, layers.Pointwise):
            return self._convolve(x[:, :, :: self.dense.stride, :: self.dense.stride])
        if isinstance(self.dense, nn.Linear):
            return self._convolve(x.mT.unsqueeze(2)).squeeze(2).mT
        return self._convolve(x)

    def _gains(self, x: Tensor) -> bool:
        """Whether oneDNN is faster than PyTorch's own layers (docs/log.md): for convolutions; for dense layers where large
        weights meet few positions, whose order then matters, or where a GELU saves a pass over a large map."""
        if isinstance(self.dense, nn.Conv2d):
            return not isinstance(self.dense, layers.EvenConv2d)
        positions = x.numel() // self.dense.in_features
        return (positions <= 512 and self.dense.weight.numel() >= 1 << 19) or (
            self.inside == "gelu" and positions * self.dense.out_features >= 1 << 20
        )

    def _convolve(self, x_BCHW: Tensor) -> Tensor:
        shape = self.padding, self.stride, (1, 1), self.groups
        if self._packed is None or self._packed[0] != x_BCHW.shape:
            weight = self.dense.weight
            weight = weight if weight.ndim == 4 else weight[:, :, None, None]
            order = torch._C._nn.mkldnn_reorder_conv2d_weight
            self._packed = x_BCHW.shape, order(weight.to_mkldnn(), *shape, x_BCHW.shape)  # type: ignore[call-arg, arg-type]
        call = torch.ops.mkldnn._convolution_pointwise
        y: Tensor = call(x_BCHW, self._packed[1], self.dense.bias, *shape, self.inside, [], "none")
        return y


def _onednn_takes(x: Tensor) -> bool:
    if torch.compiler.is_compiling() or torch.is_autocast_enabled(x.device.type):
        return False
    learning = torch.is_grad_enabled() and x.requires_grad
    here = x.device.type == "cpu" and x.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    return here and x.ndim > 2 and not learning
