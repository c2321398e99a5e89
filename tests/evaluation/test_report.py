"""The files of an evaluation lie in a folder of their own, and nothing that is there is overwritten."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image

from glocal.evaluation.calibration.temperature import report_calibration
from glocal.evaluation.report import name_of_evaluation, write_report
from glocal.evaluation.scores import scores


def found(seed=0, *, temperature=1.7, several=False):
    rng = np.random.default_rng(seed)
    logits = torch.tensor(2 * rng.standard_normal((60, 3)), dtype=torch.float32)
    labels = torch.tensor((rng.random((60, 3)) < 0.5).astype(np.float32) if several else rng.integers(3, size=60))
    paths = tuple(f"{i}.png" for i in range(60))
    some = scores(logits, labels, classes=("a", "b$", "c_$"), paths=paths, temperature=temperature)
    report = report_calibration(logits, labels, temperature=temperature, fitted_here=True)
    return type(some)(**{**vars(some), "calibration": report})


def test_a_report_has_the_classes_the_predictions_and_a_plot(tmp_path):
    some = found()
    place = write_report(some, tmp_path / "val", title="a_$run$_b on val")
    assert place == tmp_path / "val"
    assert sorted(path.name for path in place.iterdir()) == ["predictions.csv", "reliability.png", "report.csv"]
    with (place / "report.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["a", "b$", "c_$"]
    assert [float(row["f1"]) for row in rows] == [row.f1 for row in some.per_class]
    assert len((place / "predictions.csv").read_text().splitlines()) == 61
    with Image.open(place / "reliability.png") as image:
        assert len(image.convert("RGB").getcolors(1 << 20)) > 50


@pytest.mark.parametrize(("temperature", "columns"), [(1.7, 2), (1.0, 1)])
def test_the_plot_has_a_column_for_each_calibration(tmp_path, temperature, columns):
    place = write_report(found(temperature=temperature), tmp_path / "val", title="run on val")
    with Image.open(place / "reliability.png") as image:
        assert (image.width > image.height) == (columns == 2)


def test_several_labels_have_a_report_without_predictions(tmp_path):
    place = write_report(found(several=True), tmp_path / "val", title="run on val")
    assert sorted(path.name for path in place.iterdir()) == ["reliability.png", "report.csv"]


def test_what_is_there_is_never_overwritten_and_the_same_is_not_written_twice(tmp_path):
    wanted = tmp_path / "val"
    assert write_report(found(), wanted, title="") == wanted
    assert write_report(found(), wanted, title="") == wanted
    assert write_report(found(1), wanted, title="") == tmp_path / "val-2"
    (wanted / "report.csv").write_text("mine")
    assert write_report(found(), wanted, title="") == tmp_path / "val-3"
    assert (wanted / "report.csv").read_text() == "mine"
    assert write_report(found(1), wanted, title="") == tmp_path / "val-2"


def test_an_evaluation_is_named_by_its_pictures(tmp_path):
    assert name_of_evaluation(None, "test") == "test"
    assert name_of_evaluation("photos/field day", "all") == "field_day"
    assert name_of_evaluation("photos/field.csv", "val") == "field-val"
    assert name_of_evaluation("/", "all") == "pictures"
