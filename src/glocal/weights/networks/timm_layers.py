"""Which parameters of a network of timm form a layer, by timm's own patterns: for decaying rates, and for freezing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from glocal.weights.networks.timm_network import TimmNetwork

_MOST_SECTIONS = 8


def layer_numbers(network: TimmNetwork, *, coarse: bool = False) -> dict[str, int]:
    """The layer of every parameter, counted from the stem, which is 0; the classifier is the last.

    coarse: a layer is a stage, where timm knows the stages. A network without patterns is one layer below its classifier.
    """
    from timm.models import group_parameters

    matcher: Any = getattr(network.model, "group_matcher", None)
    if matcher is None:
        found = dict.fromkeys((name for name, _ in network.model.named_parameters()), 0)
    else:
        found = group_parameters(network.model, matcher(coarse=coarse), reverse=True)
    of_classifier = {id(p) for p in network.get_classifier().parameters()}
    last = max((number for name, number in found.items()), default=0)
    last += matcher is None
    return {
        f"model.{name}": last if id(p) in of_classifier else found[name] for name, p in network.model.named_parameters()
    }


@dataclass
class Section:
    """A part of a network that starts to learn as a whole."""

    modules: list[nn.Module] = field(default_factory=list)
    parameters: list[nn.Parameter] = field(default_factory=list)


def timm_sections(network: TimmNetwork) -> list[Section]:
    """The parts of a network from the top: the classifier; what is above the last layer with that layer; the others; the stem.

    More than eight layers, such as the blocks of a ViT, are divided into quarters.
    """
    numbers = layer_numbers(network, coarse=True)
    last, of_classifier = max(numbers.values()), {id(p) for p in network.get_classifier().parameters()}
    body = sorted({*numbers.values()} - {0, last})
    parts = len(body) if len(body) <= _MOST_SECTIONS else 4
    above_stem = {number: 1 + i * parts // len(body) for i, number in enumerate(body)}
    of_parameter = {
        id(p): parts + 1 if id(p) in of_classifier else {0: 0, last: parts, **above_stem}[numbers[name]]
        for name, p in network.named_parameters()
    }
    found = [Section() for _ in range(parts + 2)]
    for p in network.parameters():
        found[of_parameter[id(p)]].parameters.append(p)
    _divide(network.model, of_parameter, found, below=0)
    return [section for section in reversed(found) if section.parameters]


def _divide(module: nn.Module, of_parameter: Mapping[int, int], sections: list[Section], *, below: int) -> int:
    """Gives each section the largest modules that are wholly its own; returns the section of the last one.

    A module without parameters, such as dropout, belongs to the section `below`, of the module before it.
    """
    owners = {of_parameter[id(p)] for p in module.parameters()} or {below}
    if len(owners) == 1:
        (owner,) = owners
        sections[owner].modules.append(module)
        return owner
    for child in module.children():
        below = _divide(child, of_parameter, sections, below=below)
    return below
