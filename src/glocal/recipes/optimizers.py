"""The optimisers that `--opt` names. An entry of `OPTIMIZERS` is all that a new one takes; `timm:NAME` is any of timm's.

Every entry is built, trained with and resumed by tests. Building one from an entry is in `training.optimizer`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import yaml

Arguments = Mapping[str, Any]
Argument = bool | int | float | str | tuple[float, ...] | None
TIMM = "timm:"


def _nothing(settings: Arguments) -> Arguments:
    return {}


@dataclass(frozen=True)
class OptimizerEntry:
    """How an optimiser is built.

    build: "module:name" of the class or function that is called with the groups of parameters and, by name, with `lr`, the
    settings and the arguments. It returns a `torch.optim.Optimizer`.
    settings: the settings of the recipe that it takes, under their own names.
    arguments: what else it is called with, as a function of the values of these settings.
    matrices_only: whether it updates matrices alone. Groups of other parameters then have `use_fallback`.
    """

    build: str
    settings: tuple[str, ...] = ()
    arguments: Callable[[Arguments], Arguments] = _nothing
    matrices_only: bool = False


OPTIMIZERS: dict[str, OptimizerEntry] = {
    "adamw": OptimizerEntry("torch.optim:AdamW", ("betas", "eps"), lambda s: {"fused": True}),
    # With Nesterov's momentum, as timm's "sgd"; "momentum" is without.
    "sgd": OptimizerEntry("torch.optim:SGD", ("momentum",), lambda s: {"nesterov": s["momentum"] > 0}),
    "momentum": OptimizerEntry("torch.optim:SGD", ("momentum",)),
    # clip_grad bounds the gradients, as for every other optimiser, and not LAMB itself.
    "lamb": OptimizerEntry("glocal.training.timm_optimizers:lamb", ("betas", "eps"), lambda s: {"max_grad_norm": None}),
    "muon": OptimizerEntry(
        "glocal.training.timm_optimizers:muon",
        ("momentum", "betas", "fallback_lr_scale"),
        lambda s: {"nesterov": True},
        matrices_only=True,
    ),
}
_SETTINGS = {name for entry in OPTIMIZERS.values() for name in entry.settings}


def entry_of(opt: str) -> OptimizerEntry:
    """The entry of an optimiser by its name."""
    if not opt.startswith(TIMM):
        return OPTIMIZERS[opt]
    name = opt.removeprefix(TIMM)
    return OptimizerEntry(
        "glocal.training.timm_optimizers:from_factory", (), lambda s: {"opt": name}, matrices_only=name.endswith("muon")
    )


def known_optimizer(opt: str) -> str:
    """The name itself. ValueError for one that is neither here nor of timm's form suggests the nearest; whether timm has an
    optimiser of a name is found out when it is built."""
    if opt in OPTIMIZERS or opt.startswith(TIMM):
        return opt
    from timm.optim import list_optimizers

    near = get_close_matches(opt, OPTIMIZERS, n=1) or [
        TIMM + name for name in get_close_matches(opt, list_optimizers(), n=1)
    ]
    known = ", ".join(OPTIMIZERS)
    raise ValueError(
        f"did you mean {near[0]!r}?" if near else f"known: {known}, and timm:NAME for any optimiser of timm"
    )


def needed_for(setting: str, opt: str) -> str | None:
    """Which `--opt` a setting needs, where `opt` does not take it; None where it does, or where no optimiser has it."""
    if setting not in _SETTINGS or setting in entry_of(opt).settings:
        return None
    *names, last = [name for name, entry in OPTIMIZERS.items() if setting in entry.settings]
    listed = f"--opt {', '.join(names)} or {last}" if names else f"--opt {last}"
    given = f'; an optimiser of timm takes it in --set opt_args="{{{setting}: ...}}"'
    return listed + (given if opt.startswith(TIMM) else "")


def arguments_from_text(value: Any) -> Any:
    """ "{caution: true, betas: [0.9, 0.99]}" as a dictionary of plain values; ValueError for text that is none."""
    if isinstance(value, str):
        try:
            value = yaml.load(value, Loader=yaml.BaseLoader)
        except (yaml.YAMLError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise ValueError("give names and values, such as {caution: true, betas: [0.9, 0.99]}")
    return {str(name): _plain(v) for name, v in value.items()} if isinstance(value, dict) else value


def _plain(value: Any) -> Any:
    """Text as the number or the truth value that it spells; a list as a tuple. ValueError for what is no plain value."""
    if isinstance(value, list | tuple) and not any(isinstance(item, list | tuple) for item in value):
        return tuple(_plain(item) for item in value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if not isinstance(value, str):
        raise ValueError("a value is a number, true, false, null, a word or a list of numbers")
    if value in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[value]
    for number in (int, float):
        try:
            return number(value)
        except ValueError:
            continue
    return value
