"""What a path stands for: a run, a file of weights, or an exported file; and which of them can be explained."""

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import glocal
from glocal.data import decode
from glocal.deploying.classifiers import load_classifier
from glocal.deploying.exported import load_exported
from glocal.errors import RecipeError
from glocal.evaluation.predict import Predictor
from glocal.serving import app
from glocal.serving.models import explanations


@pytest.fixture(scope="module")
def exported(weights, tmp_path_factory):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    root, rng = tmp_path_factory.mktemp("exported"), np.random.default_rng(0)
    for name in ("red", "green", "blue"):
        (root / "pictures" / name).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(rng.integers(0, 255, (20, 24, 3), np.uint8)).save(root / "pictures" / name / f"{i}.png")
    glocal.export(weights, root / "pictures", output=root / "onnx")
    return root / "onnx"


def test_an_exported_file_gives_its_own_probabilities_and_the_classes_of_the_run(exported, predictor, pictures):
    model = load_exported(exported)
    files = [("file", (path.name, path.read_bytes())) for path in pictures]
    with TestClient(app(load_classifier(exported))) as client:
        answer = client.post("/predict", files=files).json()["predictions"]
    expected = model.probabilities(np.stack([model.resize(decode(path)) for path in pictures])).tolist()
    assert [[*each["probabilities"].values()] for each in answer] == [
        [float(f"{p:.6g}") for p in row] for row in expected
    ]
    assert [each["predicted"] for each in answer] == [list(p.predicted) for p in predictor.predictions(pictures)]


def test_a_device_has_no_effect_on_an_exported_file(exported):
    with pytest.raises(
        RecipeError, match=r"--device cuda has no effect on .*: exported files compute on the processor"
    ):
        load_classifier(exported, device="cuda")


def test_a_file_of_weights_is_explained_and_an_exported_file_is_not(exported, weights, png):
    pytest.importorskip("captum")
    assert explanations(load_classifier(exported)) is None
    predictor = load_classifier(weights, device="cpu")
    assert isinstance(predictor, Predictor)
    with TestClient(app(predictor, explain=explanations(predictor))) as client:
        before = client.post("/predict", content=png, headers={"content-type": "image/png"}).json()
        heat_map = client.post("/explain", content=png, headers={"content-type": "image/png"})
        after = client.post("/predict", content=png, headers={"content-type": "image/png"}).json()
    assert decode(heat_map.content).shape == decode(png).shape
    assert after == before
