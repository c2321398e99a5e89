"""When training ends, a temperature is fitted and kept with the best weights, and what is kept beside them agrees with it."""

import csv
import shutil

import pytest
import torch

import glocal
from glocal.artifacts.run_folder import RunFolder
from glocal.data import check
from glocal.evaluation.calibration.calibrate import calibrate_run, save_temperature
from glocal.evaluation.predictions import Predictions
from glocal.evaluation.scores import Scores
from glocal.machine.processes import Machine
from glocal.weights import files, load_model

SETTINGS = {"model": "cct_2_3x2_32", "img_size": 16, "epochs": 3, "batch_size": 8, "lr": 1e-4}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, shades):
    """A run that is unsure, and wrong on some pictures."""
    return glocal.train(shades, recipe="small", **SETTINGS, output=tmp_path_factory.mktemp("runs"))


@pytest.fixture
def run(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def test_the_temperature_lies_in_the_file_and_the_tensors_stay_as_they_were(run):
    file = run.weights("best")
    before = files.read(file)
    save_temperature(file, 2.5)
    after = files.read(file)
    assert load_model(file).temperature == 2.5
    assert {k: v for k, v in after.meta.items() if k != "temperature"} == {
        k: v for k, v in before.meta.items() if k != "temperature"
    }
    assert all(torch.equal(t, before.tensors[key]) for key, t in after.tensors.items())


def test_calibrating_again_changes_nothing(run, shades):
    before, table = files.read(run.weights("best")), (run.path / "predictions.csv").read_bytes()
    val = check(shades, manifest=run.manifest()).require_data().val
    calibrate_run(run, val, machine=Machine(torch.device("cpu")))
    after = files.read(run.weights("best"))
    assert after.meta == before.meta
    assert all(torch.equal(t, before.tensors[key]) for key, t in after.tensors.items())
    assert (run.path / "predictions.csv").read_bytes() == table


def test_what_a_run_keeps_is_what_predict_and_val_say(run, shades):
    held_out = Predictions.read(run.path / "predictions.csv", ("dark", "light"))
    found = glocal.predict(run.path, [shades / path for path in held_out.paths])
    assert [p.predicted[0] for p in found] == [held_out.classes[i] for i in held_out.predicted]
    assert [p.confidence for p in found] == pytest.approx(held_out.confidence.tolist(), abs=1e-5)
    scores = glocal.evaluate(run.path)
    report = scores.calibration
    assert report.temperature == load_model(run.weights("best")).temperature
    assert scores.predictions.confidence == pytest.approx(held_out.confidence, abs=1e-6)
    assert report.before.nll == pytest.approx(scores.loss, abs=1e-6)
    assert (scores.chosen_on, scores.trained) == (scores.n, 0)
    assert Scores.from_json(scores.to_json()) == scores
    train = glocal.evaluate(run.path, split="train")
    assert (train.trained, train.chosen_on) == (train.n, 0)
    assert train.calibration.cross_fitted is None


def test_predictions_of_the_run_have_a_row_for_each_validation_picture(run):
    with (run.path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(run.manifest().rows["val"])
    assert set(rows[0]) == {"path", "truth", "predicted", "confidence"}
