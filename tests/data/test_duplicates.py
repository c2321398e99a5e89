"""The same picture on two sides of a split is found, whatever was done to its file; different pictures are left alone."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glocal.data import check
from glocal.data.duplicates import same_pictures
from glocal.data.survey import THUMBNAIL, Look


def duplicates(root: Path) -> list[tuple[str, str, str]]:
    return [(fault.path, fault.reason, fault.severity) for fault in check(root).faults if fault.kind == "duplicate"]


def test_different_pictures_are_no_duplicates(split_pets: Path):
    assert duplicates(split_pets) == []


def test_the_same_bytes_in_train_and_val_are_named_by_both_paths(split_pets: Path):
    shutil.copy(split_pets / "train/cat/3.png", split_pets / "val/cat/copy.png")
    [(path, reason, severity)] = duplicates(split_pets)
    assert path == "val/cat/copy.png"
    assert reason.startswith("the same bytes as train/cat/3.png")
    assert severity == "warning"


@pytest.mark.parametrize(
    ("change", "suffix", "options"),
    [
        (lambda photo: photo, "jpg", {"quality": 75}),
        (lambda photo: photo, "webp", {"quality": 75}),
        (lambda photo: photo.resize((photo.width // 2, photo.height // 2)), "png", {}),
        (lambda photo: photo.resize((photo.width * 2, photo.height * 2)), "jpg", {"quality": 60}),
        (lambda photo: photo.convert("L"), "png", {}),
    ],
    ids=["jpeg", "webp", "half", "double", "grey"],
)
def test_a_re_encoded_or_resized_copy_is_found(plant, change, suffix: str, options: dict):
    root = plant(
        *(f"{split}/{pet}/{i}.png" for split in ("train", "val") for pet in ("cat", "dog") for i in range(5)),
        size=(96, 128),
    )
    change(Image.open(root / "train/dog/2.png")).save(root / f"val/dog/copy.{suffix}", **options)
    [(path, reason, severity)] = duplicates(root)
    assert (path, severity) == (f"val/dog/copy.{suffix}", "warning")
    assert "the same picture as train/dog/2.png" in reason


def test_one_picture_under_two_classes_is_a_warning(pets: Path):
    shutil.copy(pets / "cat/1.png", pets / "dog/odd.png")
    [(path, reason, severity)] = duplicates(pets)
    assert (path, severity) == ("dog/odd.png", "warning")
    assert "which is of the class cat" in reason


@pytest.mark.parametrize("seed", range(5))
def test_duplicates_stay_on_one_side_of_our_own_split(pets: Path, seed: int):
    for i in range(10):
        Image.open(pets / f"cat/{i}.png").save(pets / f"cat/{i}_again.jpg", quality=90)
    data = check(pets, seed=seed).opened()
    stems = [
        {path.split("/")[1][0] for path in split.paths if path.startswith("cat")} for split in (data.train, data.val)
    ]
    assert not stems[0] & stems[1]
    assert len(data.val) > 2


def test_flat_and_tiny_pictures_are_compared_by_their_bytes_alone(plant):
    root = plant("train/a/1.png", "train/b/1.png", "val/a/2.png", "val/b/2.png", size=(8, 8))
    for i, split in enumerate(("train", "val")):
        Image.new("RGB", (64, 64), (120 + i, 120, 120)).save(root / split / "a" / "plain.png")
    assert duplicates(root) == []


def looks(thumbnails: np.ndarray) -> list[Look]:
    return [Look(digest=str(i), thumbnail=thumbnail) for i, thumbnail in enumerate(thumbnails)]


def test_every_picture_points_at_the_first_that_is_the_same():
    rng = np.random.default_rng(0)
    different = rng.integers(0, 256, (300, THUMBNAIL, THUMBNAIL), dtype=np.uint8)
    noisy = np.clip(different + rng.normal(0, 4, different.shape), 0, 255).astype(np.uint8)
    assert same_pictures(looks(np.concatenate([different, noisy]))).tolist() == list(range(300)) * 2
    assert same_pictures([]).tolist() == []


def test_thousands_that_look_alike_take_no_more_than_thousands_of_comparisons():
    rng = np.random.default_rng(0)
    one = rng.integers(0, 256, (1, THUMBNAIL, THUMBNAIL), dtype=np.uint8)
    alike = np.clip(one + rng.normal(0, 2, (10_000, THUMBNAIL, THUMBNAIL)), 0, 255).astype(np.uint8)
    assert (same_pictures(looks(alike)) == 0).mean() > 0.99
