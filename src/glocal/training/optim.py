"""The optimiser of a recipe: which weights decay, which learn slower, what steps them, and how fast at a step."""

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from glocal.data.borrowed import timm_file
from glocal.design import Architecture
from glocal.families.convnext import ConvNeXtBlock
from glocal.net import Network
from glocal.net.attention import LogRelativeAttention, RelativeAttention
from glocal.net.layers import ClassToken, Position, VarianceNorm
from glocal.training.device import autocasts
from glocal.training.recipe import Recipe
from glocal.training.schedule import lr_at, weight_decay_at

_NORMS = (nn.LayerNorm, nn.BatchNorm2d, VarianceNorm)


def optimizer(network: Network, recipe: Recipe) -> torch.optim.Optimizer:
    """What steps the groups of `groups`: torch's AdamW or SGD (with Nesterov's momentum or plain), timm's Lamb or Muon.

    Frozen weights are in it too: without a gradient they are neither stepped nor decayed.
    """
    told = groups(network, recipe)
    if recipe.opt in ("sgd", "momentum"):
        nesterov = recipe.opt == "sgd" and recipe.momentum > 0
        return torch.optim.SGD(told, lr=recipe.lr, momentum=recipe.momentum, nesterov=nesterov)
    if recipe.opt == "lamb":
        # The gradients are clipped by the recipe's clip_grad or not at all, as for every other optimiser.
        return timm_file("optim.lamb").Lamb(told, lr=recipe.lr, betas=recipe.betas, eps=recipe.eps, max_grad_norm=None)
    if recipe.opt == "muon":
        return _muon()(
            told,
            lr=recipe.lr,
            momentum=recipe.momentum,
            nesterov=True,
            betas=recipe.betas,
            fallback_lr_scale=recipe.fallback_lr_scale,
        )
    return torch.optim.AdamW(told, lr=recipe.lr, betas=recipe.betas, eps=recipe.eps, fused=True)


def _muon() -> Any:
    """timm's Muon, which orthogonalises in bfloat16, in float32 where the hardware does not multiply in bfloat16: emulated,
    a step of airbench_32_128_256 takes 25 times as long (docs/log.md)."""
    muon: Any = timm_file("optim.muon", private=True)
    if not hasattr(muon, "timms"):
        muon.timms = muon.zeropower_via_newtonschulz

        def orthogonal(matrix: Tensor, *args: Any, **settings: Any) -> Tensor:
            dtype = torch.bfloat16 if autocasts("auto", matrix.device) else torch.float32
            return muon.timms(matrix, *args, dtype=dtype, **settings)

        muon.zeropower_via_newtonschulz = orthogonal
    return muon.Muon


def set_rates(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int, *, steps_per_epoch: int) -> float:
    """Gives every group the learning rate and the weight decay of a step; returns the rate of a group whose lr_scale is 1."""
    lr = lr_at(recipe, step, steps_per_epoch=steps_per_epoch)
    weight_decay = weight_decay_at(recipe, step, steps_per_epoch=steps_per_epoch)
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]
        group["weight_decay"] = weight_decay if group["decays"] else 0.0
    return lr


def groups(network: Network, recipe: Recipe) -> list[dict[str, Any]]:
    """The weights that are stepped alike: `params`, a `name`, `lr_scale` over the recipe's rate, and whether it `decays`.

    lr_scale is layer_decay to the power of the layers above (`layer_of`), 1 for the head. Muon steps the matrices between
    the first layer and the classifier (Jordan et al. 2024), timm's AdamW the rest.
    """
    spared = set(_spared(network, recipe.decay_exempt))
    last = layers(network.arch) if recipe.layer_decay < 1 else 0
    by_adamw = set(_no_matrices(network)) if recipe.opt == "muon" else set()
    found: dict[str, dict[str, Any]] = {}
    for name, p in network.named_parameters():
        layer = layer_of(network.arch, name) if recipe.layer_decay < 1 else last
        decays = id(p) not in spared
        words = [f"layer {layer}"] * (recipe.layer_decay < 1) + ["decays" if decays else "does not decay"]
        group: dict[str, Any] = {
            "params": [],
            "name": ", ".join(words + ["by AdamW"] * (id(p) in by_adamw)),
            "lr_scale": recipe.layer_decay ** (last - layer),
            "decays": decays,
            "weight_decay": recipe.weight_decay if decays else 0.0,
            **({"use_fallback": True} if id(p) in by_adamw else {}),
        }
        found.setdefault(group["name"], group)["params"].append(p)
    return list(found.values())


def layers(arch: Architecture) -> int:
    """The layer of the classifier in `layer_of`: the number of groups above the stem."""
    return 1 + sum(_groups_of_stages(arch))


def layer_of(arch: Architecture, parameter: str) -> int:
    """The group of a parameter, counted from the stem, in which rates decay from layer to layer.

    0 is the stem, then each block is one, as in timm; ConvNeXt's go by threes within a stage, as in its code. What halves the
    picture belongs to the blocks it feeds; the head, its norm included, is the last.
    """
    if parameter.startswith("stem."):
        return 0
    if not (m := re.match(r"stages\.(\d+)\.(?:blocks\.(\d+)|downsample)\.", parameter)):
        return layers(arch)
    return 1 + sum(_groups_of_stages(arch)[: int(m[1])]) + int(m[2] or 0) // _together(arch)


def _together(arch: Architecture) -> int:
    """Blocks that share a rate."""
    return 3 if all(isinstance(block, ConvNeXtBlock) for stage in arch.stages for block in stage.blocks) else 1


def _groups_of_stages(arch: Architecture) -> list[int]:
    return [-(-len(stage.blocks) // _together(arch)) for stage in arch.stages]


def _spared(network: nn.Module, exempt: str) -> Iterator[int]:
    """The id of every weight that does not decay.

    exempt "vectors": norms, biases and whatever has one axis (timm's rule, by which a table of positions decays), and the
    biases of offsets with what makes them, which all codes of CoAtNet spare; "vectors and positions": positions and class
    tokens too; "norms": the norms alone, so that biases decay (torchvision's rule); "nothing": all decay.
    """
    for module in network.modules():
        own = [*module.parameters(recurse=False)]
        if exempt == "norms":
            yield from (id(p) for p in own if isinstance(module, _NORMS))
        elif exempt != "nothing":
            positions = exempt != "vectors" and isinstance(module, Position | ClassToken)
            yield from (id(p) for p in own if p.ndim <= 1 or positions)
            yield from map(id, _of_offsets(module))


def _no_matrices(network: Network) -> Iterator[int]:
    """The id of every weight that Muon leaves to AdamW: first layer, biases of offsets with what makes them, classifier."""
    yield id(next(network.parameters()))
    for module in network.modules():
        yield from map(id, _of_offsets(module))
    yield from map(id, network.get_classifier().parameters())


def _of_offsets(module: nn.Module) -> Iterator[nn.Parameter]:
    if isinstance(module, RelativeAttention):
        yield module.table
    if isinstance(module, LogRelativeAttention):
        yield from (*module.inner.parameters(), *module.outer.parameters())
