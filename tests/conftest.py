"""Pictures that tests read: small folders made on the spot, and real ones where GLOCAL_PICTURES names them."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the workers share the cores; torch reads this when it is imported

os.environ["GLOCAL_CACHE"] = "off"  # nothing of a test is kept, and nothing that was kept helps one

ARCHIVES = {"cifar": "cifar10-jpeg.tar.gz", "nette": "imagenette-mini.tar.gz"}
COLOURS = {"blue": (40, 60, 200), "green": (60, 180, 60), "red": (200, 50, 40)}


SLOW_S = 3600  # the limit of one slow test; that of the others is in pyproject.toml


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests and campaigns have a limit of their own."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(SLOW_S))


def _unpacked(name: str, to: Path) -> Path:
    home = os.environ.get("GLOCAL_PICTURES", "")
    archive = Path(home) / ARCHIVES[name]
    if not home or not archive.is_file():
        pytest.skip(f"needs real pictures: set GLOCAL_PICTURES to the folder that holds {ARCHIVES[name]}")
    with tarfile.open(archive) as tar:
        tar.extractall(to, filter="data")
    return to


@pytest.fixture(scope="session")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CIFAR-10 as train/<class>/ and test/<class>/ of 32 x 32 JPEGs."""
    return _unpacked("cifar", tmp_path_factory.mktemp("cifar"))


@pytest.fixture(scope="session")
def nette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of ten classes as train/<class>/ and val/<class>/."""
    return _unpacked("nette", tmp_path_factory.mktemp("nette"))


@pytest.fixture(autouse=True)
def undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of tests draw no figures, which take longer than they; what draws is tested in monitoring/test_plots.py."""
    if {"training", "runs", "evaluation", "searching", "cli", "torture"} & set(request.path.parts):
        monkeypatch.setattr("glocal.monitoring.plots.draw", lambda *a, **k: None)


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """A flat folder of three classes of 16 noisy 16 x 16 pictures, told apart by their colour."""
    rng = np.random.default_rng(0)
    root = tmp_path / "colours"
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for i in range(16):
            noisy = np.clip(np.array(colour) + rng.normal(0, 40, (16, 16, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(root / name / f"{i:02}.png")
    return root


@pytest.fixture(scope="session")
def shades(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark and light pictures of 16 x 16, two classes of 40 in train and of 8 in test."""
    root, rng = tmp_path_factory.mktemp("shades"), np.random.default_rng(0)
    for split, n in (("train", 40), ("test", 8)):
        for name, level in (("dark", 60), ("light", 190)):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(n):
                noise = rng.integers(-50, 50, (16, 16, 3))
                Image.fromarray((level + noise).astype(np.uint8)).save(folder / f"{i:02}.png")
    return root
