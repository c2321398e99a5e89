"""The learning rate and the weight decay as functions of the step. Each schedule is that of the code that it comes from.

`e` is the epoch, counted from 0, and `t` the epoch with its fraction; `warmup`, `epochs` and the rates are the recipe's.
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from glocal.errors import RecipeError
from glocal.recipes.schema import Recipe


def lr_at(recipe: Recipe, step: int, *, steps_per_epoch: int) -> float:
    """Learning rate of a step, counted from 0."""
    recipe, step = _since_restart(recipe, step, steps_per_epoch)
    return _SCHEDULES[recipe.sched](recipe, step, steps_per_epoch)


def weight_decay_at(recipe: Recipe, step: int, *, steps_per_epoch: int) -> float:
    """Weight decay of a step: the recipe's, or a value on the half cosine to `weight_decay_end`, which has no warm-up and stops
    one step before its end (ConvNeXt's code)."""
    if (end := recipe.weight_decay_end) is None:
        return recipe.weight_decay
    recipe, step = _since_restart(recipe, step, steps_per_epoch)
    return end + (recipe.weight_decay - end) * _half_cosine(min(1.0, step / (recipe.epochs * steps_per_epoch)))


def check_warmup(recipe: Recipe, *, steps_per_epoch: int) -> None:
    """RecipeError for a warm-up in steps that is longer than the run, as on fewer pictures than the recipe was written for.

    A warm-up in epochs may be longer, in a run that is short on purpose; `announce` prints a line about it.
    """
    shortest = min(end - first for first, end in pairwise((0, *recipe.restarts, recipe.total_epochs)))
    steps = (shortest - recipe.cooldown_epochs) * steps_per_epoch
    if recipe.warmup_steps > steps:
        raise RecipeError(
            f"the warm-up of {recipe.warmup_steps:,} steps does not end within the {steps:,} steps of the run; "
            f"--set warmup_steps={steps // 10}"
        )


def _since_restart(recipe: Recipe, step: int, steps_per_epoch: int) -> tuple[Recipe, int]:
    """The recipe of the schedule that a step is in, between two warm restarts, and the step counted from its start."""
    if not recipe.restarts:
        return recipe, step
    ends = (*recipe.restarts, recipe.total_epochs)
    first = max((0, *(epoch for epoch in recipe.restarts if epoch <= step // steps_per_epoch)))
    end = min((end for end in ends if end > first), default=recipe.total_epochs)
    length = end - first - recipe.cooldown_epochs
    return recipe.model_copy(update={"epochs": length, "restarts": ()}), step - first * steps_per_epoch


def _warmup(r: Recipe, steps_per_epoch: int) -> float:
    """Length of the warm-up in epochs."""
    return r.warmup_steps / steps_per_epoch if r.warmup_steps else r.warmup_epochs


def _half_cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))


# ---------------------------------------------------------------------------------- set every step


def _then(r: Recipe, step: int, steps_per_epoch: int, *, falling: Callable[[float], float]) -> float:
    """A linear warm-up whose first step is already above its start, then a fall from lr to min_lr, which the last step of the
    epochs has; min_lr in the cooldown (ours; CoAtNet's paper gives only the names of its schedules)."""
    t, warmup = (step + 1) / steps_per_epoch, _warmup(r, steps_per_epoch)
    if t < warmup:
        return r.warmup_lr + (r.lr - r.warmup_lr) * t / warmup
    done = min(1.0, (t - warmup) / max(r.epochs - warmup, 1 / steps_per_epoch))
    return r.min_lr + (r.lr - r.min_lr) * falling(done)


def _linspace_cosine(r: Recipe, step: int, steps_per_epoch: int) -> float:
    """A warm-up that includes both its ends, so that the first step has warmup_lr and two steps have the peak; the cosine
    starts at lr and stops one step before min_lr (ConvNeXt's code)."""
    warmup = int(_warmup(r, steps_per_epoch) * steps_per_epoch)
    if step < warmup:
        return r.warmup_lr + (r.lr - r.warmup_lr) * step / max(1, warmup - 1)
    done = min(1.0, (step - warmup) / max(1, r.epochs * steps_per_epoch - warmup))
    return r.min_lr + (r.lr - r.min_lr) * _half_cosine(done)


def _triangle(r: Recipe, step: int, steps_per_epoch: int) -> float:
    """Straight lines through 0 at t = 0, lr at 2T/5, lr / 20 at 4T/5 and 0 at T = epochs, in whole epochs (ConvMixer's code,
    which sets the rate after each step, so that step s has t = s / steps)."""
    t, end = step / steps_per_epoch, r.epochs
    corners = [(0, 0.0), (2 * end // 5, r.lr), (4 * end // 5, r.lr / 20), (end, 0.0)]
    for (t0, lr0), (t1, lr1) in pairwise(corners):
        if t < t1:
            return lr0 + (lr1 - lr0) * (t - t0) / (t1 - t0)
    return 0.0


# ---------------------------------------------------------------------------------- set once an epoch


def _rising(r: Recipe, e: int) -> float:
    """The linear warm-up of an epoch, which starts at warmup_lr."""
    return r.warmup_lr + e * (r.lr - r.warmup_lr) / r.warmup_epochs


def _timm_cosine(r: Recipe, step: int, steps_per_epoch: int, *, late: int = 0) -> float:
    """The warm-up is not subtracted, so the cosine starts a little below lr (timm's default)."""
    e = max(0, step // steps_per_epoch - late)
    if e < r.warmup_epochs:
        return _rising(r, e)
    return r.min_lr + (r.lr - r.min_lr) * _half_cosine(min(1.0, e / r.epochs))


def _deit_cosine(r: Recipe, step: int, steps_per_epoch: int) -> float:
    """timm's cosine an epoch late: it is computed for the epoch just finished, so that epochs 0 and 1 both run at warmup_lr
    (DeiT's code, which GLiT uses)."""
    return _timm_cosine(r, step, steps_per_epoch, late=1)


def _epoch_cosine(r: Recipe, step: int, steps_per_epoch: int) -> float:
    """Linear warm-up, then a cosine over the rest that starts at lr (torchvision's reference script)."""
    e = step // steps_per_epoch
    if e < r.warmup_epochs:
        return _rising(r, e)
    done = (e - r.warmup_epochs) / max(1, r.epochs - r.warmup_epochs)
    return r.min_lr + (r.lr - r.min_lr) * _half_cosine(min(1.0, done))


def _harmonic_cosine(r: Recipe, step: int, steps_per_epoch: int) -> float:
    """lr / (warmup - e), then a cosine over the rest (Compact Transformers, examples/main.py)."""
    e = step // steps_per_epoch
    if e < r.warmup_epochs:
        return r.lr / max(1, r.warmup_epochs - e)
    done = (e - r.warmup_epochs) / max(1, r.epochs - r.warmup_epochs)
    return r.lr * _half_cosine(min(1.0, done))


def _timm_step(r: Recipe, step: int, steps_per_epoch: int) -> float:
    """A tenth every 30 epochs, counted from epoch 0 (timm's "step" with its defaults; without warm-up torchvision's)."""
    e = step // steps_per_epoch
    return _rising(r, e) if e < r.warmup_epochs else r.lr * 0.1 ** (e // 30)


_SCHEDULES: dict[str, Callable[[Recipe, int, int], float]] = {
    "cosine": partial(_then, falling=_half_cosine),
    "linear": partial(_then, falling=lambda done: 1 - done),
    "constant": partial(_then, falling=lambda _: 1.0),
    "linspace_cosine": _linspace_cosine,
    "triangle": _triangle,
    "timm_cosine": _timm_cosine,
    "deit_cosine": _deit_cosine,
    "epoch_cosine": _epoch_cosine,
    "harmonic_cosine": _harmonic_cosine,
    "timm_step": _timm_step,
}
