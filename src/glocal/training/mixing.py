"""Random erasing, mixup and CutMix of a training batch, as timm computes them; the targets and the loss.

Labels are classes, int64 (B), or 0 and 1 for each class, float (B, K). Mixing uses only NumPy's global generator, so that
processes with the same seed mix in the same way; erasing uses Python's and torch's. The loop seeds them before each step.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from glocal.data.batches.timm_parts import timm_file
from glocal.errors import RecipeError
from glocal.recipes.schema import Recipe

Mixed = tuple[Tensor, Tensor]


def check_labels(recipe: Recipe, *, multi_label: bool) -> None:
    """RecipeError for pictures with several labels and a loss that takes one."""
    if multi_label and recipe.loss != "sigmoid":
        raise RecipeError(
            f"pictures with several labels need --loss sigmoid; {recipe.loss} takes one label for each picture"
        )


def mixer(recipe: Recipe, *, classes: int, device: torch.device) -> Callable[[Tensor, Tensor, int], Mixed]:
    """A function of normalised pictures (B, C, H, W), labels and the epoch. It returns pictures and soft targets (B, classes),
    or the labels where they are neither mixed nor smoothed."""
    erase = _eraser(recipe, device)

    def apply(x_BCHW: Tensor, y: Tensor, epoch: int) -> Mixed:
        check_labels(recipe, multi_label=y.ndim == 2)
        if erase is not None:
            x_BCHW = erase(x_BCHW)
        if not recipe.mixes:
            return x_BCHW, _softened(y, recipe.smoothing) if y.ndim == 2 else y
        mix = _timm_mixup(recipe, classes, multi_label=y.ndim == 2)
        mix.mixup_enabled = not (recipe.mixup_off_epoch and epoch >= recipe.mixup_off_epoch)
        even = len(x_BCHW) // 2 * 2  # each is mixed with its mirror in the batch; an odd one is left out
        mixed: Mixed = mix(x_BCHW[:even], y[:even])
        return mixed

    return apply


def loss(recipe: Recipe, logits_BK: Tensor, target: Tensor, *, weights_K: Tensor | None = None) -> Tensor:
    """The mean over pictures of the recipe's loss. Soft targets (B, K) are smoothed already.

    "cross_entropy" with `weights_K` weighs each class's share of the target and divides by the number of pictures, so that
    the parts of a batch add up. "sigmoid" is binary cross-entropy, whose mean is over the classes too, as in timm; a single
    label is smoothed to smoothing / K for the other classes and to 1 - smoothing + smoothing / K for its own.
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
    """float (K): n / (K n_c), where n_c of all n training labels are of class c, so that their mean over the labels is 1; None
    where the recipe has no class weights. RecipeError for a class without pictures."""
    if recipe.class_weights == "none":
        return None
    if not all(counts):
        raise RecipeError(f"--set class_weights=balanced: class {[*counts].index(0)} has no training pictures")
    return torch.tensor([sum(counts) / (len(counts) * n) for n in counts])


def _softened(y_BK: Tensor, smoothing: float) -> Tensor:
    """Each 0 and 1 moved towards a half, as timm does for several labels."""
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
    erase: Callable[[Tensor], Tensor] = timm_file("data.random_erasing").RandomErasing(
        probability=recipe.reprob, mode=recipe.remode, device=device.type
    )
    return erase
