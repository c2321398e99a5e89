"""What is done to a whole training batch: random erasing, mixup and CutMix as timm computes them, and the soft targets.

Everything draws from the global generators, which the loop seeds before each step.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from glocal.training.recipe import Recipe

Mixed = tuple[Tensor, Tensor]


def mixer(recipe: Recipe, *, classes: int, device: torch.device) -> Callable[[Tensor, Tensor, int], Mixed]:
    """A function of normalised pictures (B, C, H, W), labels (B) and the epoch that returns pictures and soft targets
    (B, classes), or the labels themselves where nothing softens them."""
    erase = _eraser(recipe, device)
    mix = _timm_mixup(recipe, classes) if recipe.mixes else None

    def apply(x_BCHW: Tensor, y_B: Tensor, epoch: int) -> Mixed:
        if erase is not None:
            x_BCHW = erase(x_BCHW)
        if mix is None:
            return x_BCHW, y_B
        mix.mixup_enabled = not (recipe.mixup_off_epoch and epoch >= recipe.mixup_off_epoch)
        even = len(x_BCHW) // 2 * 2  # pictures are mixed in pairs; a set smaller than a batch may leave one over
        return mix(x_BCHW[:even], y_B[:even])

    return apply


def loss(recipe: Recipe, logits_BK: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy with the recipe's label smoothing; soft targets carry their smoothing already."""
    smoothing = recipe.smoothing if target.ndim == 1 else 0.0
    return functional.cross_entropy(logits_BK.float(), target, label_smoothing=smoothing)


def _timm_mixup(recipe: Recipe, classes: int) -> Any:
    from timm.data.mixup import Mixup

    return Mixup(
        mixup_alpha=recipe.mixup,
        cutmix_alpha=recipe.cutmix,
        prob=recipe.mixup_prob,
        switch_prob=recipe.mixup_switch_prob,
        mode="batch",
        label_smoothing=recipe.smoothing,
        num_classes=classes,
    )


def _eraser(recipe: Recipe, device: torch.device) -> Callable[[Tensor], Tensor] | None:
    if not recipe.reprob:
        return None
    from timm.data.random_erasing import RandomErasing

    return RandomErasing(probability=recipe.reprob, mode=recipe.remode, device=device.type)
