"""Which parts of a network learn in which epoch: the classifier first, then one more stage at a time, from the top.

This is a pure function of the network, the recipe and the epoch, so that a resumed run freezes the same parts.
"""

from itertools import pairwise

from torch import nn

from glocal.recipes.schema import Recipe
from glocal.weights import AnyNetwork
from glocal.weights.networks.timm_layers import Section, timm_sections
from glocal.weights.networks.timm_network import TimmNetwork


def learning(network: AnyNetwork, recipe: Recipe, epoch: int) -> list[nn.Parameter]:
    """The parameters that learn in an epoch, counted from 0. They learn in all later epochs too."""
    parts = sections(network)
    return [p for part in parts[: _number_learning(recipe, epoch, every=len(parts))] for p in part.parameters]


def freeze(network: AnyNetwork, recipe: Recipe, epoch: int) -> bool:
    """Prepares a network for training in an epoch, in place of `network.train()`. Returns whether other parts learn than before.

    Parts that learn are in training mode. The others are fixed functions: they have no gradients, so that no optimiser
    updates or decays them, and are in evaluation mode, so that running statistics stay and nothing is dropped.
    """
    network.train()
    changed = False
    parts = sections(network)
    n = _number_learning(recipe, epoch, every=len(parts))
    for i, part in enumerate(parts):
        for module in part.modules:
            module.train(i < n)
        for p in part.parameters:
            changed |= p.requires_grad != (i < n)
            p.requires_grad_(i < n)
            p.grad = p.grad if i < n else None
    return changed


def sections(network: AnyNetwork) -> list[Section]:
    """The parts of a network from the top, which start to learn one after the other.

    They are the classifier; the rest of the head with the last stage; the other stages; the stem. A network of one stage,
    such as a ViT, is divided into quarters of its blocks. Those of timm are divided by `timm_sections`.
    """
    if isinstance(network, TimmNetwork):
        return timm_sections(network)
    *head, classifier = network.head
    stages: list[list[nn.Module]] = [[stage] for stage in network.stages]
    if len(stages) == 1:
        blocks = [*network.stages[0].get_submodule("blocks").children()]
        parts = min(4, len(blocks))
        stages = [blocks[a:b] for a, b in pairwise(i * len(blocks) // parts for i in range(parts + 1))]
        stages[0] += [child for name, child in network.stages[0].named_children() if name != "blocks"]
    stages[-1] += head
    found: list[list[nn.Module]] = [[classifier], *reversed(stages), [network.stem]]
    return [Section(modules, [p for module in modules for p in module.parameters()]) for modules in found]


def describe_freezing(network: AnyNetwork, recipe: Recipe) -> str:
    """The plan as a sentence, with epochs counted from 1; empty where everything learns from the start."""
    last = recipe.total_epochs - 1
    every = len(sections(network))
    counts = [_number_learning(recipe, epoch, every=every) for epoch in range(last + 1)]
    if counts[0] == every:
        return ""
    if counts[last] == 1:
        return "only the classifier learns"
    steps = [f"{n} of {every} parts from epoch {counts.index(n) + 1}" for n in sorted({*counts} - {1, every})]
    steps = [f"only the classifier until epoch {counts.count(1)}"] * (1 in counts) + steps
    end = f"all from epoch {counts.index(every) + 1}" if every in counts else f"the lowest {every - counts[last]} never"
    return f"what learns: {', '.join([*steps, end])}"


def _number_learning(recipe: Recipe, epoch: int, *, every: int) -> int:
    """How many of the parts learn in an epoch, counted from the top."""
    if recipe.frozen_epochs == "all" or epoch < recipe.frozen_epochs:
        return 1
    if not recipe.unfreeze_every:
        return every
    return min(every, 2 + (epoch - recipe.frozen_epochs) // recipe.unfreeze_every)
