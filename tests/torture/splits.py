"""Faults between the pictures of a folder: splits, classes, copies, labels."""

import shutil
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from torture.planting import SOUND, Fault, but, handled, named, picture, save, sow, stopped

THREE = {"train": {"bird": 8, "cat": 8, "dog": 8}, "val": {"cat": 4, "dog": 4}}
COPY = but(val={"dog": 5})


def _sown(counts: dict[str, dict[str, int]]) -> Callable[[Path], None]:
    def plant(root: Path) -> None:
        sow(root, counts)

    return plant


def _then(change: Callable[[Path], object]) -> Callable[[Path], None]:
    """The sound folder, and something done to it."""

    def plant(root: Path) -> None:
        change(sow(root))

    return plant


def _copied(change: Callable[[Image.Image], Image.Image], suffix: str, **options: int) -> Callable[[Path], None]:
    """A large picture of train, changed, in val."""

    def plant(root: Path) -> None:
        sow(root)
        image = Image.fromarray(picture("train/dog/photo", (96, 128)))
        save(root, "train/dog/0.png", image)
        save(root, f"val/dog/copy.{suffix}", change(image), **options)

    return plant


def _copy(name: str, change: Callable[[Image.Image], Image.Image], suffix: str, **options: int) -> Fault:
    says = rf"val/dog/copy\.{suffix}: .* train/dog/0\.png, so val measures what train has shown"
    return Fault(name, _copied(change, suffix, **options), named, says, counts=COPY)


def _cropped(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """The part between two shares of the width and of the height."""
    w, h = image.size
    return image.crop((round(left * w), round(top * h), round(right * w), round(bottom * h)))


def _all_of_val(root: Path) -> None:
    shutil.rmtree(root / "val")
    shutil.copytree(root / "train", root / "val")


def _two_labels(root: Path) -> None:
    for i in range(4):
        shutil.copy(root / f"train/cat/{i}.png", root / f"train/dog/{i + 8}.png")


def _litter(root: Path) -> None:
    save(root, "train/.ipynb_checkpoints/0-checkpoint.png")
    save(root, "train/cat/.ipynb_checkpoints/0-checkpoint.png")
    (root / "train/dog/Thumbs.db").write_bytes(b"\xd0\xcf")
    save(root, "val/dog/._3.png")


def _linked(root: Path) -> None:
    for split in SOUND:
        (root / split / "kitten").symlink_to("cat")


def _hard_link(root: Path) -> None:
    (root / "val/cat/again.png").hardlink_to(root / "train/cat/0.png")


FLAT_8 = {"": {"cat": 8, "dog": 8}}
FLAT = {"train": {"cat": 8, "dog": 8}, "val": {"cat": 2, "dog": 2}}

SPLITS = (
    Fault("no folder", lambda root: root.rmdir(), stopped, "there is no such folder"),
    Fault("an empty folder", lambda root: None, stopped, "is empty"),
    Fault("a flat folder", _sown({"": {"cat": 10, "dog": 10}}), handled, "val is 4 of 20 pictures", counts=FLAT, benign=True),
    Fault("val without train", _sown({"val": {"cat": 4}, "": {"cat": 8, "dog": 8}}), stopped, "val: a split without a folder"),
    Fault("pictures beside train", _sown({**SOUND, "": {"bird": 4}}), stopped, "bird: holds pictures beside"),
    Fault("both val and valid", _sown({**SOUND, "valid": SOUND["val"]}), stopped, "val and valid are both the val split"),
    Fault("a split without classes", _then(lambda root: [save(root, f"test/{i}.png") for i in range(3)]), stopped, "test: a split without class"),
    Fault("pictures outside the classes", _then(lambda root: save(root, "train/lost.png")), named, r"train/lost\.png: .*left out", counts=SOUND),
    Fault("no pictures but texts", lambda root: [(root / n).mkdir() or (root / n / "a.txt").touch() for n in "ab"] and None, stopped, "a: a class folder without pictures"),
    Fault("one folder too many around the data", lambda root: sow(root / "archive") and None, stopped, "archive: holds the splits train, val; give .*/data/archive"),
    Fault("three folders too many around a flat folder", lambda root: sow(root / "a/b/c", FLAT_8) and None, stopped, "a folder around the data, not a class; give .*/data/a/b/c"),
    Fault("two data sets in a folder around them", lambda root: [sow(root / "all" / name, {"": {f"{name} 1": 8, f"{name} 2": 8}}) for name in "ab"] and None, stopped, "give .*/all/a or .*/all/b"),
    Fault("a folder too low", lambda root: [save(root, f"{i}.png") for i in range(8)] and None, stopped, "its pictures lie directly in it; if they are one class, give the folder above it"),
    Fault("splits called training, dev and testing", _sown({"training": SOUND["train"], "dev": SOUND["val"], "testing": SOUND["val"]}), named, "dev is val, testing is test, training is train", counts={**SOUND, "test": SOUND["val"]}),
    Fault("splits called eval and training", _sown({"training": SOUND["train"], "eval": SOUND["val"]}), named, "eval is val, training is train", counts=SOUND),
    Fault("dev beside val", _sown({**SOUND, "dev": SOUND["val"]}), stopped, "dev and val are both the val split"),
    Fault("holdout beside train", _sown({**SOUND, "holdout": SOUND["val"]}), stopped, "holdout: holds the same class folders as the splits: a split.* rename it to train, val or test"),
    Fault("val1 and holdout without train", _sown({"val1": SOUND["val"], "holdout": SOUND["train"]}), stopped, "val1: holds the same folders as holdout: a split.* rename it"),
    Fault("five folds", _sown({f"fold{i}": {"cat": 4, "dog": 4} for i in range(5)}), stopped, "fold0: holds the same folders as .*a split.* rename it"),
    Fault("splits below the classes", _sown({f"{pet}/{split}": {"": n} for pet in ("cat", "dog") for split, n in (("train", 8), ("val", 4))}), stopped, "put each split above the classes: train/cat, val/cat"),
    Fault("val is a copy of train", _then(_all_of_val), named, r"val/cat/0\.png: the same bytes as train/cat/0\.png", counts={**SOUND, "val": SOUND["train"]}),
)  # fmt: skip

CLASSES = (
    Fault("a class that val lacks", _sown(THREE), named, "bird: no pictures in val", counts=THREE),
    Fault("a class that only val has", _sown({**SOUND, "val": {"cat": 4, "dog": 4, "emu": 4}}), stopped, "emu: a class of val that train does not have"),
    Fault("a class that val has under another name", _sown({**SOUND, "val": {"cats": 4, "dog": 4}}), stopped, "cats: a class of val"),
    Fault("an empty class", _then(lambda root: (root / "train/emu").mkdir()), stopped, "train/emu: a class folder without pictures"),
    Fault("one class", _sown({"train": {"cat": 8}, "val": {"cat": 4}}), stopped, "cat: the only class"),
    Fault("one picture a class", _sown({"": {"cat": 1, "dog": 1}}), stopped, "cat: one picture cannot be in train and in val"),
    Fault("one picture of a class among many", _sown({**SOUND, "train": {"cat": 8, "dog": 1}}), named, "dog: train has one picture", counts={**SOUND, "train": {"cat": 8, "dog": 1}}),
    Fault("a hundred pictures of one class to one of the other", _sown({"train": {"cat": 200, "dog": 2}, "val": {"cat": 100, "dog": 1}}), named, "cat +200|most frequent class.* 99.01%", counts={"train": {"cat": 200, "dog": 2}, "val": {"cat": 100, "dog": 1}}),
    Fault("classes whose names contain split words", _sown({"": {"test_tube": 10, "training_set": 10, "validity": 10}}), handled, "val is 6 of 30", counts={"train": {"test_tube": 8, "training_set": 8, "validity": 8}, "val": {"test_tube": 2, "training_set": 2, "validity": 2}}, benign=True),
    Fault("a class called like a split, flat", _sown({"": {"cat": 8, "dog": 8, "test": 8}}), stopped, "test: a split without a folder `train`"),
    Fault("a class called train inside train", _sown({s: {"bus": n, "train": n} for s, n in (("train", 8), ("val", 4))}), handled, "source's own", counts={s: {"bus": n, "train": n} for s, n in (("train", 8), ("val", 4))}, benign=True),
    Fault("classes within classes", _then(lambda root: [save(root, f"train/cat/persian/{i}.png") for i in range(3)]), named, "train/cat: .*below it.*persian", counts=but(train={"cat": 11})),
    Fault("one class linked to another", _then(_linked), named, "kitten/0.png: the same bytes as .*which is of the class cat"),
)  # fmt: skip

COPIES = (
    _copy("a copy in val", lambda image: image, "png"),
    _copy("a copy in val, encoded anew", lambda image: image, "jpg", quality=60),
    _copy("a copy in val, as WebP", lambda image: image, "webp", quality=60),
    _copy("a copy in val, half the size", lambda image: image.resize((64, 48)), "png"),
    _copy("a copy in val, made grey", lambda image: image.convert("L"), "png"),
    _copy("a copy in val, its middle 90 %", lambda image: _cropped(image, 0.05, 0.05, 0.95, 0.95), "jpg", quality=85),
    _copy("a copy in val, its middle square", lambda image: _cropped(image, 0.125, 0, 0.875, 1), "jpg", quality=85),
    _copy("a copy in val, a corner of it", lambda image: _cropped(image, 0, 0, 0.8, 0.8), "png"),
    _copy("a copy in val, its lower right 90 %", lambda image: _cropped(image, 0.1, 0.1, 1, 1), "jpg", quality=85),
    _copy("a copy in val, mirrored", lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "png"),
    _copy("a copy in val, mirrored and encoded anew", lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "jpg", quality=75),
    _copy("a copy in val, turned upside down", lambda image: image.transpose(Image.Transpose.ROTATE_180), "png"),
    _copy("a copy in val, turned by a quarter", lambda image: image.transpose(Image.Transpose.ROTATE_90), "png"),
    Fault("a hard link from val to train", _then(_hard_link), named, r"val/cat/again\.png: the same bytes as train/cat/0\.png", counts=but(val={"cat": 5})),
    Fault("the same pictures under two classes", _then(_two_labels), named, r"train/dog/8\.png: the same bytes as train/cat/0\.png, which is of the class cat", counts=but(train={"dog": 12})),
    Fault("litter of notebooks and of Windows", _then(_litter), named, r"train/dog/Thumbs\.db: .*left out", counts=SOUND),
)  # fmt: skip

FAULTS = (*SPLITS, *CLASSES, *COPIES)
