"""Figures are drawn for any number of classes, epochs and shapes, and leave no trace in matplotlib's settings."""

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest

from glocal.artifacts.run_folder import COLUMNS, RunFolder
from glocal.data import Split
from glocal.data.manifest import Row
from glocal.evaluation.predictions import Predictions
from glocal.intervals import wilson
from glocal.monitoring import plots


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "a_$run$_b")


def figure(run, name):
    """The picture as an array; a figure that shows anything has many colours."""
    with Image.open(run.path / "plots" / f"{name}.png") as image:
        return np.asarray(image.convert("RGB"))


def colours(pixels):
    return len(np.unique(pixels.reshape(-1, 3), axis=0))


def answers(*, classes, n=400, right=0.7, names="class {}"):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, classes, n)
    said = np.where(rng.random(n) < right, truth, rng.integers(0, classes, n))
    paths = tuple(f"val/{i}.png" for i in range(n))
    return Predictions(tuple(names.format(i) for i in range(classes)), paths, truth, said, rng.random(n))


@pytest.mark.parametrize("epochs", [1, 40])
def test_curves_show_every_epoch_there_is(run, epochs):
    rows = [dict.fromkeys(COLUMNS, 0.5) | {"epoch": e, "val_top1": e / epochs} for e in range(epochs)]
    run.write_metrics(rows)
    assert run.metrics()[-1]["val_top1"] == pytest.approx((epochs - 1) / epochs)
    plots.draw_curves(run, val_size=50)
    assert colours(figure(run, "curves")) > 50


def test_before_the_first_epoch_there_is_nothing_to_draw(run):
    plots.draw(run, None, val=Split("val", np.zeros(0, np.int64), (), None, ()))
    assert not run.path.exists()


def test_the_band_is_the_interval_of_the_scores():
    share = np.array([0.0, 0.3, 0.97, 1.0])
    low, high = wilson(share, 100)
    for i, p in enumerate(share):
        told = binomtest(round(p * 100), 100).proportion_ci(method="wilson")
        assert (low[i], high[i]) == pytest.approx((told.low, told.high), abs=1e-6)
    assert wilson(0.5, 100) == pytest.approx((0.4038315, 0.5961685), abs=1e-6)
    assert wilson(0.0, 0) == (0, 1)


@pytest.mark.parametrize("classes", [2, 25, 101])
def test_confusion_is_drawn_for_few_and_many_classes(run, classes):
    plots.draw_confusion(run, answers(classes=classes))
    pixels = figure(run, "confusion")
    assert colours(pixels) > 50
    assert max(pixels.shape) < 2500


def test_names_of_any_script_and_classes_without_pictures_are_drawn(run):
    some = answers(classes=3, names="$熊猫_{}$ of a very long name indeed, and longer still")
    plots.draw_confusion(
        run, Predictions((*some.classes, "none"), some.paths, some.truth, some.predicted, some.confidence)
    )
    assert colours(figure(run, "confusion")) > 50


@pytest.mark.parametrize("channels", [1, 3])
def test_wrong_pictures_are_shown_in_their_own_shapes(run, channels):
    rng = np.random.default_rng(0)
    pictures = tuple(rng.integers(0, 255, (20 + i, 1500 - i, channels), np.uint8) for i in range(6))
    said = answers(classes=3, n=6, right=0.0)
    rows = tuple(Row(path, int(label), 0, "") for path, label in zip(said.paths, said.truth, strict=True))
    plots.draw_wrong(run, said, Split("val", said.truth, rows, None, pictures))
    assert colours(figure(run, "wrong")) > 50


def test_where_all_is_right_no_wrong_picture_is_drawn(run):
    said = answers(classes=3, right=1.0)
    plots.draw_confusion(run, said)
    plots.draw_wrong(run, said, Split("val", said.truth, (), None, ()))
    assert [file.name for file in (run.path / "plots").iterdir()] == ["confusion.png"]


def test_settings_of_a_caller_stay_as_they_are_and_do_not_matter(run):
    with mpl.rc_context({"text.usetex": True, "axes.facecolor": "red"}):
        before = dict(mpl.rcParams)
        plots.draw_confusion(run, answers(classes=3))
        assert dict(mpl.rcParams) == before
    again = RunFolder(run.path.with_name("again"))
    plots.draw_confusion(again, answers(classes=3))
    assert np.array_equal(figure(run, "confusion"), figure(again, "confusion"))
