"""Real photographs open without a false alarm, and their copies are found."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glocal.data import check, decode

pytestmark = [pytest.mark.pictures, pytest.mark.slow]


def test_photographs_open_with_their_own_split_and_no_duplicates(nette: Path):
    data = check(nette).require_data()
    assert (len(data.train), len(data.val)) == (1500, 500)
    assert {fault.kind for fault in data.faults} == {"grey"}


def test_copies_of_photographs_are_found(nette: Path, tmp_path: Path):
    for split in ("val", "train"):
        for folder in sorted((nette / split).iterdir()):
            (tmp_path / split / folder.name).mkdir(parents=True)
            for file in sorted(folder.iterdir())[:10]:
                picture = Image.fromarray(decode(file))
                picture.save(tmp_path / split / folder.name / f"{file.stem}.png")
                if split == "train":
                    half = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BICUBIC)
                    half.save(tmp_path / "val" / folder.name / f"{file.stem}_half.jpg", quality=75)
                    picture.save(tmp_path / "val" / folder.name / f"{file.stem}_again.jpg", quality=50)
    found = [fault.path for fault in check(tmp_path).require_data().faults if fault.kind == "duplicate"]
    assert len(found) == 200
    assert all("_half" in path or "_again" in path for path in found)


def test_cifar_leaks_a_few_of_its_test_pictures_and_hundreds_are_not_accused(cifar: Path):
    data = check(cifar).require_data()
    assert (len(data.train), len(data.val), len(data.test or ())) == (45_000, 5_000, 10_000)
    assert np.bincount(data.val.labels).tolist() == [500] * 10
    leaks = [fault for fault in data.faults if fault.kind == "duplicate" and fault.severity == "warning"]
    assert 5 <= len(leaks) <= 30
