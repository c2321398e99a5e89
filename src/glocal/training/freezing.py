"""Which part of a network learns in which epoch: the classifier first, then one stage more at a time from the top.

A pure function of the network, the recipe and the epoch, so that a resumed run freezes what the run would have.
"""

from itertools import pairwise

from torch import nn

from glocal.net import Network
from glocal.training.recipe import Recipe


def learning(network: Network, recipe: Recipe, epoch: int) -> list[nn.Parameter]:
    """The parameters that learn in an epoch, counted from 0; those of an epoch are all in the next one's."""
    return [p for part in sections(network)[: _open(network, recipe, epoch)] for m in part for p in m.parameters()]


def freeze(network: Network, recipe: Recipe, epoch: int) -> bool:
    """Prepares a network for the training of an epoch, in place of `network.train()`. Returns whether what learns changed.

    What learns is in training mode. What does not is a fixed function: no gradients, so that no optimiser steps or decays it,
    and evaluation mode, so that running statistics stay and nothing is dropped.
    """
    network.train()
    changed = False
    n = _open(network, recipe, epoch)
    for i, part in enumerate(sections(network)):
        for module in part:
            module.train(i < n)
            for p in module.parameters():
                changed |= p.requires_grad != (i < n)
                p.requires_grad_(i < n)
                p.grad = p.grad if i < n else None
    return changed


def sections(network: Network) -> list[list[nn.Module]]:
    """All of a network from the top, in the parts that are opened one after the other.

    The classifier; the rest of the head with the last stage; the other stages; the stem. A network of one stage, as ViT is,
    is cut into quarters of its blocks.
    """
    *head, classifier = network.head
    stages: list[list[nn.Module]] = [[stage] for stage in network.stages]
    if len(stages) == 1:
        blocks = [*network.stages[0].get_submodule("blocks").children()]
        parts = min(4, len(blocks))
        stages = [blocks[a:b] for a, b in pairwise(i * len(blocks) // parts for i in range(parts + 1))]
        stages[0] += [child for name, child in network.stages[0].named_children() if name != "blocks"]
    stages[-1] += head
    return [[classifier], *reversed(stages), [network.stem]]


def told(network: Network, recipe: Recipe) -> str:
    """The plan as a sentence for a person, epochs counted from 1; nothing where all learns from the start."""
    last = recipe.total_epochs - 1
    counts = [_open(network, recipe, epoch) for epoch in range(last + 1)]
    every = len(sections(network))
    if counts[0] == every:
        return ""
    if counts[last] == 1:
        return "only the classifier learns"
    steps = [f"{n} of {every} parts from epoch {counts.index(n) + 1}" for n in sorted({*counts} - {1, every})]
    steps = [f"only the classifier until epoch {counts.count(1)}"] * (1 in counts) + steps
    end = f"all from epoch {counts.index(every) + 1}" if every in counts else f"the {every - counts[last]} lowest never"
    return f"what learns: {', '.join([*steps, end])}"


def _open(network: Network, recipe: Recipe, epoch: int) -> int:
    """How many sections from the top learn in an epoch."""
    every = len(sections(network))
    if recipe.frozen_epochs == "all" or epoch < recipe.frozen_epochs:
        return 1
    if not recipe.unfreeze_every:
        return every
    return min(every, 2 + (epoch - recipe.frozen_epochs) // recipe.unfreeze_every)
