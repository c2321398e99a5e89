"""The server's predictions are those of `glocal predict`: the same pictures, classes and bits."""

import base64

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from glocal.data import decode
from glocal.errors import RecipeError
from glocal.serving import app
from glocal.serving.settings import ServeSettings


@pytest.fixture
def client(predictor):
    with TestClient(app(predictor, name="small")) as client:
        yield client


def form(pictures):
    return [("file", (path.name, path.read_bytes())) for path in pictures]


def without_path(prediction):
    return {key: value for key, value in prediction.to_json().items() if key != "path"}


def infer(client, tensor, **more):
    return client.post("/v2/models/small/infer", json={"inputs": [{"name": "image", **tensor}], **more})


def files(pictures):
    data = [base64.b64encode(path.read_bytes()).decode() for path in pictures]
    return {"datatype": "BYTES", "shape": [len(data)], "data": data}


def test_a_form_gets_what_predict_gives_for_its_files_in_order(client, predictor, pictures):
    answer = client.post("/predict", files=form(pictures)).json()
    expected = [*predictor.predictions(pictures)]
    assert answer["model"] == "small"
    assert [each.pop("name") for each in answer["predictions"]] == [path.name for path in pictures]
    assert answer["predictions"] == [without_path(each) for each in expected]


def test_probabilities_of_a_batch_are_the_same_to_the_bit(client, predictor, pictures):
    expected = [[*each.probabilities.values()] for each in predictor.predictions(pictures)]
    answer = infer(client, files(pictures), id="7").json()
    probabilities, predicted = answer["outputs"]
    assert answer["id"] == "7"
    assert probabilities["shape"] == [len(pictures), 3]
    assert np.array_equal(np.reshape(probabilities["data"], (-1, 3)), expected)
    assert predicted["data"] == [predictor.classes[np.argmax(row)] for row in expected]


def test_one_picture_as_the_body_is_a_batch_of_one(client, predictor, pictures):
    for path in pictures:
        answer = client.post("/predict", content=path.read_bytes(), headers={"content-type": "image/jpeg"}).json()
        (expected,) = predictor.predictions(path)
        assert [each | {"name": ""} for each in answer["predictions"]] == [without_path(expected) | {"name": ""}]


def test_pixels_are_preprocessed_as_pictures_are(client, pictures):
    of_file = infer(client, files(pictures[:1])).json()["outputs"][0]["data"]
    pixels = decode(pictures[0])[None]
    flat = {"datatype": "UINT8", "shape": [*pixels.shape], "data": pixels.flatten().tolist()}
    nested = {**flat, "data": pixels.tolist()}
    assert infer(client, flat).json()["outputs"][0]["data"] == of_file
    assert infer(client, nested).json()["outputs"][0]["data"] == of_file


def test_outputs_are_those_that_are_named(client, pictures):
    answer = infer(client, files(pictures), outputs=[{"name": "predicted"}]).json()
    assert [each["name"] for each in answer["outputs"]] == ["predicted"]


def test_more_pictures_than_a_batch_holds_are_divided(predictor, pictures):
    with TestClient(app(predictor, settings=ServeSettings(max_batch=2))) as client:
        answer = client.post("/predict", files=form(pictures)).json()
        sizes = client.get("/metrics").text
    for got, expected in zip(answer["predictions"], predictor.predictions(pictures, batch_size=2), strict=True):
        assert got["probabilities"] == without_path(expected)["probabilities"]
    assert 'glocal_batch_size_bucket{le="2.0"} 3.0' in sizes
    assert "glocal_pictures_total 5.0" in sizes


def test_top_gives_the_most_probable_first(client, predictor, pictures):
    answer = client.post("/predict?top=2", files=form(pictures)).json()
    for got, expected in zip(answer["predictions"], predictor.predictions(pictures), strict=True):
        assert [*got["probabilities"]] == [name for name, _ in expected.top(2)]


def test_a_threshold_leaves_predictions_open(predictor, pictures):
    with TestClient(app(predictor, settings=ServeSettings(threshold="99.9%"))) as client:
        answer = client.post("/predict", files=form(pictures)).json()
    assert all(each["predicted"] == [] and each["probabilities"] for each in answer["predictions"])


def test_a_threshold_that_cannot_be_chosen_is_an_error(predictor):
    with pytest.raises(RecipeError, match="no held-out predictions"):
        app(predictor, settings=ServeSettings(threshold="auto:95%"))


def test_a_picture_that_cannot_be_read_has_an_error_and_the_others_are_predicted(client, pictures):
    answer = client.post("/predict", files=[*form(pictures[:2]), ("file", ("../x.png", b"no picture"))])
    assert answer.status_code == 200
    *good, bad = answer.json()["predictions"]
    assert all(each["error"] is None for each in good)
    assert bad["name"] == "../x.png"
    assert bad["error"].startswith("not a picture that Pillow knows")
    assert bad["predicted"] == []


def test_several_labels_are_those_above_one_half(pictures):
    class Labels:
        classes, multi_label = ("sea", "sky", "sand"), True

        def __init__(self, preprocess):
            self.preprocess = preprocess
            self.resize = preprocess.resize

        def probabilities(self, x_BCHW):
            return np.tile(np.float32([0.9, 0.6, 0.2]), (len(x_BCHW), 1))

    from glocal.data import Preprocess

    with TestClient(app(Labels(Preprocess((16, 16))))) as client:
        answer = client.post("/predict", files=form(pictures[:1])).json()
        outputs = client.post(
            "/v2/models/model/infer", json={"inputs": [{"name": "image", **files(pictures[:1])}]}
        ).json()
    assert answer["predictions"][0]["predicted"] == ["sea", "sky"]
    assert outputs["outputs"][1]["data"] == ["sea|sky"]


def test_pictures_of_more_pixels_than_allowed_are_refused_by_their_header(predictor, tmp_path):
    Image.new("RGB", (200, 100)).save(tmp_path / "large.png")
    with TestClient(app(predictor, settings=ServeSettings(max_pixels=19_999))) as client:
        answer = client.post("/predict", files=form([tmp_path / "large.png"]))
    assert answer.status_code == 413
    assert answer.json() == {"error": "large.png: 200 x 100 pixels, which is more than the 19,999 allowed"}
