"""Learning rates are those of the specs' tables, habit by habit."""

import math

import pytest

from glocal.errors import RecipeError
from glocal.recipes import recipe
from glocal.recipes.schedule import check_warmup, lr_at, weight_decay_at
from glocal.recipes.schema import Recipe

STEPS = 7  # any number of steps an epoch will do


def of_epoch(name: str, epoch: int) -> float:
    return lr_at(recipe(name), epoch * STEPS, steps_per_epoch=STEPS)


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


DEIT = {0: 1e-6, 1: 1e-6, 2: 2.008e-4, 3: 4.006e-4, 4: 6.004e-4, 5: 8.002e-4, 6: 9.9932e-4, 150: 5.10e-4, 299: 1.011e-5}


@pytest.mark.parametrize(("epoch", "lr"), DEIT.items())
def test_glit_runs_two_epochs_at_the_start_of_its_warm_up_and_stays_an_epoch_late(epoch, lr):
    assert of_epoch("glit_tiny_imagenet", epoch) == pytest.approx(lr, rel=5e-4)


def test_convnext_warms_up_over_numbers_that_hold_both_ends_and_stops_short_of_its_floor():
    """312 steps an epoch, 6,240 of warm-up, 93,600 in all."""
    r = recipe("convnext_tiny_imagenet")
    rates = [lr_at(r, step, steps_per_epoch=312) for step in range(93_600)]
    assert rates[0] == 0
    assert rates[3120] == pytest.approx(4e-3 * 3120 / 6239)
    assert rates[6239] == rates[6240] == 4e-3
    middle = 6240 + (93_600 - 6240) // 2
    assert rates[middle] == pytest.approx((4e-3 + 1e-6) / 2)
    last = 1e-6 + (4e-3 - 1e-6) * 0.5 * (1 + math.cos(math.pi * (87_359 / 87_360)))
    assert rates[-1] == pytest.approx(last)
    assert rates[-1] > 1e-6


def test_convnext_fine_tunes_from_the_peak_on():
    r = recipe("convnext_base_imagenet_384")
    assert lr_at(r, 0, steps_per_epoch=STEPS) == 5e-5
    assert lr_at(r, 15 * STEPS, steps_per_epoch=STEPS) == pytest.approx((5e-5 + 1e-6) / 2)


def test_coatnet_warms_up_for_ten_thousand_steps_however_long_an_epoch_is():
    r = recipe("coatnet_0_imagenet")
    for steps in (100, 312, 5004):
        assert lr_at(r, 4_999, steps_per_epoch=steps) == pytest.approx(5e-4)
        assert lr_at(r, 9_999, steps_per_epoch=steps) == pytest.approx(1e-3)
        assert lr_at(r, 10_000, steps_per_epoch=steps) < 1e-3
    assert lr_at(r, 300 * 312 - 1, steps_per_epoch=312) == pytest.approx(1e-5)


def test_coatnet_falls_along_a_line_on_21k_and_stays_where_it_is_in_fine_tuning():
    r = recipe("coatnet_2_imagenet21k")
    halfway = lr_at(r, 5 * STEPS + 85 * STEPS // 2 - 1, steps_per_epoch=STEPS)
    assert halfway == pytest.approx((1e-3 + 1e-5) / 2, rel=0.01)
    assert lr_at(r, 90 * STEPS - 1, steps_per_epoch=STEPS) == pytest.approx(1e-5)
    assert {lr_at(recipe("coatnet_2_imagenet_384"), s, steps_per_epoch=STEPS) for s in range(30 * STEPS)} == {5e-5}


TORCHVISION = {
    0: 1e-5,
    1: 1e-5 + 0.99e-3 / 5,
    4: 1e-5 + 0.99e-3 * 4 / 5,
    5: 1e-3,
    302: 1e-3 * 0.5 * (1 + math.cos(math.pi * 297 / 595)),
}


@pytest.mark.parametrize(("epoch", "lr"), TORCHVISION.items())
def test_torchvision_steps_once_an_epoch_and_starts_its_cosine_at_the_peak(epoch, lr):
    assert of_epoch("convnext_tiny_imagenet_600", epoch) == pytest.approx(lr)


@pytest.mark.parametrize(("epoch", "lr"), {0: 0.1, 29: 0.1, 30: 0.01, 60: 1e-3, 89: 1e-3}.items())
def test_the_first_resnets_fall_tenfold_every_30_epochs(epoch, lr):
    assert of_epoch("resnet50_imagenet_90", epoch) == pytest.approx(lr)


def test_weight_decay_is_constant_or_follows_a_half_cosine_that_knows_no_warm_up():
    r = Recipe(weight_decay=0.04, epochs=10, warmup_epochs=3)
    assert {weight_decay_at(r, step, steps_per_epoch=STEPS) for step in range(10 * STEPS)} == {0.04}
    rising = r.but({"weight_decay_end": 0.4})
    told = [weight_decay_at(rising, step, steps_per_epoch=STEPS) for step in range(11 * STEPS)]
    assert told[0] == pytest.approx(0.04)
    assert told[5 * STEPS] == pytest.approx(0.22)
    assert told[10 * STEPS - 1] < 0.4 == told[10 * STEPS]


def test_a_warm_up_in_steps_longer_than_the_run_is_refused_with_one_that_fits():
    r = recipe("coatnet_0_imagenet")
    check_warmup(r, steps_per_epoch=312)
    with pytest.raises(
        RecipeError, match=r"10,000 steps does not end within the 900 steps of the run; --set warmup_steps=90"
    ):
        check_warmup(r, steps_per_epoch=3)


def test_our_cosine_reaches_its_peak_after_the_warm_up_and_its_floor_at_the_end():
    r = Recipe(lr=1.0, warmup_lr=0.1, min_lr=0.01, warmup_epochs=2, epochs=10, cooldown_epochs=2)
    rates = [lr_at(r, step, steps_per_epoch=STEPS) for step in range(STEPS * r.total_epochs)]
    assert max(rates) == pytest.approx(rates[2 * STEPS - 1]) == pytest.approx(1.0)
    assert rates[: 2 * STEPS] == sorted(rates[: 2 * STEPS])
    assert rates[2 * STEPS :] == sorted(rates[2 * STEPS :], reverse=True)
    assert rates[10 * STEPS - 1 :] == pytest.approx([0.01] * (2 * STEPS + 1))


EVERY = "cosine linspace_cosine linear constant triangle timm_cosine deit_cosine epoch_cosine harmonic_cosine timm_step".split()


@pytest.mark.parametrize("sched", EVERY)
def test_every_schedule_is_positive_before_the_end_and_never_above_the_peak(sched):
    r = Recipe().merged({"sched": sched, "epochs": 40, "lr": 0.3, "warmup_epochs": 4, "warmup_lr": 1e-3})
    rates = [lr_at(r, step, steps_per_epoch=STEPS) for step in range(1, STEPS * 40 - 1)]
    assert all(0 < rate <= 0.3 + 1e-12 for rate in rates)


# ---------------------------------------------------------------------------------- warm restarts


def test_warm_restarts_begin_each_schedule_again_with_its_warm_up_and_cooldown():
    changes = {
        "epochs": 4,
        "cooldown_epochs": 1,
        "warmup_epochs": 1,
        "lr": 1e-2,
        "min_lr": 1e-4,
        "weight_decay_end": 0.1,
    }
    once = Recipe().but(changes)
    twice = once.but({"epochs": 9, "restarts": (5,)})  # 4 epochs and 1 of cooldown, twice
    for of_step in (lr_at, weight_decay_at):
        values = [of_step(once, s, steps_per_epoch=STEPS) for s in range(5 * STEPS)]
        assert [of_step(twice, s, steps_per_epoch=STEPS) for s in range(10 * STEPS)] == values * 2


@pytest.mark.parametrize("sched", Recipe.model_fields["sched"].annotation.__args__)
def test_a_warm_restart_of_any_schedule_is_that_schedule_of_the_epochs_left(sched):
    whole, rest = Recipe(epochs=10, sched=sched, restarts=(4,)), Recipe(epochs=6, sched=sched)
    assert [lr_at(whole, 4 * STEPS + s, steps_per_epoch=STEPS) for s in range(6 * STEPS)] == [
        lr_at(rest, s, steps_per_epoch=STEPS) for s in range(6 * STEPS)
    ]


@pytest.mark.parametrize("restarts", [(9,), (8, 6), (5, 6)])
def test_a_schedule_without_an_epoch_besides_its_cooldown_is_refused(restarts):
    recipe = Recipe(epochs=8, cooldown_epochs=1)
    assert recipe.but({"restarts": (4, 6)}).restarts == (4, 6)
    with pytest.raises(RecipeError, match=r"--set restarts=.* has none"):
        recipe.but({"restarts": restarts})


def test_a_warm_up_must_fit_into_the_shortest_schedule():
    recipe = Recipe(epochs=10, warmup_steps=3 * STEPS, restarts=(8,))
    with pytest.raises(RecipeError, match="the warm-up of 21 steps does not end within the 14 steps"):
        check_warmup(recipe, steps_per_epoch=STEPS)
