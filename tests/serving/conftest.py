"""A small network, and servers of it: in a thread of this process, and as a process of its own."""

import asyncio
import contextlib
import io
import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image

import glocal
from glocal.evaluation.predict import Predictor
from glocal.recipes import recipe
from glocal.serving import app
from glocal.serving.serve import server_of
from glocal.serving.settings import ServeSettings
from glocal.weights import Model, save_model

CLASSES = ("red", "green", "blue")
SMALL = ServeSettings(max_bytes=1e6, max_memory=4e6, max_pixels=1_000_000, max_wait_ms=2.0)


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    network = glocal.create_model("cct_2_3x2_32", num_classes=3, img_size=16)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    prepared = recipe("small").preprocess((16, 16)).to_json()
    save_model(path, Model(network, CLASSES, prepared, temperature=0.5))
    return path


@pytest.fixture(scope="session")
def predictor(weights):
    return Predictor.load(weights, device="cpu")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Files of pictures of several formats and sizes, one of them to be turned."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("pictures")
    for i, (suffix, size) in enumerate([("png", (16, 16)), ("jpg", (40, 30)), ("webp", (17, 64)), ("jpg", (9, 9))]):
        noise = rng.integers(0, 255, (*size, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{i}.{suffix}")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(rng.integers(0, 255, (30, 50, 3), np.uint8)).save(folder / "turned.jpg", exif=turned)
    return sorted(folder.iterdir())


@pytest.fixture(scope="session")
def png():
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (16, 16, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


@contextlib.contextmanager
def in_thread(application, settings) -> Iterator[int]:
    """The port of a server that runs in a thread of this process."""
    server = server_of(application, settings)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([sock])))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield sock.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def port(predictor):
    """Of a server with small limits."""
    with in_thread(app(predictor, name="small", settings=SMALL), SMALL) as found:
        yield found
