"""Folders of pictures to check; every picture is noise of its own, so that none is another's duplicate by chance."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Plant = Callable[..., Path]


def _noise(name: str, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    """Smooth colours, uint8 (*size, 3), that depend on the name alone: like photographs, most of it in low frequencies."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    return np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC))


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """`noise(name, (h, w))`: pixels that depend on the name alone."""
    return _noise


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Writes pictures at the given paths below the folder `data`, and returns that folder."""

    def write(*paths: str, size: tuple[int, int] = (24, 32)) -> Path:
        for path in paths:
            file = tmp_path / "data" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(_noise(path, size)).save(file)
        return tmp_path / "data"

    return write


@pytest.fixture
def pets(plant: Plant) -> Path:
    """A flat folder: two classes of ten pictures."""
    return plant(*(f"{pet}/{i}.png" for pet in ("cat", "dog") for i in range(10)))


@pytest.fixture
def split_pets(plant: Plant) -> Path:
    """The same with folders train (ten a class), val and test (four a class each)."""
    counts = {"train": 10, "val": 4, "test": 4}
    return plant(*(f"{split}/{pet}/{i}.png" for split, n in counts.items() for pet in ("cat", "dog") for i in range(n)))
