"""A recipe refuses what is unknown, out of range or without effect, and says what would do."""

import pytest

from glocal.errors import RecipeError
from glocal.recipes.schema import Recipe


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"epohcs": 3}, "did you mean 'epochs'"),
        ({"epochs": 0}, "--epochs 0"),
        ({"lr": float("nan")}, "--lr nan"),
        ({"lr": "inf"}, "--lr"),
        ({"lr": -1.0}, "--lr -1.0"),
        ({"drop_path": 1.0}, "--drop-path 1.0"),
        ({"sched": "cosin"}, "--set sched=cosin"),
        ({"momentum": 0.5}, "--set momentum has no effect here: it needs --opt sgd, momentum or muon"),
        ({"opt": "sgd", "eps": 1e-3}, "--set eps has no effect"),
        ({"mixup_off_epoch": 5}, "needs --mixup or --cutmix"),
        ({"sched": "triangle", "warmup_epochs": 2}, "--warmup-epochs has no effect"),
        ({"crop": "pad", "scale": (0.5, 1)}, "--set scale has no effect"),
        ({"mixup": 0.2, "batch_size": 33}, "must be even"),
        ({"mean": (0.5,)}, "mean has 1 channels and std 3"),
        ({"batch_size": 4, "accumulate": 8}, "--accumulate 8"),
        ({"opt": "lamb", "momentum": 0.5}, "--set momentum has no effect"),
        ({"layer_decay": 0.0}, "--layer-decay 0.0"),
        ({"layer_decay": 1.5}, "--layer-decay 1.5"),
        ({"sched": "timm_cosine", "warmup_steps": 10}, "needs a schedule that is set every step"),
        ({"warmup_steps": 10, "warmup_epochs": 1}, "give one, and 0 for the other"),
        ({"warmup_lr": 1e-5}, "--set warmup_lr has no effect"),
        ({"sched": "constant", "min_lr": 1e-5}, "--set min_lr has no effect"),
        ({"evaluated": "weights"}, "--set evaluated has no effect here: it needs --ema above 0"),
        ({"repeats": 0}, "--set repeats=0"),
        ({"sampling": "even"}, "--set sampling=even"),
        ({"loss": "bce"}, "--loss bce"),
        ({"head_init_scale": 0}, "--set head_init_scale=0"),
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


def test_training_pictures_have_the_size_of_all_unless_told_otherwise():
    assert Recipe().training_size((48, 64)) == (48, 64)
    assert Recipe().but({"train_size": 176}).training_size((224, 224)) == (176, 176)
    assert Recipe().but({"train_size": "(32, 48)"}).training_size((64, 96)) == (32, 48)


def test_how_the_aspect_is_treated_travels_with_the_weights():
    assert Recipe().but({"aspect": "squash"}).preprocess((384, 384)).aspect == "squash"
