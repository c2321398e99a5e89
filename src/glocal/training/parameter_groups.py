"""Which parameters are updated alike: whether they decay, how fast they learn, and which Muon leaves to AdamW."""

import re
from collections.abc import Iterator
from typing import Any

from torch import nn

from glocal.design import Architecture
from glocal.families.convnext import ConvNeXtBlock
from glocal.net.attention import Attention
from glocal.net.layers import ClassToken, Position, VarianceNorm
from glocal.recipes.optimizers import entry_of
from glocal.recipes.schema import Recipe
from glocal.weights import AnyNetwork
from glocal.weights.networks.timm_layers import layer_numbers
from glocal.weights.networks.timm_network import TimmNetwork

_NORMS = (nn.LayerNorm, nn.BatchNorm2d, VarianceNorm)


def groups(network: AnyNetwork, recipe: Recipe) -> list[dict[str, Any]]:
    """The groups of parameters that an optimiser takes: `params`, a `name`, `lr_scale` over the recipe's rate, and `decays`.

    lr_scale is layer_decay to the power of the number of layers above (`layer_of`), 1 for the head. Where an optimiser
    updates matrices alone, as Muon does, `use_fallback` marks what it leaves to its AdamW: all but the matrices between the
    first layer and the classifier (Jordan et al. 2024).
    """
    exempt = set(_exempt_from_decay(network, recipe.decay_exempt))
    layer_of_parameter = _layers_of_parameters(network) if recipe.layer_decay < 1 else {}
    last = max(layer_of_parameter.values(), default=0)
    fallback = set(_not_for_muon(network)) if entry_of(recipe.opt).matrices_only else set()
    found: dict[str, dict[str, Any]] = {}
    for name, p in network.named_parameters():
        layer = layer_of_parameter.get(name, last)
        decays = id(p) not in exempt
        words = [f"layer {layer}"] * (recipe.layer_decay < 1) + ["decays" if decays else "does not decay"]
        group: dict[str, Any] = {
            "params": [],
            "name": ", ".join(words + ["by AdamW"] * (id(p) in fallback)),
            "lr_scale": recipe.layer_decay ** (last - layer),
            "decays": decays,
            "weight_decay": recipe.weight_decay if decays else 0.0,
            **({"use_fallback": True} if id(p) in fallback else {}),
        }
        found.setdefault(group["name"], group)["params"].append(p)
    return list(found.values())


def _layers_of_parameters(network: AnyNetwork) -> dict[str, int]:
    """The layer of every parameter; of a network of timm by timm's own patterns."""
    if isinstance(network, TimmNetwork):
        return layer_numbers(network)
    return {name: layer_of(network.arch, name) for name, _ in network.named_parameters()}


def layers(arch: Architecture) -> int:
    """The layer of the head in `layer_of`: the number of layers above the stem."""
    return 1 + sum(_layers_of_stages(arch))


def layer_of(arch: Architecture, parameter: str) -> int:
    """The layer of a parameter, counted from the stem, for learning rates that decay from layer to layer.

    0 is the stem. Each block is a layer, as in timm; of a ConvNeXt three blocks of a stage are one, as in its code. The
    downsampling before a stage belongs to its first blocks, and the head with its norm is the last layer.
    """
    if parameter.startswith("stem."):
        return 0
    if not (m := re.match(r"stages\.(\d+)\.(?:blocks\.(\d+)|downsample)\.", parameter)):
        return layers(arch)
    return 1 + sum(_layers_of_stages(arch)[: int(m[1])]) + int(m[2] or 0) // _blocks_of_a_layer(arch)


def _blocks_of_a_layer(arch: Architecture) -> int:
    """Blocks that share a learning rate."""
    return 3 if all(isinstance(block, ConvNeXtBlock) for stage in arch.stages for block in stage.blocks) else 1


def _layers_of_stages(arch: Architecture) -> list[int]:
    return [-(-len(stage.blocks) // _blocks_of_a_layer(arch)) for stage in arch.stages]


def _exempt_from_decay(network: AnyNetwork, exempt: str) -> Iterator[int]:
    """The id of every parameter that does not decay, by `Recipe.decay_exempt`.

    "vectors": norms, biases and whatever has one axis (timm's rule, by which a table of positions decays), and the
    biases of offsets with the layers that compute them, which all codes of CoAtNet exempt. "vectors and positions":
    positions and class tokens too, and of a network of timm what timm spares. "norms": norms alone, so that biases
    decay (torchvision's rule). "nothing": all decay.
    """
    for module in network.modules():
        own = [*module.parameters(recurse=False)]
        if exempt == "norms":
            yield from (id(p) for p in own if isinstance(module, _NORMS))
        elif exempt != "nothing":
            positions = exempt != "vectors" and isinstance(module, Position | ClassToken)
            yield from (id(p) for p in own if p.ndim <= 1 or positions)
            yield from map(id, _of_offsets(module))
    if exempt == "vectors and positions" and isinstance(network, TimmNetwork):
        spared: set[str] = getattr(network.model, "no_weight_decay", set)()
        yield from (id(p) for name, p in network.model.named_parameters() if name in spared)


def _not_for_muon(network: AnyNetwork) -> Iterator[int]:
    """The id of every parameter that Muon leaves to AdamW: the first layer, the biases of offsets with the layers that compute
    them, and the classifier."""
    yield id(next(network.parameters()))
    for module in network.modules():
        yield from map(id, _of_offsets(module))
    yield from map(id, network.get_classifier().parameters())


def _of_offsets(module: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters of a layer's biases of offsets."""
    if isinstance(module, Attention):
        yield from (module.get_parameter(name) for name in module.of_offsets)
