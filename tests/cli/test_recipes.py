"""The verb recipes lists, shows and says in JSON what the recipes are."""

import json

import pytest
from typer.testing import CliRunner

from glocal.cli.app import app
from glocal.errors import RecipeError
from glocal.recipes import all_pages


def said(*words: str) -> str:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["recipes", *words], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_all_recipes_are_listed_with_results():
    lines = said().splitlines()
    assert {line.split()[0] for line in lines[1:] if line and "top-1:" not in line} == all_pages().keys()
    assert any(line.split()[:2] == ["convnext_tiny_imagenet", "ImageNet-1K"] and "82.1 %" in line for line in lines)


def test_wildcards_choose_and_json_is_one_object():
    assert {page["name"] for page in json.loads(said("coatnet*", "--json"))} == {
        n for n in all_pages() if n.startswith("coatnet")
    }
    told = json.loads(said("convnext_tiny_imagenet", "--json"))
    assert (told["macs"], told["settings"]["lr"]) == (300 * 312 * 4096 * 4_455_531_264, 4e-3)


def test_a_page_says_what_to_type_and_what_to_expect():
    text = said("coatnet_0_imagenet_384")
    assert "glocal train imagenet --recipe coatnet_0_imagenet_384 --weights WEIGHTS" in text
    assert "83.9 % top-1" in text
    assert "warmup" not in text


def test_a_name_that_is_none_is_answered_with_the_nearest():
    with pytest.raises(RecipeError, match="did you mean 'convnext_tiny_imagenet'"):
        said("convnext_tiny_imagnet")
    with pytest.raises(RecipeError, match="no recipe matches"):
        said("zzz*")
