"""The learning rate as a pure function of the step. Each schedule keeps the habits of the code it comes from.

`e` is the epoch and `t` the fractional epoch; `warmup`, `epochs` and the rates are the recipe's.
"""

import math
from itertools import pairwise

from glocal.training.recipe import Recipe


def lr_at(recipe: Recipe, step: int, *, steps_per_epoch: int) -> float:
    """Learning rate of a step, counted from 0."""
    return _SCHEDULES[recipe.sched](recipe, step, steps_per_epoch)


def _cosine(r: Recipe, step: int, steps_per_epoch: int) -> float:
    """Every step: linear warm-up, then a cosine over what is left of the epochs; min_lr in the cooldown."""
    t = (step + 1) / steps_per_epoch
    if t < r.warmup_epochs:
        return r.warmup_lr + (r.lr - r.warmup_lr) * t / r.warmup_epochs
    done = min(1.0, (t - r.warmup_epochs) / max(r.epochs - r.warmup_epochs, 1 / steps_per_epoch))
    return r.min_lr + (r.lr - r.min_lr) * _half_cosine(done)


def _timm_cosine(r: Recipe, step: int, steps_per_epoch: int) -> float:
    """Once an epoch; the warm-up is not subtracted, so the cosine starts a little below lr (timm's default)."""
    e = step // steps_per_epoch
    if e < r.warmup_epochs:
        return r.warmup_lr + e * (r.lr - r.warmup_lr) / r.warmup_epochs
    return r.min_lr + (r.lr - r.min_lr) * _half_cosine(min(1.0, e / r.epochs))


def _timm_step(r: Recipe, step: int, steps_per_epoch: int) -> float:
    """Once an epoch: a tenth every 30 epochs, counted from epoch 0 (timm's "step" with its defaults)."""
    e = step // steps_per_epoch
    if e < r.warmup_epochs:
        return r.warmup_lr + e * (r.lr - r.warmup_lr) / r.warmup_epochs
    return r.lr * 0.1 ** (e // 30)


def _harmonic_cosine(r: Recipe, step: int, steps_per_epoch: int) -> float:
    """Once an epoch: lr / (warmup - e), then a cosine over the rest (Compact Transformers, examples/main.py)."""
    e = step // steps_per_epoch
    if e < r.warmup_epochs:
        return r.lr / (r.warmup_epochs - e)
    return r.lr * _half_cosine(min(1.0, (e - r.warmup_epochs) / (r.epochs - r.warmup_epochs)))


def _triangle(r: Recipe, step: int, steps_per_epoch: int) -> float:
    """Set after every step of the original, so that step s uses t = s / steps: straight lines through 0 at 0, lr at 2T/5,
    lr / 20 at 4T/5 and 0 at T = epochs (ConvMixer's code, whole epochs)."""
    t, end = step / steps_per_epoch, r.epochs
    corners = [(0, 0.0), (2 * end // 5, r.lr), (4 * end // 5, r.lr / 20), (end, 0.0)]
    for (t0, lr0), (t1, lr1) in pairwise(corners):
        if t < t1:
            return lr0 + (lr1 - lr0) * (t - t0) / (t1 - t0)
    return 0.0


def _half_cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))


_SCHEDULES = {
    "cosine": _cosine,
    "timm_cosine": _timm_cosine,
    "timm_step": _timm_step,
    "harmonic_cosine": _harmonic_cosine,
    "triangle": _triangle,
}
