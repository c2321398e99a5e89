"""A recipe refuses what is unknown, out of range or without effect, and says what would do."""

import pytest

from glocal.errors import RecipeError
from glocal.families import architecture
from glocal.training.recipe import Recipe
from glocal.training.recipes import RECIPES, recipe, suggest


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"epohcs": 3}, "did you mean 'epochs'"),
        ({"epochs": 0}, "--epochs 0"),
        ({"lr": float("nan")}, "--lr nan"),
        ({"lr": "inf"}, "--lr"),
        ({"lr": -1.0}, "--lr -1.0"),
        ({"drop_path": 1.0}, "--drop-path 1.0"),
        ({"sched": "cosin"}, "--sched cosin"),
        ({"momentum": 0.5}, "--momentum has no effect here: it needs --opt sgd or muon"),
        ({"opt": "sgd", "eps": 1e-3}, "--eps has no effect"),
        ({"mixup_off_epoch": 5}, "needs --mixup or --cutmix"),
        ({"sched": "triangle", "warmup_epochs": 2}, "--warmup-epochs has no effect"),
        ({"crop": "pad", "scale": (0.5, 1)}, "--scale has no effect"),
        ({"mixup": 0.2, "batch_size": 33}, "must be even"),
        ({"mean": (0.5,)}, "mean has 1 channels and std 3"),
        ({"batch_size": 4, "accumulate": 8}, "--accumulate 8"),
    ],
)
def test_a_bad_setting_is_named(changes, says):
    with pytest.raises(RecipeError, match=says.replace("(", r"\(")):
        Recipe().but(changes)


def test_text_is_read_as_the_number_it_means():
    told = Recipe().but({"lr": "5e-4", "scale": "(0.8, 1)", "img_size": "[48, 64]", "ema": "0.99", "drop_path": "null"})
    assert (told.lr, told.scale, told.img_size, told.ema, told.drop_path) == (5e-4, (0.8, 1.0), (48, 64), 0.99, None)


def test_a_recipe_cannot_be_changed_in_place():
    with pytest.raises(Exception, match="frozen"):
        Recipe().epochs = 3


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_names_a_model_and_survives_its_own_text(name):
    told = recipe(name)
    assert architecture(told.model)
    assert Recipe().merged(told.model_dump(mode="json")) == told


def test_a_misspelt_recipe_is_answered_with_the_nearest():
    with pytest.raises(RecipeError, match="did you mean 'digits'"):
        recipe("digit")


# Compact Transformers, table of section 5.1: epochs, batch, lr, decay, warm-up rate, erasing, mixup off
YAML = {
    "cct_7_3x1_cifar10_300": (300, 128, 5.5e-4, 0.06, 1e-5, 0.0, 175),
    "cct_7_3x1_cifar10_1500": (1500, 128, 5e-4, 0.05, 1e-5, 0.25, 0),
    "cct_7_3x1_cifar10_5000": (5000, 128, 5e-4, 0.05, 1e-5, 0.25, 0),
    "cct_7_3x1_cifar100_300": (300, 128, 6e-4, 0.06, 1e-6, 0.25, 0),
    "cct_7_3x1_cifar100_1500": (1500, 128, 7e-4, 0.05, 1e-6, 0.25, 0),
    "cct_7_3x1_cifar100_5000": (5000, 128, 5e-4, 0.05, 1e-6, 0.25, 0),
    "cct_7_7x2_flowers102": (300, 96, 5e-4, 0.06, 1e-6, 0.25, 0),
    "cct_14_7x2_imagenet": (300, 1024, 5e-4, 0.05, 1e-6, 0.25, 0),
}


@pytest.mark.parametrize(("name", "row"), YAML.items())
def test_the_compact_recipes_are_the_authors_files(name, row):
    r = recipe(name)
    assert (r.epochs, r.batch_size, r.lr, r.weight_decay, r.warmup_lr, r.reprob, r.mixup_off_epoch) == row
    assert (r.total_epochs, r.mixup, r.cutmix, r.smoothing) == (r.epochs + 10, 0.8, 1.0, 0.1)


def test_small_pictures_digits_and_photographs_get_different_recipes():
    assert [suggest("digits", (8, 8)), suggest("d", (32, 32)), suggest("d", (375, 500))] == [
        "digits",
        "small",
        "photos",
    ]
