"""What the server says of itself, whom it lets in, and how it mounts in another application."""

import json
import logging

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from glocal.errors import RecipeError
from glocal.serving import app
from glocal.serving.observing import JsonLines
from glocal.serving.settings import ServeSettings
from glocal.settings import merge

IMAGE = {"content-type": "image/png"}


@pytest.fixture(scope="module")
def client(predictor):
    with TestClient(app(predictor, name="small")) as client:
        yield client


def test_health_and_metadata_follow_the_open_inference_protocol(client):
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2").json()["name"] == "glocal"
    assert client.get("/v2/models/small/ready").json() == {"name": "small", "ready": True}
    about = client.get("/v2/models/small").json()
    assert about == client.get("/v2/models/small/versions/1").json()
    assert [each["shape"] for each in about["outputs"]] == [[-1, 3], [-1]]
    assert about["parameters"]["classes"] == ["red", "green", "blue"]


def test_openapi_describes_every_route_and_nothing_loads_scripts_from_elsewhere(client):
    described = client.get("/openapi.json").json()
    assert {"/predict", "/v2/models/{model}/infer", "/metrics", "/"} <= described["paths"].keys()
    predict = described["paths"]["/predict"]["post"]
    assert {"multipart/form-data", "image/*"} <= predict["requestBody"]["content"].keys()
    assert {"200", "400", "413", "415", "429"} <= predict["responses"].keys()
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


def test_metrics_count_requests_and_refusals(predictor, png):
    with TestClient(app(predictor)) as client:
        client.post("/predict", content=png, headers=IMAGE)
        client.post("/predict", content=b"text", headers=IMAGE)
        client.get("/nowhere/4711")
        text = client.get("/metrics").text
    for line in (
        'glocal_requests_total{route="/predict",status="200"} 1.0',
        'glocal_requests_total{route="/predict",status="415"} 1.0',
        'glocal_requests_total{route="other",status="404"} 1.0',
        'glocal_refused_total{reason="not_a_picture"} 1.0',
        "glocal_pictures_total 1.0",
        "glocal_queue_pictures 0.0",
        "glocal_body_bytes 0.0",
    ):
        assert line in text.splitlines()


def test_no_other_site_may_read_answers_unless_it_is_named(predictor, png, client):
    origin = {"origin": "https://example.org"}
    assert "access-control-allow-origin" not in client.post("/predict", content=png, headers=IMAGE | origin).headers
    with TestClient(app(predictor, settings=ServeSettings(cors_origin="https://example.org"))) as open_client:
        answer = open_client.post("/predict", content=png, headers=IMAGE | origin)
    assert answer.headers["access-control-allow-origin"] == "https://example.org"


def test_it_mounts_in_another_application(predictor, png):
    other = FastAPI()
    other.mount("/colours", app(predictor, name="small"))
    with TestClient(other) as client:
        assert client.post("/colours/predict", content=png, headers=IMAGE).status_code == 200
        assert client.get("/colours/v2/models/small").status_code == 200


def test_explanations_are_served_where_there_is_a_function(predictor, client, png):
    shapes = []

    def explain(pixels):
        shapes.append(pixels.shape)
        if len(shapes) > 1:
            raise RecipeError("no map of such a network")
        return b"\x89PNG of a heat map"

    with TestClient(app(predictor, explain=explain)) as explaining:
        answer = explaining.post("/explain", content=png, headers=IMAGE)
        assert explaining.post("/explain", content=b"text", headers=IMAGE).status_code == 415
        assert explaining.post("/explain", content=png, headers=IMAGE).json() == {"error": "no map of such a network"}
    assert (answer.content, answer.headers["content-type"]) == (b"\x89PNG of a heat map", "image/png")
    assert shapes == [(16, 16, 3)] * 2
    assert client.post("/explain", content=png, headers=IMAGE).status_code == 404


def test_a_failure_of_the_network_is_logged_and_told_without_its_details(predictor, png, caplog):
    class Broken:
        classes, multi_label, preprocess = predictor.classes, False, predictor.preprocess
        resize = predictor.resize

        def probabilities(self, x_BCHW):
            raise ValueError("secret path /home/me")

    with TestClient(app(Broken()), raise_server_exceptions=False) as client:
        answers = [client.post("/predict", content=png, headers=IMAGE) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [500, 500]
    assert answers[0].json() == {"error": "the server failed; its log says why"}
    assert "secret path" in caplog.text


def test_the_log_has_lines_of_json_without_names_of_files(predictor, png, caplog):
    with TestClient(app(predictor)) as client, caplog.at_level(logging.INFO, "glocal.serving"):
        client.post("/predict", files=[("file", ("secret.png", png))])
    (record,) = (each for each in caplog.records if each.name == "glocal.serving")
    line = JsonLines().format(record)
    values = json.loads(line)
    assert values | {"time": "", "ms": 0} == {
        "time": "", "level": "info", "event": "request", "method": "POST", "route": "/predict", "status": 200, "ms": 0,
        "pictures": 1, "bytes": values["bytes"],
    }  # fmt: skip
    assert "secret" not in line


def test_names_of_classes_reach_the_page_as_text(predictor):
    class Named:
        classes, multi_label, preprocess = ("</script><script>alert(1)</script>",), False, predictor.preprocess

        def probabilities(self, x_BCHW):
            return np.ones((len(x_BCHW), 1), np.float32)

    with TestClient(app(Named(), name="</script><b>")) as client:
        html = client.get("/").text
    assert "<b>" not in html
    assert html.count("</script>") == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_pictures": 600}, "--max-pictures 600 is more than --max-queue 512"),
        ({"max_bytes": "1GB"}, "--max-bytes 1,000,000,000 is more than --max-memory"),
        ({"port": "99999"}, "--port 99999"),
        ({"name": "../x"}, "--name ../x"),
        ({"max_batches": 5}, "did you mean 'max_batch'"),
    ],
)
def test_settings_that_refuse_every_request_are_errors(changes, message):
    with pytest.raises(RecipeError, match=message):
        merge(ServeSettings(), changes)
