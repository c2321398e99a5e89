"""Weights under timm's names into a network of timm, for other channels or another picture size where timm can carry them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from glocal.errors import ArchitectureError, ShapeError, WeightError
from glocal.net.saving.tensor_files import check_number, fill
from glocal.weights.channels import carried_filters
from glocal.weights.networks.timm_architecture import TimmArchitecture, timm_defaults
from glocal.weights.networks.timm_creation import timm_cost
from glocal.weights.networks.timm_network import TimmNetwork


class FilledTimm(NamedTuple):
    """The network, the channels that the weights were for, and the tensors that were interpolated for another picture size."""

    network: TimmNetwork
    channels: int
    resized: tuple[str, ...]


def fill_timm(arch: TimmArchitecture, tensors: Mapping[str, Tensor], *, described: Any = None) -> FilledTimm:
    """A network of timm with these weights, and with as many classes as they have.

    described: the plain data of the network that the file says it holds, where it is a file of ours. WeightError for weights of
    another network; ShapeError where timm cannot carry them to the picture size.
    """
    theirs = _described(arch, described) if described is not None else _as_published(arch)
    network = TimmNetwork(replace(theirs, image=theirs.image._replace(c=arch.image.c), drop_path=arch.drop_path))
    tensors, classes = dict(tensors), _classes(network, tensors)
    if classes != network.num_classes:
        network.reset_classifier(classes)
    channels = _carry_channels(network, tensors)
    check_number(tensors, name=arch.name, params=timm_cost(network.arch).params)
    fill(network.model, tensors, name=arch.name)
    size = arch.image.h, arch.image.w
    if size == (network.arch.image.h, network.arch.image.w):
        return FilledTimm(network, channels, ())
    before = network.model.state_dict()
    try:
        network = network.resized(size)
    except ShapeError as error:
        raise WeightError(f"the weights are for pictures of {theirs.image}: {error}") from None
    carried = network.model.state_dict()
    changed = (key for key, t in carried.items() if key not in before or not torch.equal(t, before[key]))
    return FilledTimm(network, channels, tuple(changed))


def _described(arch: TimmArchitecture, said: Any) -> TimmArchitecture:
    try:
        theirs = TimmArchitecture.from_json(said)
    except ArchitectureError as error:
        raise WeightError(f"holds no weights of {arch.name}: {error}") from None
    if (theirs.base, theirs.settings) != (arch.base, arch.settings):
        raise WeightError(f"holds weights of {theirs.name}, and not of {arch.name}")
    return theirs


def _as_published(arch: TimmArchitecture) -> TimmArchitecture:
    """The network at the size at which timm publishes its weights."""
    image, _ = timm_defaults(arch.model)
    return arch.adapted(size=(image.h, image.w))


def _classes(network: TimmNetwork, tensors: Mapping[str, Tensor]) -> int:
    """How many classes the weights have; 0 without a classifier."""
    paths = {id(module): path for path, module in network.model.named_modules()}
    found = [
        len(tensors[key])
        for module in network.get_classifier().modules()
        if (key := f"{paths.get(id(module))}.weight") in tensors and tensors[key].ndim > 1
    ]
    return found[0] if found else 0


def _carry_channels(network: TimmNetwork, tensors: dict[str, Tensor]) -> int:
    """Puts the filters of the first convolutions for the network's channels in place; returns the channels that they were for."""
    first = getattr(network.model, "pretrained_cfg", {}).get("first_conv") or ()
    given = network.in_chans
    for path in (first,) if isinstance(first, str) else first:
        key = f"{path}.weight"
        if key in tensors and tensors[key].ndim == 4:
            given = tensors[key].shape[1]
            tensors[key] = carried_filters(tensors[key], network.in_chans)
    return given
