"""Learning rates are those of the specs' tables, habit by habit."""

import pytest

from glocal.training.recipe import Recipe
from glocal.training.recipes import RECIPES
from glocal.training.schedule import lr_at

STEPS = 7  # any number of steps an epoch will do


def of_epoch(name: str, epoch: int) -> float:
    return lr_at(RECIPES[name], epoch * STEPS, steps_per_epoch=STEPS)


CIFAR10_300 = {
    0: 1.0000e-5,
    1: 6.4000e-5,
    5: 2.8000e-4,
    9: 4.9600e-4,
    10: 5.4852e-4,
    11: 5.4821e-4,
    100: 4.1500e-4,
    150: 2.8000e-4,
    175: 2.1012e-4,
    299: 1.0015e-5,
    300: 1e-5,
    309: 1e-5,
}


@pytest.mark.parametrize(("epoch", "lr"), CIFAR10_300.items())
def test_the_300_epoch_cifar_recipe_follows_timms_cosine(epoch, lr):
    assert of_epoch("cct_7_3x1_cifar10_300", epoch) == pytest.approx(lr, rel=5e-5)


@pytest.mark.parametrize(("epoch", "lr"), {0: 1e-5, 15: 5e-6, 29: 2.739e-8, 30: 0.0, 39: 0.0}.items())
def test_fine_tuning_at_384_ends_in_a_cooldown_at_rate_zero(epoch, lr):
    assert of_epoch("cct_14_7x2_imagenet_384", epoch) == pytest.approx(lr, rel=5e-4, abs=1e-12)


@pytest.mark.parametrize(("epoch", "lr"), {10: 5e-5, 30: 5e-6, 60: 5e-7, 90: 5e-8, 299: 5e-14}.items())
def test_fine_tuning_on_flowers_falls_tenfold_every_30_epochs(epoch, lr):
    assert of_epoch("cct_14_7x2_flowers102_384", epoch) == pytest.approx(lr, rel=1e-9)


HARMONIC = {0: 1e-4, 1: 1.25e-4, 2: 5e-4 / 3, 3: 2.5e-4, 4: 5e-4, 100: 2.601e-4, 199: 3.244e-8}


@pytest.mark.parametrize(("epoch", "lr"), HARMONIC.items())
def test_the_example_script_warms_up_harmonically(epoch, lr):
    assert of_epoch("cct_2_3x2_cifar10_200", epoch) == pytest.approx(lr, rel=5e-4)


TRIANGLE = (
    [0.005 * e for e in range(1, 11)] + [0.05 - 0.00475 * e for e in range(1, 11)] + [0.002, 0.0015, 0.001, 5e-4, 0]
)


@pytest.mark.parametrize(("epoch", "lr"), list(enumerate(TRIANGLE, 1)))
def test_convmixer_rises_and_falls_along_straight_lines(epoch, lr):
    assert of_epoch("convmixer_256_8_cifar10_25", epoch) == pytest.approx(lr, abs=1e-12)


@pytest.mark.parametrize(("epoch", "lr"), {30: 0.005, 60: 0.01, 90: 0.00525, 120: 0.0005, 150: 0.0}.items())
def test_convmixer_on_imagenet_peaks_at_two_fifths(epoch, lr):
    assert of_epoch("convmixer_1536_20_imagenet", epoch) == pytest.approx(lr, abs=1e-12)


def test_our_cosine_reaches_its_peak_after_the_warm_up_and_its_floor_at_the_end():
    r = Recipe(lr=1.0, warmup_lr=0.1, min_lr=0.01, warmup_epochs=2, epochs=10, cooldown_epochs=2)
    rates = [lr_at(r, step, steps_per_epoch=STEPS) for step in range(STEPS * r.total_epochs)]
    assert max(rates) == pytest.approx(rates[2 * STEPS - 1]) == pytest.approx(1.0)
    assert rates[: 2 * STEPS] == sorted(rates[: 2 * STEPS])
    assert rates[2 * STEPS :] == sorted(rates[2 * STEPS :], reverse=True)
    assert rates[10 * STEPS - 1 :] == pytest.approx([0.01] * (2 * STEPS + 1))


@pytest.mark.parametrize("sched", ["cosine", "timm_cosine", "timm_step", "harmonic_cosine", "triangle"])
def test_every_schedule_is_positive_before_the_end_and_never_above_the_peak(sched):
    r = Recipe().merged({"sched": sched, "epochs": 40, "lr": 0.3, "warmup_epochs": 4, "warmup_lr": 1e-3})
    rates = [lr_at(r, step, steps_per_epoch=STEPS) for step in range(1, STEPS * 40 - 1)]
    assert all(0 < rate <= 0.3 + 1e-12 for rate in rates)
