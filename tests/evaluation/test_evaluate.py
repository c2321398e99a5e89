"""Evaluation opens only the split it is asked for; prediction answers what it can and names what it cannot."""

import csv
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import glocal
from glocal.data.options import DataOptions
from glocal.errors import DataError, RecipeError
from glocal.recipes import recipe
from glocal.weights import Model, save_model

SETTINGS = {"model": "cct_2_3x2_32", "img_size": 16, "epochs": 6, "batch_size": 8, "lr": 1e-3}


@pytest.fixture
def done(colours, tmp_path):
    """A run on colours with a test split of two pictures a class."""
    root = tmp_path / "split"
    for name in ("blue", "green", "red"):
        for i, file in enumerate(sorted((colours / name).iterdir())):
            to = root / ("test" if i < 2 else "train") / name
            to.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, to)
    return glocal.train(root, recipe="small", **SETTINGS, output=tmp_path / "runs")


def test_each_opening_of_the_test_split_is_counted(done):
    first = glocal.evaluate(done.folder, split="test")
    second = glocal.evaluate(done.folder, split="test")
    assert (first.n, first.opened, second.opened) == (6, 1, 2)
    with (done.folder / "tests.csv").open() as file:
        assert [float(row["top1"]) for row in csv.DictReader(file)] == [first.top1, second.top1]
    assert glocal.evaluate(done.folder).opened == 0


def test_classes_are_matched_by_name_and_not_by_order(done, colours, tmp_path):
    part = tmp_path / "part"
    shutil.copytree(colours / "red", part / "red")
    shutil.copytree(colours / "green", part / "green")
    assert glocal.evaluate(done.folder, part).top1 == 1.0


def test_a_class_that_the_network_does_not_know_is_an_error(done, colours):
    shutil.move(colours / "red", colours / "scarlet")
    with pytest.raises(DataError, match="scarlet"):
        glocal.evaluate(done.folder, colours)


def test_a_split_that_is_not_there_is_an_error(colours, tmp_path):
    flat = glocal.train(colours, recipe="small", **{**SETTINGS, "epochs": 1}, output=tmp_path / "r")
    with pytest.raises(DataError, match="no split 'test'; it has train, val"):
        glocal.evaluate(flat.folder, split="test")


def test_pictures_are_answered_and_the_unreadable_named(done, colours, tmp_path):
    cut = tmp_path / "cut.png"
    cut.write_bytes((colours / "red" / "00.png").read_bytes()[:60])
    paths = [colours / "red" / "00.png", tmp_path / "missing.png", cut, colours / "blue" / "01.png"]
    found = glocal.predict(done.folder, paths)
    assert [p.path for p in found] == [str(p) for p in paths]
    assert [p.predicted for p in found] == [("red",), (), (), ("blue",)]
    assert "missing.png" in found[1].error
    assert "cut.png" in found[2].error
    assert sum(found[0].probabilities.values()) == pytest.approx(1)
    assert found[0].top(1) == [("red", found[0].confidence)]


def test_a_folder_is_answered_whole_and_any_shape_is_read(done, tmp_path):
    folder = tmp_path / "any"
    folder.mkdir()
    for name, shape in {"tall": (90, 20, 3), "dot": (1, 1, 3)}.items():
        Image.fromarray(np.full(shape, (200, 50, 40), np.uint8)).save(folder / f"{name}.png")
    assert [p.predicted for p in glocal.predict(done.weights, folder)] == [("red",), ("red",)]


def test_of_several_classes_those_above_one_half_are_answered_and_scored(tmp_path):
    names, rng = ("red", "green", "blue"), np.random.default_rng(0)
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(tmp_path / f"{i:02d}.png")
    labels = ["red", "green|blue", "red|blue"]
    lines = [f"{i:02d}.png,{labels[i % 3]},{'val' if i < 3 else 'train'}" for i in range(12)]
    (tmp_path / "t.csv").write_text("\n".join(["path,label,split", *lines]))
    network = glocal.create_model("cct_2_3x2_32", num_classes=3, img_size=16)
    with torch.no_grad():
        [*network.head.children()][-1].bias.copy_(torch.tensor([9.0, -9.0, 9.0]))
    prepared = recipe("small").preprocess((16, 16)).to_json()
    save_model(tmp_path / "w.safetensors", Model(network, names, prepared, multi_label=True))
    (found,) = glocal.predict(tmp_path / "w.safetensors", tmp_path / "00.png")
    assert found.predicted == ("red", "blue")
    assert [name for name, p in found.probabilities.items() if p > 0.5] == ["red", "blue"]
    scores = glocal.evaluate(tmp_path / "w.safetensors", tmp_path / "t.csv")
    assert {row.name: row.recall for row in scores.per_class} == {"red": 1.0, "green": 0.0, "blue": 1.0}
    assert scores.map is not None
    save_model(tmp_path / "one.safetensors", Model(network, names, prepared))
    with pytest.raises(DataError, match=r"any number of classes a picture, and .* trained for one class a picture"):
        glocal.evaluate(tmp_path / "one.safetensors", tmp_path / "t.csv")


def test_without_splits_every_picture_is_scored_and_what_was_seen_before_is_counted(colours, tmp_path):
    flat = glocal.train(colours, recipe="small", **{**SETTINGS, "epochs": 1}, output=tmp_path / "r")
    mine = glocal.evaluate(flat.folder)
    assert (mine.split, mine.trained, mine.chosen_on, mine.n) == ("val", 0, 9, 9)
    every = glocal.evaluate(flat.folder, colours)
    assert (every.split, every.trained, every.chosen_on, every.n) == ("all", 39, 9, 48)
    assert "has no splits, so all of its pictures are scored" in every.split_rule
    assert sum(row.n for row in every.per_class) == 48
    with pytest.raises(DataError, match="has no splits, so it has no 'val'; leave --split out"):
        glocal.evaluate(flat.folder, colours, split="val")


def test_a_folder_of_one_class_with_one_picture_is_scored(done, colours, tmp_path):
    (tmp_path / "few" / "red").mkdir(parents=True)
    shutil.copy(colours / "red" / "00.png", tmp_path / "few" / "red")
    found = glocal.evaluate(done.folder, tmp_path / "few")
    assert (found.n, found.top1, [row.name for row in found.per_class]) == (1, 1.0, ["red"])


def test_where_there_are_splits_the_one_that_is_asked_for_is_scored(done, colours, tmp_path):
    root = tmp_path / "other"
    for split, names in {"train": ("blue", "red", "green"), "test": ("red", "green")}.items():
        for name in names:
            (root / split / name).mkdir(parents=True)
            for i in range(3):
                shutil.copy(colours / name / f"{i:02}.png", root / split / name)
    assert glocal.evaluate(done.folder, root, split="test").n == 6
    assert glocal.evaluate(done.folder, root, split="train").n == 9
    with pytest.raises(
        DataError, match="has no split 'val'; it has train, test; choose one: --split train or --split test"
    ):
        glocal.evaluate(done.folder, root)


def test_a_file_that_cannot_be_read_is_an_error_or_left_out_and_counted(done, colours):
    (colours / "red" / "cut.png").write_bytes((colours / "red" / "00.png").read_bytes()[:60])
    with pytest.raises(DataError, match=r"red/cut\.png"):
        glocal.evaluate(done.folder, colours)
    found = glocal.evaluate(done.folder, colours, options=DataOptions(skip_bad_files=True))
    assert (found.n, found.skipped) == (48, 1)


def test_options_that_would_have_no_effect_are_errors(done, colours):
    for options in (DataOptions(val_fraction=0.5), DataOptions(group_by="(.)")):
        with pytest.raises(RecipeError, match="has no effect here: an evaluation divides no pictures"):
            glocal.evaluate(done.folder, colours, options=options)
    with pytest.raises(RecipeError, match="no effect on the run's own"):
        glocal.evaluate(done.folder, options=DataOptions(skip_bad_files=True))


def test_evaluating_counts_what_predict_predicts(done, colours):
    scores = glocal.evaluate(done.folder, colours)
    found = glocal.predict(done.folder, colours)
    right = sum(p.predicted == (p.path.split("/")[-2],) for p in found)
    assert scores.top1 == right / 48
    assert [p.confidence for p in found] == pytest.approx(scores.predictions.confidence.tolist(), abs=1e-5)
