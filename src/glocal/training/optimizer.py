"""The optimiser of a recipe, and the learning rate and weight decay that it has at a step."""

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import torch
from torch import nn

from glocal.errors import RecipeError
from glocal.recipes.optimizers import TIMM, entry_of
from glocal.recipes.schedule import lr_at, weight_decay_at
from glocal.recipes.schema import Recipe
from glocal.training.parameter_groups import groups
from glocal.weights import AnyNetwork


def optimizer(network: AnyNetwork, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser for the groups of `groups`. RecipeError where there is none of that name or with these arguments.

    Frozen parameters are in it too: without a gradient they are neither updated nor decayed.
    """
    return _build(groups(network, recipe), recipe)


def check_optimizer(recipe: Recipe, *, sharded: bool = False) -> None:
    """RecipeError for an optimiser that cannot be built, before there is a network.

    sharded: whether the parameters will be divided among processes.
    """
    _build([{"params": [nn.Parameter(torch.zeros(2, 2))]}], recipe)
    if sharded and recipe.opt.startswith(TIMM):
        raise RecipeError(
            f"--opt {recipe.opt} updates whole parameters, which --parallel fsdp divides; take --parallel ddp"
        )


def set_rates(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int, *, steps_per_epoch: int) -> float:
    """Sets the learning rate and the weight decay of every group for a step; returns the rate of groups with an lr_scale of 1."""
    lr = lr_at(recipe, step, steps_per_epoch=steps_per_epoch)
    weight_decay = weight_decay_at(recipe, step, steps_per_epoch=steps_per_epoch)
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]
        group["weight_decay"] = weight_decay if group["decays"] else 0.0
    return lr


def _build(groups: list[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    entry = entry_of(recipe.opt)
    module, _, name = entry.build.partition(":")
    build: Callable[..., torch.optim.Optimizer] = getattr(import_module(module), name)
    settings = {setting: getattr(recipe, setting) for setting in entry.settings}
    arguments = {**entry.arguments(settings), **recipe.opt_args}
    if taken := recipe.opt_args.keys() & {*settings, "lr", "weight_decay"}:
        raise RecipeError(f"--set opt_args: {min(taken)} is a setting of its own; --set {min(taken)}=VALUE")
    try:
        return build(groups, lr=recipe.lr, **settings, **arguments)
    except (TypeError, ValueError, AssertionError, RuntimeError, ImportError) as error:
        hint = _unknown_argument(groups, recipe) or str(error)
        raise RecipeError(f"--opt {recipe.opt} cannot be built: {hint}") from None


def _unknown_argument(groups: list[dict[str, Any]], recipe: Recipe) -> str:
    """A sentence on the first of the recipe's opt_args that the optimiser does not know; empty where it knows all."""
    if not recipe.opt_args:
        return ""
    plain = type(_build(groups, recipe.model_copy(update={"opt_args": {}})))
    known = [*inspect.signature(plain).parameters][1:]
    for name in recipe.opt_args:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            return f"it has no argument {name!r}; " + (
                f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
            )
    return ""
