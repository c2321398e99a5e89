"""Targets and losses are timm's and torch's for one label, and say the same for several."""

import random

import numpy as np
import pytest
import torch
from timm.data.mixup import Mixup
from timm.loss import BinaryCrossEntropy
from torch.nn import functional

from glocal.errors import RecipeError
from glocal.recipes.schema import Recipe
from glocal.training.mixing import check_labels, class_weights, loss, mixer

CPU = torch.device("cpu")
MIXED = Recipe(mixup=0.8, cutmix=1.0, smoothing=0.1)
SEVERAL = MIXED.but({"loss": "sigmoid"})


def seed(n: int = 0) -> None:
    random.seed(n), np.random.seed(n), torch.manual_seed(n)


def batch(n: int = 8, classes: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    seed(1)
    return torch.randn(n, 3, 16, 16), torch.randint(classes, (n,))


def mixed(recipe: Recipe, x: torch.Tensor, y: torch.Tensor, *, step: int = 0, epoch: int = 0):
    seed(step)
    return mixer(recipe, classes=5, device=CPU)(x.clone(), y, epoch)


@pytest.mark.parametrize("step", range(6))
def test_one_label_is_mixed_as_timm_mixes_it(step):
    x, y = batch()
    seed(step)
    theirs = Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, label_smoothing=0.1, num_classes=5)(x.clone(), y)
    ours = mixed(MIXED, x, y, step=step)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("step", range(6))
def test_several_labels_are_mixed_with_the_pictures_own_share(step):
    x, y = batch()
    yes_BK = functional.one_hot(y, 5).float()
    one, several = (
        mixed(MIXED.but({"smoothing": 0.0}), x, y, step=step),
        mixed(SEVERAL.but({"smoothing": 0.0}), x, yes_BK, step=step),
    )
    assert torch.equal(one[0], several[0])
    assert torch.allclose(one[1], several[1])


def test_every_yes_and_no_is_smoothed_towards_a_half_mixed_or_not():
    x, _ = batch(4)
    yes_BK = torch.eye(5)[:4] + torch.eye(5)[1:]
    plain = mixed(SEVERAL.merged({"mixup": 0, "cutmix": 0}), x, yes_BK)[1]
    assert torch.allclose(plain, yes_BK * 0.9 + 0.05)
    off = mixed(SEVERAL.but({"mixup_off_epoch": 3}), x, yes_BK, epoch=3)[1]
    assert torch.allclose(off, plain)


def test_mixing_draws_from_numpy_alone_and_erasing_from_the_others():
    x, y = batch()
    target = mixed(MIXED, x, y)[1]
    mix = mixer(MIXED, classes=5, device=CPU)
    seed()
    random.seed(9), torch.manual_seed(9)
    assert torch.equal(mix(x.clone(), y, 0)[1], target)
    erase = Recipe(reprob=1.0)
    first = mixed(erase, x, y)[0]
    seed()
    np.random.seed(9)
    assert torch.equal(mixer(erase, classes=5, device=CPU)(x.clone(), y, 0)[0], first)
    assert not torch.equal(mixed(erase, x, y, step=1)[0], first)


def test_the_odd_picture_of_a_small_set_is_left_out_of_the_mixing():
    x, y = batch(7)
    assert [len(part) for part in mixed(MIXED, x, y)] == [6, 6]
    assert [len(part) for part in mixed(Recipe(), x, y)] == [7, 7]


def test_several_labels_need_the_loss_that_takes_them():
    x, _ = batch(2)
    with pytest.raises(RecipeError, match="--loss sigmoid"):
        mixed(Recipe(), x, torch.ones(2, 5))
    with pytest.raises(RecipeError, match="--loss sigmoid"):
        check_labels(Recipe(), multi_label=True)
    check_labels(Recipe(loss="sigmoid"), multi_label=True)
    check_labels(Recipe(), multi_label=False)


def test_the_sigmoid_loss_of_one_label_is_timms():
    _, y = batch()
    logits_BK = torch.randn(8, 5)
    ours = loss(Recipe(loss="sigmoid", smoothing=0.1), logits_BK, y)
    assert torch.allclose(ours, BinaryCrossEntropy(smoothing=0.1)(logits_BK, y))
    soft = torch.rand(8, 5)
    assert torch.allclose(loss(SEVERAL, logits_BK, soft), BinaryCrossEntropy(smoothing=0.1)(logits_BK, soft))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_torchs(smoothing):
    _, y = batch()
    logits_BK = torch.randn(8, 5)
    ours = loss(Recipe(smoothing=smoothing), logits_BK, y)
    assert torch.equal(ours, functional.cross_entropy(logits_BK, y, label_smoothing=smoothing))


def test_balanced_weights_are_one_on_average_and_none_unless_asked_for():
    counts = [10, 30, 60]
    weights_K = class_weights(Recipe(class_weights="balanced"), counts)
    assert weights_K.tolist() == pytest.approx([100 / 30, 100 / 90, 100 / 180])
    assert (weights_K * torch.tensor(counts)).sum() / 100 == pytest.approx(1)
    assert class_weights(Recipe(), counts) is None
    with pytest.raises(RecipeError, match="class 1 has no training picture"):
        class_weights(Recipe(class_weights="balanced"), [3, 0])


@pytest.mark.parametrize("recipe", [Recipe(smoothing=0.1), SEVERAL], ids=["cross_entropy", "sigmoid"])
def test_parts_of_a_batch_add_up_with_class_weights_too(recipe):
    _, y = batch()
    logits_BK, weights_K = torch.randn(8, 5), torch.rand(5)
    whole = loss(recipe, logits_BK, y, weights_K=weights_K)
    parts = [loss(recipe, logits_BK[i:j], y[i:j], weights_K=weights_K) * (j - i) / 8 for i, j in ((0, 2), (2, 8))]
    assert torch.allclose(sum(parts), whole)


def test_a_class_of_weight_zero_teaches_nothing():
    logits_BK = torch.randn(2, 3, requires_grad=True)
    loss(Recipe(), logits_BK, torch.tensor([0, 1]), weights_K=torch.tensor([0.0, 1.0, 1.0])).backward()
    assert not logits_BK.grad[0].any()
    assert logits_BK.grad[1].any()
