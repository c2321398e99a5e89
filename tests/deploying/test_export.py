"""Exported files: what PyTorch predicts, metadata, the files beside them, the verbs that read them, and what is refused."""

import json
import random
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import glocal
from damage import damaged
from glocal.cli.app import app
from glocal.data import Split
from glocal.data.batches.preprocess import Preprocess
from glocal.data.manifest import Row
from glocal.deploying import forms, verify
from glocal.deploying.about import About, read_about
from glocal.deploying.export import build
from glocal.deploying.programs.quantise import CALIBRATION, quantise_onnx
from glocal.deploying.runtimes import open_model
from glocal.deploying.settings import ExportSettings
from glocal.errors import DataError, RecipeError, RunError
from glocal.evaluation.predict import Predictor
from glocal.weights import Model, save_model
from sampled import but_slow
from tries import tries

CLASSES = ("cat", "dog", "eel")
HOW = Preprocess((32, 32), crop_pct=0.875)
FILES = {"onnx": "model.onnx", "openvino": "model.xml", "torch": "model.pt2"}


def pixels(seed, h=40, w=50):
    rough = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(rough).resize((w, h)))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    network = glocal.create_model("cct_2_3x2_32", num_classes=len(CLASSES))
    with torch.no_grad():
        network.head[-1].weight.mul_(300)  # so that pictures differ in what is predicted
    return Model(network.eval(), CLASSES, HOW.to_json(), temperature=1.5)


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """A file of weights, and pictures with labels."""
    path = tmp_path_factory.mktemp("weights")
    save_model(path / "net.safetensors", model)
    for i in range(12):
        place = path / "pictures" / CLASSES[i % 3]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(i, 30 + 3 * i, 60 - 2 * i)).save(place / f"{i}.png")
    return path


@pytest.fixture(scope="module")
def exports(folder):
    """The result of an export of each form."""
    make = {}
    for form in FILES:
        make[form] = glocal.export(
            folder / "net.safetensors", folder / "pictures", to=form, output=folder / form, licence="mit"
        )
    return make


@pytest.mark.parametrize("form", FILES)
def test_a_file_gives_the_probabilities_of_the_weights(form, exports, folder):
    exported = glocal.load_exported(folder / form)
    loaded = Predictor.load(folder / "net.safetensors", device="cpu")
    many = [pixels(i, 30 + i, 64 - i) for i in range(5)]
    expected = loaded.probabilities(np.stack([loaded.resize(each) for each in many]))
    np.testing.assert_allclose(exported.probabilities(many), expected, atol=1e-5)
    np.testing.assert_allclose(
        exported.probabilities([Image.fromarray(each) for each in many[:1]]), expected[:1], atol=1e-5
    )
    clear = Image.fromarray(many[0]).convert("RGBA")
    clear.putalpha(90)
    white = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    np.testing.assert_allclose(exported.probabilities([clear]), exported.probabilities([white]), atol=1e-6)
    assert exported.probabilities([]).shape == (0, len(CLASSES))
    if exported.about.resizes:
        np.testing.assert_allclose(exported.probabilities(many[0][None]), expected[:1], atol=2e-2)
    else:
        with pytest.raises(DataError, match="32 x 32"):
            exported.probabilities(many[0][None])


@pytest.mark.parametrize("form", FILES)
def test_a_file_says_what_it_is(form, exports, folder):
    about = read_about(exports[form].file)
    assert exports[form].file == folder / form / FILES[form]
    assert (about.classes, about.temperature, about.licence, about.form) == (CLASSES, 1.5, "mit", form)
    assert about.recipe == HOW
    assert about.accuracy.n == 12
    low, high = about.accuracy.interval
    assert low <= about.accuracy.top1 <= high
    assert "12 of 12" in about.agreement[0]
    card = (folder / form / "README.md").read_text()
    assert all(name in card for name in CLASSES)
    assert "mit" in card


@pytest.mark.parametrize("form", but_slow(FILES, ["openvino", "torch"]))
def test_the_sample_needs_the_runtime_numpy_and_pillow_alone(form, exports, folder):
    """It runs where glocal cannot be imported, and prints what `glocal predict` does."""
    picture, (h, w) = folder / form / "clear.png", (30, 60)
    clear = np.full((h, w, 1), 90, np.uint8)  # laid on white, by the sample as by training
    Image.fromarray(np.concatenate([pixels(0, h, w), clear], axis=2), "RGBA").save(picture)
    hidden = "import sys; sys.modules['glocal'] = None; sys.argv = ['sample.py', sys.argv[1]]; exec(open('sample.py').read())"
    call = [sys.executable, "-W", "ignore", "-c", hidden, str(picture)]
    found = subprocess.run(call, cwd=folder / form, check=True, capture_output=True, text=True).stdout
    (expected,) = glocal.predict(folder / "net.safetensors", picture, device="cpu")
    for line, (name, p) in zip(found.splitlines(), expected.top(3), strict=True):
        _, _, rest = line.partition(": ")
        assert rest.split()[0] == name
        assert float(rest.split()[1]) == pytest.approx(p, abs=2e-2)


def test_the_verbs_read_a_file_as_they_read_weights(exports, folder, tmp_path):
    run = CliRunner().invoke
    pictures = str(folder / "pictures")
    of_weights, of_file = (
        json.loads(run(app, ["val", str(folder / name), pictures, "--json"]).stdout)
        for name in ("net.safetensors", "onnx")
    )
    assert of_file["top1"] == of_weights["top1"]
    assert of_file["loss"] == pytest.approx(of_weights["loss"], abs=1e-4)
    predicted = json.loads(run(app, ["predict", str(folder / "onnx"), pictures, "--json"]).stdout)["predictions"]
    expected = glocal.predict(folder / "net.safetensors", pictures, device="cpu")
    assert [each["predicted"] for each in predicted] == [list(each.predicted) for each in expected]
    call = ["benchmark", str(folder / "onnx"), "--rounds", "3", "--batch-size", "2", "--json"]
    told = json.loads(run(app, call).stdout)
    (rows,) = told["models"].values()
    assert rows[0]["p50_ms"] > 0
    assert "own precision" in told["measured"]
    assert "fp32" not in told["measured"]
    assert "compute on the processor" in str(run(app, [*call, "--device", "cuda"]).exception)


def test_python_reads_a_file_as_it_reads_weights(exports, folder):
    pictures = folder / "pictures"
    of_weights, of_file = (
        glocal.evaluate(folder / name, pictures, device="cpu") for name in ("net.safetensors", "onnx")
    )
    assert of_file.top1 == of_weights.top1
    assert of_file.loss == pytest.approx(of_weights.loss, abs=1e-4)
    expected = glocal.predict(folder / "net.safetensors", pictures, device="cpu")
    for file in (folder / "onnx", exports["onnx"].file):
        found = glocal.predict(file, pictures)
        assert [each.predicted for each in found] == [each.predicted for each in expected]
        for one, other in zip(found, expected, strict=True):
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)
    with pytest.raises(DataError, match="no pictures of its own"):
        glocal.evaluate(folder / "onnx")
    for verb in (glocal.evaluate, glocal.predict):
        with pytest.raises(RecipeError, match="compute on the processor"):
            verb(folder / "onnx", pictures, device="cuda")


def test_what_cannot_be_exported_is_refused(folder, exports, tmp_path):
    weights, pictures = folder / "net.safetensors", folder / "pictures"
    with pytest.raises(RecipeError, match="--to openvino"):
        glocal.export(weights, pictures, precision="bf16", output=tmp_path)
    with pytest.raises(RecipeError, match="--to onnx"):
        glocal.export(weights, pictures, to="torch", precision="int8", output=tmp_path)
    with pytest.raises(RunError, match="--output"):
        glocal.export(weights, pictures)
    with pytest.raises(RunError, match="no exported file"):
        glocal.load_exported(tmp_path)
    for name in FILES.values():
        (tmp_path / name).write_bytes(b"no model")
        with pytest.raises(RunError, match="cannot be read"):
            glocal.load_exported(tmp_path / name)
    with pytest.raises(RunError, match="exists; choose another folder"):
        glocal.export(weights, pictures, output=folder / "onnx")


@pytest.mark.parametrize(
    ("field", "value"),
    [("classes", "3"), ("preprocess", "[]"), ("temperature", '"x"'), ("accuracy", "{}"), ("name", "{")],
)
def test_damaged_metadata_are_refused(field, value, exports):
    values = {**exports["onnx"].about.to_properties(), field: value}
    with pytest.raises(RunError, match=r"model\.onnx is not whole"):
        About.from_properties(values, path=exports["onnx"].file)


def fuzz(exports, folder, *, n, seed):
    """How many of n exports with a damaged file were read all the same."""
    rng, read, named = random.Random(seed), 0, []
    files = [*(each.file for each in exports.values()), exports["openvino"].file.with_suffix(".bin")]
    for i in range(n):
        file = rng.choice(files)
        work = shutil.copytree(file.parent, folder / str(i))
        (work / file.name).write_bytes(damaged(file.read_bytes(), rng))
        try:
            glocal.load_exported(work).probabilities([pixels(i)])
        except RunError as error:
            named.append(str(work) in str(error))
        else:
            read += 1
        shutil.rmtree(work)
    assert all(named)
    return read


def test_damaged_files_are_read_or_refused(exports, tmp_path):
    assert fuzz(exports, tmp_path, n=100, seed=0) < 50


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_damaged_files_are_read_or_refused(exports, tmp_path, seed):
    fuzz(exports, tmp_path, n=tries(5000), seed=seed)


def test_a_file_that_differs_from_pytorch_is_not_written(folder, monkeypatch, tmp_path):
    right = verify.torch_probabilities
    monkeypatch.setattr(verify, "torch_probabilities", lambda *a: right(*a)[:, ::-1].copy())
    with pytest.raises(RunError, match="was not exported"):
        glocal.export(folder / "net.safetensors", folder / "pictures", to="torch", output=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_same_network_has_the_same_bytes(model, tmp_path):
    about = replace(build(model, ExportSettings(to="torch"), resizes=False).exported.about, name="one")
    for name in ("a", "b"):
        forms.write(forms.torch_program(model, HOW), tmp_path / name, about)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_equal_choice_is_a_tie_and_another_choice_is_a_change():
    expected = np.array([[0.5, 0.5], [0.6, 0.4], [0.9, 0.1]], np.float32)
    found = np.array([[0.4999999, 0.5000001], [0.4, 0.6], [0.9, 0.1]], np.float32)
    counted = verify.agreement(found, expected)
    assert (counted.n, counted.changed, counted.ties) == (3, 1, 1)
    assert counted.largest_difference == pytest.approx(0.2)


def test_a_loss_is_bounded_by_more_pictures():
    """No picture changed: of few the bound is wide all the same."""
    few, many = (np.tile(np.eye(2, dtype=np.float32), (n, 1)) for n in (10, 5000))
    bounds = [verify.accuracy_loss(p, p, p.argmax(1)) for p in (few, many)]
    assert all(bound.mean == 0 for bound in bounds)
    assert bounds[0].upper > 0.003 > bounds[1].upper > 0


def test_int8_is_calibrated_on_pictures_and_stays_near(model):
    rows = tuple(Row(f"{i}.png", 0, 0, "") for i in range(400))
    split = Split("train", np.zeros(400, np.int64), rows, None, tuple(pixels(i) for i in range(400)))
    some = split.spread(CALIBRATION)
    assert (len(some), some.rows[0], some.rows[-1]) == (300, rows[0], rows[-1])
    core = forms.core(model, HOW)
    small = quantise_onnx(core, split.taken(np.arange(20)), HOW)
    assert len(small.SerializeToString()) < 0.6 * len(core.SerializeToString())
    batch = np.stack([HOW.resize(pixels(i)) for i in range(20, 28)])
    exact, near = (open_model(each, "onnx")(batch) for each in (core, small))
    assert 0 < np.abs(exact - near).max() < 0.3
