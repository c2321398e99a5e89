"""The scripts of examples/ import one another by name, as they do when they are run."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """CIFAR and PHOTOS of coloured noise: four classes of small pictures, one of large ones."""
    from scenes import CLASSES

    root, rng = tmp_path_factory.mktemp("sources"), np.random.default_rng(0)
    for part, names, side in (("cifar", CLASSES, 32), ("photos", ("any",), 120)):
        for split in ("train", "val" if part == "photos" else "test"):
            for k, name in enumerate(names):
                folder = root / part / split / name
                folder.mkdir(parents=True)
                for i in range(3):
                    noise = rng.normal((60 * k, 200 - 50 * k, 40), 30, (side, side + 8 * (part == "photos"), 3))
                    Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(folder / f"{i}.png")
    return root
