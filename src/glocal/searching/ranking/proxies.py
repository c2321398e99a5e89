"""Proxies: scores of a network that has hardly been trained, or not at all. Higher is meant to be better."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from glocal.design import Architecture, cost
from glocal.net import Network, layers
from glocal.net.build import ACTIVATIONS
from glocal.recipes.schema import Recipe
from glocal.training.loop import seed_step
from glocal.training.mixing import loss
from glocal.training.optimizer import optimizer, set_rates

ProxyName = Literal["macs", "params", "grad_norm", "synflow", "naswot", "early_loss"]
PROXIES: tuple[ProxyName, ...] = get_args(ProxyName)

EARLY_STEPS = 100
STEPS: Mapping[ProxyName, int] = {
    "macs": 0,
    "params": 0,
    "grad_norm": 1,
    "synflow": 1,
    "naswot": 1,
    "early_loss": EARLY_STEPS,
}
"""Training steps that the score of a network costs, at most."""

_NORMS = (nn.LayerNorm, layers.LayerNorm2d, layers.VarianceNorm, layers.BatchNormTokens, _BatchNorm)
_ACTIVATIONS = (*ACTIVATIONS.values(), layers.GELU2d)

Batches = Sequence[tuple[Tensor, Tensor]]
"""Normalised training pictures (B, C, H, W) and their labels (B)."""


def proxy_score(name: ProxyName, arch: Architecture, batches: Batches, *, recipe: Recipe) -> float:
    """The score of a network with the initial weights of the recipe's seed.

    "macs", "params": its size. The others are computed from the first batch: "grad_norm", the sum over all weights' tensors of
    the norm of the loss's gradient; "synflow" (Tanaka et al. 2020, arXiv:2006.05467), the logarithm of the sum of |weight x
    gradient| of a network of absolute weights on a picture of ones, without its norms, which would hide every weight before them;
    "naswot" (Mellor et al. 2021, arXiv:2006.04647), the log-determinant of how alike the pictures' activations are by sign.
    "early_loss": minus the mean training loss of the last ten of at most 100 steps, one for each of the batches.
    """
    if name == "macs":
        return float(cost(arch).macs)
    if name == "params":
        return float(cost(arch).params)
    torch.manual_seed(recipe.seed)
    network = Network(arch).train()
    if name == "early_loss":
        return _early_loss(network, batches, recipe)
    of: dict[str, Callable[[Network, Tensor, Tensor], float]] = {
        "grad_norm": _grad_norm,
        "synflow": _synflow,
        "naswot": _naswot,
    }
    return of[name](network, *batches[0])


def _grad_norm(network: Network, x: Tensor, y: Tensor) -> float:
    torch.autograd.backward(functional.cross_entropy(network(x), y))
    return float(sum(p.grad.norm() for p in network.parameters() if p.grad is not None))


def _synflow(network: Network, x: Tensor, y: Tensor) -> float:
    absolute = _without_norms(copy.deepcopy(network)).double().eval()
    with torch.no_grad():
        for weight in absolute.parameters():
            weight.abs_()
    torch.autograd.backward(absolute(torch.ones_like(x[:1], dtype=torch.float64)).sum())
    flow = sum((p * p.grad).sum().detach() for p in absolute.parameters() if p.grad is not None)
    return float(torch.as_tensor(flow).clamp_min(torch.finfo(torch.float64).tiny).log())


def _without_norms(module: Network) -> Network:
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _NORMS):
                setattr(parent, name, nn.Identity())
    return module


@torch.no_grad()
def _naswot(network: Network, x: Tensor, y: Tensor) -> float:
    """Codes are the signs of what goes into each activation function."""
    alike = torch.zeros(len(x), len(x), dtype=torch.float64)

    def add(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        signs = torch.where(given[0].flatten(1) > 0, 1.0, -1.0)
        alike.add_((signs.shape[1] + signs @ signs.T) / 2)  # whole numbers, exact in float32 below 2^24 units

    hooks = [m.register_forward_pre_hook(add) for m in network.modules() if isinstance(m, _ACTIVATIONS)]
    network(x)
    for hook in hooks:
        hook.remove()
    return float(torch.linalg.slogdet(alike).logabsdet) if hooks else 0.0


def _early_loss(network: Network, batches: Batches, recipe: Recipe) -> float:
    losses, by = [], optimizer(network, recipe)
    for step, (x, y) in enumerate(batches[:EARLY_STEPS]):
        set_rates(by, recipe, step, steps_per_epoch=len(batches))
        seed_step(recipe.seed, step)
        value = loss(recipe, network(x), y)
        torch.autograd.backward(value)
        by.step()
        by.zero_grad()
        losses.append(value.item())
    last = losses[-10:]
    return -sum(last) / len(last)
