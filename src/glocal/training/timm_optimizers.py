"""The optimisers that come from timm: two that `--opt` names, and those of timm's factory, `timm:NAME`."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from glocal.data.batches.timm_parts import timm_file
from glocal.machine.device import autocasts

Groups = Iterable[dict[str, Any]]


def lamb(groups: Groups, **arguments: Any) -> Optimizer:
    """timm's LAMB."""
    built: Optimizer = timm_file("optim.lamb").Lamb(groups, **arguments)
    return built


def muon(groups: Groups, **arguments: Any) -> Optimizer:
    """timm's Muon, which orthogonalises in bfloat16; in float32 where the hardware does not multiply in bfloat16.

    Emulated, a step of airbench_32_128_256 takes 25 times as long (docs/log.md).
    """
    module: Any = timm_file("optim.muon", private=True)
    if not hasattr(module, "in_bfloat16"):
        module.in_bfloat16 = module.zeropower_via_newtonschulz

        def orthogonal(matrix: Tensor, *args: Any, **settings: Any) -> Any:
            dtype = torch.bfloat16 if autocasts("auto", matrix.device) else torch.float32
            return module.in_bfloat16(matrix, *args, dtype=dtype, **settings)

        module.zeropower_via_newtonschulz = orthogonal
    built: Optimizer = module.Muon(groups, **arguments)
    return built


def from_factory(groups: Groups, *, opt: str, lr: float, **arguments: Any) -> Optimizer:
    """An optimiser of timm's factory, with timm's defaults; "lookahead_NAME" too. ValueError says why there is none."""
    from timm.optim import create_optimizer_v2, get_optimizer_info, list_optimizers

    name = opt.removeprefix("lookahead_")
    try:
        info = get_optimizer_info(name)
    except ValueError:
        near = get_close_matches(name, list_optimizers(), n=1)
        hint = f"did you mean 'timm:{near[0]}'?" if near else f"it has {', '.join(list_optimizers())}"
        raise ValueError(f"timm has no optimiser {name!r}; {hint}") from None
    if info.second_order:
        raise ValueError("it needs second derivatives, which a step here does not compute")
    package = info.opt_class.partition(".")[0] if isinstance(info.opt_class, str) else "torch"
    if package != "torch":
        raise ValueError(
            f"it is {package}'s, which runs on CUDA alone and is no part of glocal; take timm's own: timm:adamw"
        )
    built: Optimizer = create_optimizer_v2(groups, opt, lr=lr, **arguments)
    return built
