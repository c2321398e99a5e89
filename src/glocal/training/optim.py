"""The optimiser of a recipe: which weights decay, and what steps them."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from glocal.net import Network
from glocal.net.attention import LogRelativeAttention, RelativeAttention
from glocal.net.layers import ClassToken, Position
from glocal.training.recipe import Recipe


def optimizer(network: Network, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW, SGD with Nesterov momentum, or Muon, over a group of weights that decay and one of those that do not."""
    decayed, exempt = split_by_decay(network, exempt=recipe.decay_exempt)
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": exempt, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    if recipe.opt == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.momentum > 0)
    if recipe.opt == "muon":
        return _muon(network, groups, recipe)
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=recipe.betas, eps=recipe.eps, fused=True)


def _muon(network: Network, groups: list[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    """Muon (Jordan et al. 2024) for the matrices between the first layer and the classifier; timm's AdamW steps the rest."""
    from timm.optim.muon import Muon

    outer = {id(next(network.parameters())), *map(id, network.get_classifier().parameters())}
    by_muon = [{**group, "params": [p for p in group["params"] if id(p) not in outer]} for group in groups]
    by_adamw = [
        {**group, "params": [p for p in group["params"] if id(p) in outer], "use_fallback": True} for group in groups
    ]
    return Muon(
        [group for group in by_muon + by_adamw if group["params"]],
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=True,
        betas=recipe.betas,
        fallback_lr_scale=recipe.fallback_lr_scale,
    )


def split_by_decay(network: nn.Module, *, exempt: str) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Weights that decay, and those that do not.

    exempt "vectors": norms, biases and whatever has one axis (timm's rule, by which a table of positions decays), and the
    biases of offsets with what makes them, which all codes of CoAtNet spare; "vectors and positions": positions and class
    tokens too; "nothing": all decay.
    """
    offsets = {id(p) for m in network.modules() for p in _of_offsets(m)}
    tables = {id(p) for m in network.modules() if isinstance(m, Position | ClassToken) for p in m.parameters()}
    free: list[nn.Parameter] = []
    decayed: list[nn.Parameter] = []
    for p in network.parameters():
        spared = exempt != "nothing" and (p.ndim <= 1 or id(p) in offsets or (exempt != "vectors" and id(p) in tables))
        (free if spared else decayed).append(p)
    return decayed, free


def _of_offsets(module: nn.Module) -> Iterator[nn.Parameter]:
    if isinstance(module, RelativeAttention):
        yield module.table
    if isinstance(module, LogRelativeAttention):
        yield from (*module.inner.parameters(), *module.outer.parameters())
