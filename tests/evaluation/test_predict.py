"""Pictures are predicted one by one, in order, in bounded memory, with the probabilities that the weights were calibrated to."""

import itertools
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import glocal
from glocal.deploying.classifiers import iter_predictions, predict
from glocal.errors import RecipeError, WeightError
from glocal.evaluation import predict as module
from glocal.evaluation.predict import Prediction
from glocal.recipes import recipe
from glocal.weights import Model, load_model, save_model

CLASSES = ("red", "green", "blue")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return glocal.create_model("cct_2_3x2_32", num_classes=3, img_size=16)


def saved(path, network, **more):
    prepared = recipe("small").preprocess((16, 16)).to_json()
    save_model(path, Model(network, CLASSES, prepared, **more))
    return path


@pytest.fixture
def weights(network, tmp_path):
    return saved(tmp_path / "w.safetensors", network)


def test_endless_pictures_are_predicted_while_they_come(weights, colours):
    files = sorted((colours / "red").iterdir())
    asked = []

    def endless():
        for path in itertools.cycle(files):
            asked.append(path)
            yield path

    some = [*itertools.islice(iter_predictions(weights, endless(), batch_size=4), 50)]
    assert [p.path for p in some[:20]] == [str(files[i % 16]) for i in range(20)]
    assert len(asked) < 50 + 4 * (module._AHEAD + 2), "only a few batches are read ahead"
    assert some[0] == some[16], "the same picture, in another batch"


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_the_size_of_a_batch_changes_no_prediction(weights, colours, batch_size):
    files = sorted(colours.rglob("*.png"))
    one = predict(weights, files, batch_size=batch_size)
    assert [p.path for p in one] == [str(f) for f in files]
    two = predict(weights, colours)
    assert [p.predicted for p in one] == [p.predicted for p in two]
    for a, b in zip(one, two, strict=True):
        assert list(a.probabilities.values()) == pytest.approx(list(b.probabilities.values()), abs=1e-6)


def test_a_picture_that_cannot_be_read_says_why_and_the_others_are_predicted(weights, colours, tmp_path):
    good, cut, text = colours / "red" / "00.png", tmp_path / "cut.png", tmp_path / "text.png"
    cut.write_bytes(good.read_bytes()[:60])
    text.write_text("no picture")
    (tmp_path / "empty").mkdir()
    bad = [cut, text, tmp_path / "gone.png", tmp_path / "empty", f"{tmp_path}/*.gif"]
    found = predict(weights, [good, *bad, good], batch_size=3)
    assert [p.error is None for p in found] == [True, *[False] * 5, True]
    assert found[0] == found[-1]
    says = ["truncated", "not a picture", "no such file", "no pictures below", "no picture matches"]
    for p, path, text in zip(found[1:-1], bad, says, strict=True):
        assert str(path) in p.error
        assert text in p.error
        assert (p.predicted, p.confidence, dict(p.probabilities)) == ((), None, {})


def test_the_temperature_of_the_weights_divides_the_logits(network, weights, colours, tmp_path):
    plain, cooler = (
        predict(weights, colours),
        predict(saved(tmp_path / "t.safetensors", network, temperature=4.0), colours),
    )
    for one, two in zip(plain, cooler, strict=True):
        logits = torch.tensor([*one.probabilities.values()]).double().log()
        assert [*two.probabilities.values()] == pytest.approx((logits / 4).softmax(0).tolist(), abs=1e-5)
        assert one.predicted == two.predicted
        assert two.confidence < one.confidence
    assert load_model(tmp_path / "t.safetensors").temperature == 4.0


def test_below_a_threshold_predictions_are_left_open(weights, colours):
    every = predict(weights, colours)
    middle = float(np.median([p.confidence for p in every]))
    for one, two in zip(every, predict(weights, colours, threshold=middle), strict=True):
        assert two.predicted == (one.predicted if one.confidence >= middle else ())
        assert two.probabilities == one.probabilities


def test_several_labels_are_predicted_above_one_half_and_have_no_threshold(network, colours, tmp_path):
    several = saved(tmp_path / "several.safetensors", network, multi_label=True)
    for p in predict(several, colours):
        above = tuple(name for name, share in p.probabilities.items() if share > 0.5)
        assert p.predicted == (above or (p.top(1)[0][0],))
    with pytest.raises(RecipeError, match="predicts several labels"):
        iter_predictions(several, colours, threshold=0.5)


def test_weights_that_are_not_there_are_an_error_before_the_first_picture(tmp_path):
    with pytest.raises(WeightError, match="no such file"):
        iter_predictions(tmp_path / "gone.safetensors", [])


def test_a_prediction_shows_the_most_probable_classes_first():
    p = Prediction("x", ("b",), {"a": 0.25, "b": 0.625, "c": 0.125})
    assert p.top(2) == [("b", 0.625), ("a", 0.25)]
    assert p.confidence == 0.625
    assert p.to_json() == {
        "path": "x",
        "predicted": ["b"],
        "confidence": 0.625,
        "probabilities": {"a": 0.25, "b": 0.625, "c": 0.125},
        "error": None,
    }


def test_pictures_of_all_sizes_go_into_one_batch(weights, tmp_path):
    shutil.rmtree(tmp_path / "any", ignore_errors=True)
    (tmp_path / "any").mkdir()
    for i, shape in enumerate([(1, 1, 3), (300, 2, 3), (2, 300, 3), (16, 16, 3)]):
        Image.fromarray(np.full(shape, 90, np.uint8)).save(tmp_path / "any" / f"{i}.png")
    assert all(p.predicted for p in predict(weights, tmp_path / "any"))
