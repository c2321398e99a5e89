"""Weights say what a run that starts from them needs to know, and the recipes fine_tune and linear_probe listen."""

import pytest
import torch
import yaml

import glocal
from glocal.data import Preprocess
from glocal.errors import RecipeError
from glocal.families import architecture
from glocal.recipes import recipe
from glocal.recipes.schema import Recipe
from glocal.runs.settings import with_pretrained_settings
from glocal.runs.starting_point import normalisation_mismatch
from glocal.weights import Model, create_model, export, save_model, start_from
from glocal.weights.files import read
from glocal.weights.pretrained import pretrained_settings
from glocal.weights.tables import LOCUSLAB

MIXER = "convmixer_16_2_p2_k5_32"
READING = Preprocess(size=(16, 16), mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), crop_pct=0.9, interpolation="bilinear")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return create_model(MIXER, num_classes=3, img_size=16)


@pytest.fixture
def saved(network, tmp_path):
    save_model(tmp_path / "a.safetensors", Model(network, ("green", "red", "blue"), READING.to_json()))
    return tmp_path / "a.safetensors"


@pytest.fixture
def theirs(network, tmp_path):
    torch.save(export(network, LOCUSLAB), tmp_path / "theirs.pth")
    return tmp_path / "theirs.pth"


def test_a_recipe_takes_model_size_and_normalisation_from_the_weights(saved):
    found = with_pretrained_settings(recipe("fine_tune"), saved)
    assert (found.model, found.img_size, found.model_from) == (MIXER, (16, 16), "recipe")
    assert found.preprocess((16, 16)) == READING
    assert found.layer_decay == recipe("fine_tune").layer_decay


def test_any_other_recipe_is_left_as_it_is(saved):
    assert with_pretrained_settings(Recipe(), saved) == Recipe()
    assert with_pretrained_settings(Recipe(), None) == Recipe()


def test_weights_that_are_missing_or_do_not_say_their_network_are_asked_for(theirs):
    with pytest.raises(RecipeError, match="starts from weights; name them: --weights"):
        with_pretrained_settings(recipe("fine_tune"), None)
    with pytest.raises(RecipeError, match="does not say which network it is of; name it: --model NAME"):
        with_pretrained_settings(recipe("fine_tune"), theirs)
    assert with_pretrained_settings(recipe("fine_tune"), theirs, given=["model"]).lr == recipe("fine_tune").lr


def test_timms_weights_say_what_timm_knows_without_a_network():
    said = pretrained_settings("timm:convnext_atto")
    assert (said["model"], said["img_size"], said["crop_pct"]) == ("convnext_atto", (224, 224), 0.875)
    assert with_pretrained_settings(recipe("linear_probe"), "timm:convnext_atto").model == "convnext_atto"


def test_another_normalisation_than_the_weights_is_told(saved):
    _, loaded = start_from(architecture(MIXER), saved)
    assert normalisation_mismatch(loaded, READING) == ""
    assert "mean (0.1, 0.2, 0.3), here (0.485, 0.456, 0.406)" in normalisation_mismatch(
        loaded, Preprocess(size=(16, 16))
    )


def test_fine_tuning_keeps_the_rows_of_the_classes_and_trains_on(saved, colours, tmp_path):
    run = glocal.train(
        colours, weights=saved, recipe="fine_tune", epochs=1, batch_size=8, lr=1e-9, output=tmp_path / "runs"
    )
    told = yaml.safe_load((run.folder / "run.yaml").read_text())
    assert (told["settings"]["model"], told["settings"]["crop_pct"]) == (MIXER, 0.9)
    before, after = read(saved).tensors["head.linear1.weight"], read(run.weights).tensors["head.linear1.weight"]
    torch.testing.assert_close(after, before[[2, 0, 1]], atol=1e-5, rtol=0)  # blue, green, red


def test_a_linear_probe_leaves_all_but_the_classifier_to_the_bit(saved, colours, tmp_path):
    run = glocal.train(colours, weights=saved, recipe="linear_probe", epochs=2, batch_size=8, output=tmp_path / "runs")
    before, after = read(saved).tensors, read(run.folder / "weights" / "last.safetensors").tensors
    assert all(torch.equal(after[key], before[key]) for key in before if "head.linear1" not in key)
    assert not torch.equal(after["head.linear1.weight"], before["head.linear1.weight"][[2, 0, 1]])
