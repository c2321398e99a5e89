"""What campaigns share: forked commands and small pictures."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from campaigns.forks import Forks, forking

SETTINGS = (
    "--recipe small --model cct_2_3x2_32 --img-size 16 --epochs 4 --batch-size 8 --mixup 0.8 --cutmix 1 --ema 0.9 "
    "--drop-path 0.1 --set reprob=0.3 --checkpoint-seconds 0 --device cpu"
).split()
"""Of a training with everything in its state that can be in it."""


@pytest.fixture(scope="session")
def forks():
    yield from forking()


@pytest.fixture(scope="session")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A flat folder of three classes of 16 noisy 16 x 16 pictures."""
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("pixels") / "pixels"
    for i, name in enumerate(("blue", "green", "red")):
        (root / name).mkdir(parents=True)
        for j in range(16):
            noisy = rng.integers(0, 120, (16, 16, 3)) + 100 * (np.arange(3) == i)
            Image.fromarray(noisy.astype(np.uint8)).save(root / name / f"{j:02}.png")
    return root


@pytest.fixture(scope="session")
def run(forks: Forks, pixels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of SETTINGS."""
    home = tmp_path_factory.mktemp("runs")
    forks.run("train", pixels, *SETTINGS, "--output", home, "--name", "x").well()
    return home / "x"


def parts_left(folder: Path) -> list[Path]:
    """Files that a killed process was writing."""
    return [path for path in folder.rglob(".*") if path.is_file()]


def open_descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))
