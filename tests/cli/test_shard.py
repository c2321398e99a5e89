"""`glocal shard` writes what `glocal check` has checked, and says so."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from glocal.cli.app import app
from glocal.errors import DataError


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A flat folder of noise: two classes of five pictures."""
    rng = np.random.default_rng(0)
    for i in range(10):
        file = tmp_path / "pets" / ("cat", "dog")[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(file)
    return tmp_path / "pets"


def run(*words: object) -> str:
    found = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def test_it_says_what_it_wrote_and_what_to_do_next(pets: Path, tmp_path: Path):
    told = run("shard", pets, tmp_path / "out").splitlines()
    assert told[0].startswith("val is 2 of 10 pictures")
    assert "train: 8 pictures in 1 shard" in told
    assert told[-1].strip() == f"glocal check {tmp_path / 'out'}"
    counted = json.loads(run("check", tmp_path / "out", "--json"))
    assert counted["counts"] == {"train": {"cat": 4, "dog": 4}, "val": {"cat": 1, "dog": 1}}


def test_json_is_one_object(pets: Path, tmp_path: Path):
    told = json.loads(run("shard", pets, tmp_path / "out", "--size-mb", "0.013", "--resize", "8", "--json"))
    assert told["pictures"] == {"train": 8, "val": 2}
    assert told["shards"]["train"] > 1
    assert told["encoded"] == 10


def test_nothing_is_written_from_data_that_cannot_be_trusted(pets: Path, tmp_path: Path):
    (pets / "cat" / "zero.png").touch()
    with pytest.raises(DataError, match="zero bytes"):
        run("shard", pets, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "left out because they cannot be read: 1" in run("shard", pets, tmp_path / "out", "--skip-bad-files")
