"""A finished run of three colours of pictures, one of them a duplicate and some with a wrong label."""

import shutil
import sys
from unittest import mock

import numpy as np
import pytest
from PIL import Image

import glocal

SETTINGS = {
    "model": "cct_2_3x2_32",
    "img_size": 16,
    "recipe": "small",
    "epochs": 2,
    "batch_size": 8,
    "warmup_epochs": 0,
}


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Shared by all tests of a process: do not write to it."""
    root, rng = tmp_path_factory.mktemp("page"), np.random.default_rng(0)
    for name, colour in {"blue": (40, 60, 200), "green": (60, 180, 60), "<b>red</b>": (200, 50, 40)}.items():
        folder = root / "pictures" / name.replace("/", "_")
        folder.mkdir(parents=True)
        for i in range(16):
            shown = (200, 50, 40) if name == "green" and i >= 12 else colour  # red pictures under the label green
            noise = np.clip(np.array(shown) + rng.normal(0, 40, (20, 24, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(noise).save(folder / f"{i:02}.png")
    shutil.copy(root / "pictures" / "blue" / "00.png", root / "pictures" / "blue" / "again.png")
    (root / "pictures" / "blue" / "notes.txt").write_text("no picture")
    command = mock.patch.object(sys, "argv", ["glocal", "train", "pictures", "--name", "<script>"])
    drawing = mock.patch("glocal.monitoring.plots.draw", return_value=None)
    with command, drawing:
        return glocal.train(root / "pictures", output=root / "runs", name="colours", workers=0, **SETTINGS).folder


@pytest.fixture
def mine(finished, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(finished, tmp_path / "mine")
