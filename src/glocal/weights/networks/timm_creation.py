"""From a network of timm as data to timm's module, and what it costs. Only what timm lists is made; nothing is fetched."""

import inspect
import sys
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from glocal.design import Cost
from glocal.errors import ArchitectureError, ShapeError
from glocal.weights.networks.timm_architecture import Setting, TimmArchitecture, timm_class, timm_config, timm_defaults

_FAILURES = (TypeError, ValueError, AssertionError, RuntimeError, LookupError, AttributeError, ArithmeticError)


def create_timm_module(arch: TimmArchitecture) -> nn.Module:
    """timm's module with fresh values, drawn from torch's global generator. ArchitectureError where timm cannot build it."""
    import timm

    cls = timm_class(arch.model)
    arguments = {"num_classes": arch.classes, "in_chans": arch.image.c, **_resolved(dict(arch.settings), cls)}
    if arch.drop_path:
        arguments["drop_path_rate"] = arch.drop_path
    if (arch.image.h, arch.image.w) != timm_defaults(arch.model)[0][1:] and takes_size(arch):
        arguments["img_size"] = (arch.image.h, arch.image.w)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # timm's own, about its names of before
            network: nn.Module = cls(**arguments) if cls else timm.create_model(arch.model, **arguments)
    except _FAILURES as error:
        raise ArchitectureError(f"{arch.name} for {arch.image} cannot be built by timm: {_reason(error)}") from None
    return network


def takes_size(arch: TimmArchitecture) -> bool:
    """Whether the network is built for one picture size, and is given it when it is made."""
    cls = timm_class(arch.model)
    return "img_size" in inspect.signature(cls).parameters if cls else bool(timm_config(arch.model).fixed_input_size)


@lru_cache(maxsize=4096)
def timm_cost(arch: TimmArchitecture) -> Cost:
    """Parameters exactly, and multiply-adds for one picture as PyTorch's counter has them, without memory for weights.

    ArchitectureError where timm cannot build the network; ShapeError where it does not read its pictures.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                network = create_timm_module(arch)
        except ArchitectureError:  # a constructor that computes with numbers, which "meta" tensors do not have
            network = create_timm_module(arch)
        network.eval()
        device = next(network.parameters()).device
        counter = FlopCounterMode(display=False)
        try:
            with torch.no_grad(), counter:
                network(torch.zeros(1, *arch.image, device=device))
        except _FAILURES as error:
            raise ShapeError(f"pictures of {arch.image} do not fit {arch.name}: {_reason(error)}") from None
    return Cost(sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2)


def _resolved(settings: Mapping[str, Setting], cls: type | None) -> dict[str, Any]:
    """The arguments with classes of layers in place of their names: those of the network's own file, and of timm.layers."""
    import timm.layers

    own = vars(sys.modules[cls.__module__]) if cls else {}

    def resolved(value: Setting) -> Any:
        found = own.get(value, getattr(timm.layers, value, None)) if isinstance(value, str) else None
        is_layer = isinstance(found, type) and issubclass(found, nn.Module) and found.__module__.startswith("timm.")
        return found if is_layer else value

    return {name: resolved(value) for name, value in settings.items()}


def _reason(error: Exception) -> str:
    """The first line of an exception, with its kind."""
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:300]}"
