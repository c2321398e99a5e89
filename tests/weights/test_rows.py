"""A classifier of many classes gives its rows to one of fewer: by number, by a file of numbers, by the names of the classes."""

import pytest
import torch

from glocal import create_model
from glocal.errors import WeightError
from glocal.weights import Model, rows_by_name, save_model

MODEL = "convmixer_16_1_p4_k3_32"


@pytest.fixture
def file(tmp_path):
    network = create_model(MODEL, num_classes=6)
    preprocess = {"size": [32, 32]}
    save_model(tmp_path / "six.safetensors", Model(network, tuple("abcdef"), preprocess))
    return tmp_path / "six.safetensors", network


def test_rows_become_the_classifier_and_all_else_is_the_files(file):
    path, six = file
    three = create_model(MODEL, num_classes=3, weights=path, head_rows=(4, 0, 4))
    x = torch.randn(2, 3, 32, 32)
    assert torch.allclose(three.eval()(x), six.eval()(x)[:, [4, 0, 4]], atol=1e-6)
    assert three.arch.head[-1].width == 3


@pytest.mark.parametrize("text", ["4\n0\n", "4,0", " 4; 0\r\n"])
def test_rows_are_read_from_text_of_any_layout(file, tmp_path, text):
    (tmp_path / "rows.csv").write_text(text, newline="")
    two = create_model(MODEL, weights=file[0], head_rows=tmp_path / "rows.csv")
    assert torch.equal(two.get_classifier().weight, file[1].get_classifier().weight[[4, 0]])


def test_rows_are_found_by_the_names_of_classes():
    assert rows_by_name(("cat", "dog", "eel"), ("eel", "cat")) == (2, 0)
    with pytest.raises(WeightError, match="1 of 2 classes are not in the file, the first 'fox'"):
        rows_by_name(("cat", "dog"), ("cat", "fox"))
    with pytest.raises(WeightError, match="more than one class called 'crane'"):
        rows_by_name(("crane", "crane", "dog"), ("crane",))


@pytest.mark.parametrize(
    ("rows", "classes", "says"),
    [
        ((0, 6), None, "row 6 of a classifier of 6"),
        ((0, -1), None, "row -1"),
        ((), None, "row none"),
        ((0, 1), 3, "names 2 rows for 3 classes"),
    ],
)
def test_a_row_that_is_not_there_is_named(file, rows, classes, says):
    with pytest.raises(WeightError, match=says):
        create_model(MODEL, num_classes=classes, weights=file[0], head_rows=rows)


def test_a_file_of_rows_that_is_none_is_named(file, tmp_path):
    (tmp_path / "names.txt").write_text("n01440764\n")
    with pytest.raises(WeightError, match="'n01440764' is no row"):
        create_model(MODEL, weights=file[0], head_rows=tmp_path / "names.txt")
    with pytest.raises(WeightError, match="cannot be read"):
        create_model(MODEL, weights=file[0], head_rows=tmp_path / "missing.txt")
    with pytest.raises(WeightError, match="give the file"):
        create_model(MODEL, head_rows=(1,))


def test_only_a_fresh_classifier_is_scaled(file):
    small = create_model(MODEL, num_classes=6, head_init_scale=1e-3).get_classifier()
    assert 0 < small.weight.abs().max() < 1e-3
    kept = create_model(MODEL, weights=file[0], head_init_scale=1e-3).get_classifier()
    assert torch.equal(kept.weight, file[1].get_classifier().weight)
    with pytest.warns(UserWarning, match="fresh"):
        fresh = create_model(MODEL, num_classes=3, weights=file[0], head_init_scale=1e-3).get_classifier()
    assert fresh.weight.abs().max() < 1e-3
