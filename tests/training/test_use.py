"""Evaluation opens only the split it is asked for; prediction answers what it can and names what it cannot."""

import csv
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import glocal
from glocal.errors import DataError
from glocal.training.recipes import recipe
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
    return glocal.train(root, recipe="small", settings=SETTINGS, output=tmp_path / "runs")


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
    assert glocal.evaluate(done.folder, part, split="train").top1 == 1.0


def test_a_class_that_the_network_does_not_know_is_an_error(done, colours):
    shutil.move(colours / "red", colours / "scarlet")
    with pytest.raises(DataError, match="scarlet"):
        glocal.evaluate(done.folder, colours)


def test_a_split_that_is_not_there_is_an_error(colours, tmp_path):
    flat = glocal.train(colours, recipe="small", settings={**SETTINGS, "epochs": 1}, output=tmp_path / "r")
    with pytest.raises(DataError, match="no split 'test'; it has train, val"):
        glocal.evaluate(flat.folder, split="test")


def test_pictures_are_answered_and_the_unreadable_named(done, colours, tmp_path):
    cut = tmp_path / "cut.png"
    cut.write_bytes((colours / "red" / "00.png").read_bytes()[:60])
    paths = [colours / "red" / "00.png", tmp_path / "missing.png", cut, colours / "blue" / "01.png"]
    found = glocal.predict(done.folder, paths, top=2)
    assert [p.path for p in found] == [str(p) for p in paths]
    assert [p.answers[0][0] if p.answers else None for p in found] == ["red", None, None, "blue"]
    assert "missing.png" in found[1].error
    assert "cut.png" in found[2].error
    assert len(found[0].answers) == 2


def test_a_folder_is_answered_whole_and_any_shape_is_read(done, tmp_path):
    folder = tmp_path / "any"
    folder.mkdir()
    for name, shape in {"tall": (90, 20, 3), "dot": (1, 1, 3)}.items():
        Image.fromarray(np.full(shape, (200, 50, 40), np.uint8)).save(folder / f"{name}.png")
    assert [p.answers[0][0] for p in glocal.predict(done.weights, [folder])] == ["red", "red"]


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
    (found,) = glocal.predict(tmp_path / "w.safetensors", [tmp_path / "00.png"], top=1)
    assert {name for name, _ in found.answers} == {"red", "blue"}
    assert all(share > 0.5 for _, share in found.answers)
    scores = glocal.evaluate(tmp_path / "w.safetensors", tmp_path / "t.csv")
    assert scores.recall == {"red": 1.0, "green": 0.0, "blue": 1.0}
    assert scores.map is not None
    save_model(tmp_path / "one.safetensors", Model(network, names, prepared))
    with pytest.raises(DataError, match=r"any number of classes a picture, and .* trained for one class a picture"):
        glocal.evaluate(tmp_path / "one.safetensors", tmp_path / "t.csv")
