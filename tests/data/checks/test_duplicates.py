"""The same picture on two sides of a split is found, whatever was done to its file; different pictures are left alone."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glocal.data import check
from glocal.data.checks.duplicates import same_pictures, turned_pictures
from glocal.data.checks.scan import THUMBNAIL, Scan
from glocal.data.pictures import thumbnail


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
    data = check(pets, seed=seed).require_data()
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


def scans(thumbnails: np.ndarray) -> list[Scan]:
    return [Scan(digest=str(i), thumbnail=thumbnail) for i, thumbnail in enumerate(thumbnails)]


def test_every_picture_points_at_the_first_that_is_the_same():
    rng = np.random.default_rng(0)
    different = rng.integers(0, 256, (300, THUMBNAIL, THUMBNAIL), dtype=np.uint8)
    noisy = np.clip(different + rng.normal(0, 4, different.shape), 0, 255).astype(np.uint8)
    assert same_pictures(scans(np.concatenate([different, noisy]))).tolist() == list(range(300)) * 2
    assert same_pictures([]).tolist() == []


def test_thousands_that_look_alike_take_no_more_than_thousands_of_comparisons():
    rng = np.random.default_rng(0)
    one = rng.integers(0, 256, (1, THUMBNAIL, THUMBNAIL), dtype=np.uint8)
    alike = np.clip(one + rng.normal(0, 2, (10_000, THUMBNAIL, THUMBNAIL)), 0, 255).astype(np.uint8)
    assert (same_pictures(scans(alike)) == 0).mean() > 0.99


def symmetries(squares: np.ndarray) -> list[np.ndarray]:
    """The seven others of (n, side, side): turned, and mirrored and turned."""
    turned = [np.rot90(each, k, (1, 2)) for each in (squares, squares[:, :, ::-1]) for k in range(4)]
    return turned[1:]


def test_every_symmetry_of_the_square_is_found_among_pictures_of_its_class_alone():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (200, 5, 5), dtype=np.uint8)
    pictures = np.stack([np.asarray(Image.fromarray(each).resize((THUMBNAIL, THUMBNAIL))) for each in coarse])
    for other in symmetries(pictures):
        noisy = np.clip(other + rng.normal(0, 2, other.shape), 0, 255).astype(np.uint8)
        found = scans(np.concatenate([pictures, noisy]))
        same = same_pictures(found)
        assert same.tolist() == list(range(400))
        assert turned_pictures(found, same, alike=lambda i, j: True).tolist() == list(range(200)) * 2
        assert turned_pictures(found, same, alike=lambda i, j: False).tolist() == list(range(400))


@pytest.mark.parametrize("share", [0.8, 0.9, 0.96])
@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_crops_of_a_corner_are_found(share: float, corner: tuple[int, int]):
    rng = np.random.default_rng(1)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8))
    photo = coarse.resize((200, 200), Image.Resampling.BICUBIC)
    left, top = (round(200 * (1 - share) * at) for at in corner)
    crop = photo.crop((left, top, left + round(200 * share), top + round(200 * share)))
    pictures = [np.asarray(photo), np.asarray(crop), np.asarray(photo)[:, ::-1].copy()]
    found = [
        Scan(digest=str(i), size=(p.shape[0], p.shape[1]), thumbnail=thumbnail(p, THUMBNAIL))
        for i, p in enumerate(pictures)
    ]
    assert same_pictures(found).tolist() == [0, 0, 2]


def test_a_mirrored_picture_of_another_class_is_no_copy(plant):
    root = plant(
        *(f"train/{side}/{i}.png" for side in ("left", "right") for i in range(5)), "val/left/0.png", "val/right/0.png"
    )
    image = Image.open(root / "train/left/2.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image.save(root / "val/right/mirrored.png")
    assert duplicates(root) == []
    image.save(root / "val/left/mirrored.png")
    [(path, reason, severity)] = [each for each in duplicates(root) if "train/left/2.png" in each[1]]
    assert (path, severity) == ("val/left/mirrored.png", "warning")
    assert reason.startswith("mirrored or turned, the same picture as train/left/2.png")
