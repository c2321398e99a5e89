"""What is done to a whole training batch: random erasing, mixup and CutMix as timm computes them; the targets and the loss.

Labels are classes, int64 (B), or yes and no for each class, float (B, K). Mixing draws from NumPy's global generator alone,
so that processes which seed it alike mix alike; erasing draws from Python's and torch's. The loop seeds them before each step.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from glocal.data.borrowed import timm_file
from glocal.errors import RecipeError
from glocal.training.recipe import Recipe

Mixed = tuple[Tensor, Tensor]


def check_labels(recipe: Recipe, *, multi_label: bool) -> None:
    """RecipeError where pictures with several labels, or none, meet a loss that shares one among the classes."""
    if multi_label and recipe.loss != "sigmoid":
        raise RecipeError(f"pictures with several labels need --loss sigmoid; {recipe.loss} takes one label a picture")


def mixer(recipe: Recipe, *, classes: int, device: torch.device) -> Callable[[Tensor, Tensor, int], Mixed]:
    """A function of normalised pictures (B, C, H, W), labels and the epoch that returns pictures and soft targets
    (B, classes), or the classes themselves where nothing softens them."""
    erase = _eraser(recipe, device)

    def apply(x_BCHW: Tensor, y: Tensor, epoch: int) -> Mixed:
        check_labels(recipe, multi_label=y.ndim == 2)
        if erase is not None:
            x_BCHW = erase(x_BCHW)
        if not recipe.mixes:
            return x_BCHW, _softened(y, recipe.smoothing) if y.ndim == 2 else y
        mix = _timm_mixup(recipe, classes, multi_label=y.ndim == 2)
        mix.mixup_enabled = not (recipe.mixup_off_epoch and epoch >= recipe.mixup_off_epoch)
        even = len(x_BCHW) // 2 * 2  # each is mixed with its mirror in the batch; one may be over
        return mix(x_BCHW[:even], y[:even])

    return apply


def loss(recipe: Recipe, logits_BK: Tensor, target: Tensor, *, weights_K: Tensor | None = None) -> Tensor:
    """The mean over pictures of the recipe's loss; soft targets (B, K) carry their smoothing already.

    "cross_entropy" with `weights_K` weighs each class's share of the target and still divides by the pictures, so that parts
    of a batch add up. "sigmoid" is binary cross-entropy, the mean over the classes too, as timm's, which also smooths a
    single label to smoothing / K and a little under 1.
    """
    logits_BK, k = logits_BK.float(), logits_BK.shape[1]
    if recipe.loss == "sigmoid":
        if target.ndim == 1:
            target = functional.one_hot(target, k) * (1 - recipe.smoothing) + recipe.smoothing / k
        return functional.binary_cross_entropy_with_logits(logits_BK, target.to(logits_BK), weights_K)
    smoothing = recipe.smoothing if target.ndim == 1 else 0.0
    if weights_K is None:
        return functional.cross_entropy(logits_BK, target, label_smoothing=smoothing)
    summed = functional.cross_entropy(logits_BK, target, weights_K, label_smoothing=smoothing, reduction="sum")
    return summed / len(target)


def class_weights(recipe: Recipe, counts: Sequence[int]) -> Tensor | None:
    """float (K): n / (K n_c) for n_c of all n training labels, whose mean over these is 1; None where the recipe weighs none.
    RecipeError for a class without pictures."""
    if recipe.class_weights == "none":
        return None
    if not all(counts):
        raise RecipeError(f"class_weights balanced: class {[*counts].index(0)} has no training picture to weigh")
    return torch.tensor([sum(counts) / (len(counts) * n) for n in counts])


def _softened(y_BK: Tensor, smoothing: float) -> Tensor:
    """Each yes and no moved towards a half, as timm does it for several labels."""
    return y_BK.float() * (1 - smoothing) + smoothing / 2


def _timm_mixup(recipe: Recipe, classes: int, *, multi_label: bool) -> Any:
    return timm_file("data.mixup").Mixup(
        mixup_alpha=recipe.mixup,
        cutmix_alpha=recipe.cutmix,
        prob=recipe.mixup_prob,
        switch_prob=recipe.mixup_switch_prob,
        mode="batch",
        label_smoothing=recipe.smoothing,
        num_classes=classes,
        multi_label=multi_label,
    )


def _eraser(recipe: Recipe, device: torch.device) -> Callable[[Tensor], Tensor] | None:
    if not recipe.reprob:
        return None
    return timm_file("data.random_erasing").RandomErasing(
        probability=recipe.reprob, mode=recipe.remode, device=device.type
    )
