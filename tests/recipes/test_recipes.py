"""Every recipe of the papers can be run as it stands, has the numbers of its table, and is the page that docs/recipes holds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import glocal
from glocal.design import adapt
from glocal.design.cost import cost
from glocal.errors import RecipeError
from glocal.families import architecture
from glocal.recipes import all_pages, documents, find_page, recipe, suggest
from glocal.recipes.pages import Page, Pictures, rows, settings, spelled, to_json
from glocal.recipes.schema import Recipe

PAGES = all_pages()
DOCS = Path(__file__).parents[2] / "docs" / "recipes"


@pytest.mark.parametrize("name", PAGES)
def test_every_recipe_builds_and_survives_its_own_text(name):
    told = find_page(name)
    assert told.name == name
    assert told.trained is None or cost(told.trained).macs > 0
    assert Recipe().merged(told.recipe.model_dump(mode="json")) == told.recipe
    assert Recipe().merged(settings(told.recipe)) == told.recipe


@pytest.mark.parametrize("name", [name for name in PAGES if PAGES[name].weights])
def test_fine_tuning_starts_from_a_recipe_of_the_same_layers(name):
    to, start = (architecture(recipe(n).model) for n in (name, PAGES[name].weights))
    assert to.stages == start.stages
    assert adapt(to, classes=0).head == adapt(start, classes=0).head
    assert find_page(name).command.endswith("--weights WEIGHTS")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_paper_command_result_and_cost(name):
    said = dict(rows(find_page(name)))
    assert said["paper"]
    assert said["settings from"]
    assert f"--recipe {name}" in said["command"]
    assert said["expected"]
    assert ("multiply-adds" in said["cost"]) == (find_page(name).trained is not None)
    assert ("WEIGHTS" in said["command"]) == ("WEIGHTS" in said)
    assert "uncertain" in " ".join(find_page(name).notes) or "coatnet" not in name
    assert to_json(find_page(name))["settings"]["lr"] == recipe(name).lr


def test_the_cost_is_epochs_times_whole_batches_times_the_multiply_adds_of_a_picture():
    assert find_page("convnext_tiny_imagenet").macs == 300 * 312 * 4096 * 4_455_531_264
    assert find_page("cct_7_3x1_cifar10_300").macs == 310 * 390 * 128 * cost(architecture("cct_7_3x1_32")).macs
    assert find_page("small").macs is None


def test_a_recipe_for_the_network_of_the_weights_names_none():
    told = Page("probe", "ours", "", Recipe(model_from="weights"), Pictures("a folder of pictures", "DATA"))
    assert told.command == "glocal train DATA --recipe probe --weights WEIGHTS"
    assert (told.trained, told.macs, to_json(told)["params"]) == (None, None, None)
    assert dict(rows(told))["cost"] == "30 epochs of the pictures"
    assert "cct" not in spelled(told.recipe, 100)


def test_settings_are_spelled_in_lines_that_break_between_them():
    assert spelled(Recipe().but({"scale": (0.5, 1), "batch_size": 64}), 200) == (
        "model cct_2_3x2_32, epochs 30, batch_size 64, opt adamw, lr 0.001, weight_decay 0.05, sched cosine, scale (0.5, 1)"
    )
    first, *_ = spelled(Recipe(), 40).splitlines()
    assert first == "model cct_2_3x2_32, epochs 30,"


def test_docs_recipes_is_what_the_recipes_say():
    assert {file.name: file.read_text() for file in DOCS.glob("*.md") if file.name != "README.md"} == documents(), (
        "python -c \"from glocal.recipes import write; write('docs/recipes')\""
    )


def test_a_recipe_takes_one_file(tmp_path):
    """What `glocal recipes`, `--recipe` and docs/recipes know is what lies in the folder of the papers."""
    copy = shutil.copytree(Path(glocal.__file__).parent, tmp_path / "glocal", ignore=shutil.ignore_patterns("*.pyc"))
    (copy / "recipes" / "papers" / "mine.py").write_text(
        '''"""A recipe of mine."""

from glocal.recipes.pages import Page, Pictures
from glocal.recipes.schema import Recipe

TITLE = "Recipes of mine"
PAGES = (Page("mine", "mine", "my notebook", Recipe(epochs=7), Pictures("a folder of pictures", "DATA")),)
'''
    )
    code = (
        "import glocal.recipes as r; print(r.recipe('mine').epochs, 'mine.md' in r.documents(), [*r.all_papers()][0])"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["7", "True", "ours"]


def test_reading_the_fields_of_a_recipe_loads_no_page():
    code = "import sys, glocal.recipes.schema; print([m for m in sys.modules if m.startswith('glocal.recipes.pa')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_misspelt_recipe_is_answered_with_the_nearest():
    with pytest.raises(RecipeError, match="did you mean 'digits'"):
        recipe("digit")


def test_small_pictures_digits_and_photographs_get_different_recipes():
    assert [suggest("digits", (8, 8)), suggest("d", (32, 32)), suggest("d", (375, 500))] == [
        "digits",
        "small",
        "photos",
    ]


# ---------------------------------------------------------------------------------- the tables

# Compact Transformers, the YAML files: epochs, batch, lr, decay, warm-up rate, erasing, mixup off
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


# ConvNeXt, Tables 5 and 6: epochs, warm-up, batch, lr, decay, layer decay, stochastic depth, averaging
CONVNEXT = {
    "convnext_tiny_imagenet": (300, 20, 4096, 4e-3, 0.05, 1.0, 0.1, 0.9999),
    "convnext_small_imagenet": (300, 20, 4096, 4e-3, 0.05, 1.0, 0.4, 0.9999),
    "convnext_base_imagenet": (300, 20, 4096, 4e-3, 0.05, 1.0, 0.5, 0.9999),
    "convnext_large_imagenet": (300, 20, 4096, 4e-3, 0.05, 1.0, 0.5, 0.9999),
    "convnext_isotropic_small_imagenet": (300, 50, 4096, 4e-3, 0.05, 1.0, 0.1, 0.9999),
    "convnext_isotropic_base_imagenet": (300, 50, 4096, 4e-3, 0.05, 1.0, 0.2, 0.9999),
    "convnext_isotropic_large_imagenet": (300, 50, 4096, 4e-3, 0.05, 1.0, 0.5, 0.9999),
    "convnext_tiny_imagenet22k": (90, 5, 4096, 4e-3, 0.05, 1.0, 0.0, 0.0),
    "convnext_base_imagenet22k": (90, 5, 4096, 4e-3, 0.05, 1.0, 0.1, 0.0),
    "convnext_xlarge_imagenet22k": (90, 5, 4096, 4e-3, 0.05, 1.0, 0.2, 0.0),
    "convnext_base_imagenet_384": (30, 0, 512, 5e-5, 1e-8, 0.7, 0.8, 0.0),
    "convnext_large_imagenet_384": (30, 0, 512, 5e-5, 1e-8, 0.7, 0.95, 0.0),
    "convnext_tiny_imagenet_from22k": (30, 0, 512, 5e-5, 1e-8, 0.8, 0.0, 0.0),
    "convnext_small_imagenet_from22k_384": (30, 0, 512, 5e-5, 1e-8, 0.8, 0.1, 0.0),
    "convnext_large_imagenet_from22k_384": (30, 0, 512, 5e-5, 1e-8, 0.8, 0.3, 0.0),
    "convnext_xlarge_imagenet_from22k": (30, 0, 512, 5e-5, 1e-8, 0.8, 0.4, 0.9999),
    "resnet50_imagenet": (300, 20, 4096, 4e-3, 0.05, 1.0, 0.1, 0.0),
    "resnet200_imagenet": (300, 20, 4096, 4e-3, 0.05, 1.0, 0.5, 0.0),
}


@pytest.mark.parametrize(("name", "row"), CONVNEXT.items())
def test_the_convnext_recipes_are_those_of_tables_5_and_6(name, row):
    r = recipe(name)
    told = (r.epochs, r.warmup_epochs, r.batch_size, r.lr, r.weight_decay, r.layer_decay, r.drop_path, r.ema)
    assert told == row
    mixed = (0.0, 0.0) if r.epochs == 30 else (0.8, 1.0)
    assert (r.mixup, r.cutmix, r.reprob, r.smoothing, r.clip_grad) == (*mixed, 0.25, 0.1, None)
    assert r.head_init_scale == (1e-3 if r.epochs == 30 else 1.0)


# CoAtNet, Table 10: epochs, batch, lr, min_lr, decay, stochastic depth, averaging, smoothing, mixup
COATNET = {
    "coatnet_0_imagenet": (300, 4096, 1e-3, 1e-5, 0.05, 0.2, 0.0, 0.1, 0.8),
    "coatnet_1_imagenet": (300, 4096, 1e-3, 1e-5, 0.05, 0.3, 0.0, 0.1, 0.8),
    "coatnet_2_imagenet": (300, 4096, 1e-3, 1e-5, 0.05, 0.5, 0.0, 0.1, 0.8),
    "coatnet_3_imagenet": (300, 4096, 1e-3, 1e-5, 0.05, 0.7, 0.0, 0.1, 0.8),
    "coatnet_3_imagenet_512": (30, 512, 5e-5, 0.0, 1e-8, 0.7, 0.9999, 0.1, 0.8),
    "coatnet_2_imagenet21k": (90, 4096, 1e-3, 1e-5, 0.01, 0.3, 0.0, 1e-4, 0.0),
    "coatnet_4_imagenet21k_ra_150": (150, 4096, 1e-3, 1e-5, 0.01, 0.7, 0.0, 1e-4, 0.0),
    "coatnet_4_imagenet_from21k_512": (30, 1024, 5e-5, 0.0, 1e-8, 0.7, 0.9999, 0.1, 0.0),
    "coatnet_3_dw_jft": (14, 4096, 1e-3, 1e-5, 0.01, 0.0, 0.0, 1e-4, 0.0),
    "coatnet_5_jft": (14, 4096, 5e-4, 1e-5, 0.01, 0.0, 0.0, 1e-4, 0.0),
    "coatnet_5_imagenet_fromjft_512": (30, 512, 5e-5, 0.0, 1e-8, 0.2, 0.9999, 0.1, 0.0),
}


@pytest.mark.parametrize(("name", "row"), COATNET.items())
def test_the_coatnet_recipes_are_those_of_table_10(name, row):
    r = recipe(name)
    assert (r.epochs, r.batch_size, r.lr, r.min_lr, r.weight_decay, r.drop_path, r.ema, r.smoothing, r.mixup) == row
    assert (r.clip_grad, r.cutmix, r.reprob, r.repeats) == (1.0, 0.0, 0.0, 1)
    assert (r.loss == "sigmoid") == (r.smoothing == 1e-4)


def test_glit_is_deits_recipe_with_clipped_gradients():
    r = recipe("glit_tiny_imagenet")
    assert r.merged({"model": "deit_tiny", "clip_grad": None}) == recipe("deit_tiny_imagenet")
    assert (r.epochs, r.batch_size, r.lr, r.repeats, r.ema, r.evaluated) == (300, 1024, 1e-3, 3, 0.99996, "weights")


def test_torchvision_averages_as_often_as_every_step_says():
    alpha = 2e-5 * 32 * 1024 / 600
    assert recipe("convnext_tiny_imagenet_600").ema == pytest.approx((1 - alpha) ** (1 / 32), abs=5e-7)


@pytest.mark.parametrize("model", ["cct_2_3x2_32", "coatnet_0"])
def test_only_networks_that_read_any_size_train_at_another(model):
    from glocal.runs.settings import Request, check_early

    told = {"model": model, "train_size": 192}
    with pytest.raises(RecipeError, match=f"train_size 192x192: {model} has positions"):
        check_early(Request(settings=told))
    check_early(Request("convnext_tiny_imagenet_600"))
