"""Folders are splits by what they are called and what they hold; a folder around the data is answered with the one to give."""

from pathlib import Path

import pytest

from glocal.data import check
from glocal.data.sources.folders import list_folder
from glocal.data.sources.split_names import divides_without_naming, resembles_split, split_named


def laid(plant, *folders: str, classes: tuple[str, ...] = ("ash", "birch"), n: int = 3) -> Path:
    return plant(*(f"{folder}/{name}/{i}.png".lstrip("/") for folder in folders for name in classes for i in range(n)))


def layout_errors(root: Path) -> dict[str, str]:
    return {f.path: f.reason for f in list_folder(root).faults if (f.kind, f.severity) == ("layout", "error")}


def classes(root: Path) -> set[str]:
    return {name for file in list_folder(root).files for name in file.classes}


# ---------------------------------------------------------------------------------------------------------- names alone


MEANINGS = {
    "train": ("train", "TRAINING", "train ", "tr\u200bain"),
    "val": ("Val", "valid", "validation", "dev", "eval", "evaluation"),
    "test": ("test", "Testing"),
}
NONE = "test_tube training_wheels interval contest validity trainer evaluate devil tests".split()
ALMOST = "val1 val_2 train_set trainset test-images old_train hold-out holdout heldout fold3 split_0".split()


@pytest.mark.parametrize(("name", "split"), [(name, split) for split, names in MEANINGS.items() for name in names])
def test_whole_names_mean_splits(name: str, split: str):
    assert split_named(name) == split


@pytest.mark.parametrize("name", [*NONE, ""])
def test_parts_of_names_mean_none(name: str):
    assert split_named(name) is None
    assert not resembles_split(name)


@pytest.mark.parametrize("name", [*ALMOST, "Test Data"])
def test_some_names_look_as_if_they_should(name: str):
    assert split_named(name) is None
    assert resembles_split(name)
    assert divides_without_naming(name) == (name in ("fold3", "split_0"))


# --------------------------------------------------------------------------------------------------------------- splits


@pytest.mark.parametrize(
    ("train", "val"), [("training", "dev"), ("train", "eval"), ("Training", "Evaluation"), ("training", "val"), ("train ", "val")]
)  # fmt: skip
def test_splits_by_other_words_are_splits(plant, train: str, val: str):
    root = laid(plant, train, val, "testing")
    data = check(root).require_data()
    assert (len(data.train), len(data.val), len(data.test)) == (6, 6, 6)
    assert data.classes == ("ash", "birch")
    assert "testing is test" in data.split_rule


def test_words_that_are_classes_are_classes(plant):
    """They hold pictures and no class folders, and stand beside a class that is no split."""
    root = plant(*(f"{name}/{i}.png" for name in ("training", "working", "resting", "testing") for i in range(3)))
    assert classes(root) == {"training", "working", "resting", "testing"}
    assert {f.path: f.severity for f in list_folder(root).faults} == {"testing": "warning", "training": "warning"}
    assert check(root).ok


@pytest.mark.parametrize("names", [("training", "dev"), ("training", "testing"), ("train", "dev")])
def test_splits_without_classes_are_no_classes(plant, names: tuple[str, ...]):
    root = plant(*(f"{name}/{i}.png" for name in names for i in range(3)))
    assert classes(root) == set()
    assert set(layout_errors(root)) == set(names)


@pytest.mark.parametrize("other", ["holdout", "val1", "test_images", "fold2"])
def test_what_resembles_a_split_beside_train_asks_to_be_renamed(plant, other: str):
    root = laid(plant, "train", "val", other)
    assert "rename it to train, val or test" in layout_errors(root)[other]
    assert classes(root) == {"ash", "birch"}


@pytest.mark.parametrize("names", ["holdout val1", "fold0 fold1 fold2", "train_set test_set", "my_train holdout"])
def test_what_resembles_splits_is_never_a_class(plant, names: str):
    root = laid(plant, *names.split())
    assert not classes(root) & set(names.split())
    assert any("rename it to train, val or test" in reason for reason in layout_errors(root).values())
    assert not check(root).ok


@pytest.mark.parametrize("names", [("dev", "eval"), ("val", "testing")])
def test_splits_without_train_are_errors(plant, names: tuple[str, ...]):
    root = laid(plant, *names)
    assert all("a split without a folder `train`" in layout_errors(root)[name] for name in names)
    assert classes(root) == set()


def test_two_folders_for_one_split_are_errors(plant):
    assert "dev and val are both the val split" in layout_errors(laid(plant, "train", "val", "dev")).values()


def test_splits_below_the_classes_are_errors(plant):
    root = plant(
        *(f"{name}/{split}/{i}.png" for name in ("ash", "birch") for split in ("train", "val") for i in range(3))
    )
    assert "put each split above the classes: train/ash, val/ash" in layout_errors(root)["ash"]
    assert classes(root) == set()


def test_a_class_with_a_folder_of_a_split_word_is_a_class(plant):
    root = plant("bus/test/1.png", "bus/2.png", "car/1.png", "car/2.png")
    assert classes(root) == {"bus", "car"}
    assert layout_errors(root) == {}


def test_classes_that_hold_the_same_folders_are_asked_about(plant):
    root = laid(plant, "north", "south")
    (fault,) = (f for f in list_folder(root).faults if f.severity == "warning")
    assert "folders of the same names: ash, birch; if these are the classes" in fault.reason
    assert str(root / "north") in fault.reason
    assert classes(root) == {"north", "south"}


# ------------------------------------------------------------------------------------------------ a folder around the data


@pytest.mark.parametrize("around", ["images", "data/images", "a/b/c"])
def test_the_error_names_the_folder_to_give(plant, around: str):
    root = laid(plant, around)
    (reason,) = layout_errors(root).values()
    assert f"give {root / around}" in reason
    assert check(root / around).ok


@pytest.mark.parametrize("around", ["set", "a/set"])
def test_so_it_does_where_splits_lie_below(plant, around: str):
    root = laid(plant, f"{around}/train", f"{around}/val")
    (reason,) = layout_errors(root).values()
    assert f"{root / around}" in reason
    assert check(root / around).ok


def test_several_candidates_are_all_named(plant):
    root = plant(*(f"all/{s}/{c}/{i}.png" for s, cs in (("pets", "ab"), ("cars", "cd")) for c in cs for i in range(2)))
    (reason,) = layout_errors(root).values()
    assert f"give {root / 'all/cars'} or {root / 'all/pets'}" in reason
    both = laid(plant, "one/train", "one/val", "two/train", "two/val")
    assert {"one", "two"} <= layout_errors(both).keys()


def test_folders_without_pictures_beside_it_do_not_hide_it(plant):
    root = laid(plant, "images")
    (root / "docs").mkdir()
    (root / "docs" / "licence.txt").touch()
    assert f"give {root / 'images'}" in layout_errors(root)["images"]


def test_shards_and_saved_data_sets_below_are_named(tmp_path: Path):
    (tmp_path / "out" / "shards").mkdir(parents=True)
    (tmp_path / "out" / "shards" / "train-000.tar").touch()
    assert f"give {tmp_path / 'out' / 'shards'}" in layout_errors(tmp_path / "out")["shards"]
    (tmp_path / "hub" / "saved").mkdir(parents=True)
    (tmp_path / "hub" / "saved" / "dataset_dict.json").touch()
    assert f"give {tmp_path / 'hub' / 'saved'}" in layout_errors(tmp_path / "hub")["saved"]


def test_a_folder_around_the_classes_of_a_split_is_an_error(plant):
    root = plant(*(f"{s}/images/{c}/{i}.png" for s in ("train", "val") for c in ("ash", "birch") for i in range(2)))
    assert "move them up into train" in layout_errors(root)["train/images"]


def test_a_folder_too_low_is_answered_with_the_one_above(plant):
    root = laid(plant, "")
    assert f"give the folder above it, {root}" in layout_errors(root / "ash")[""]


def test_one_class_alone_has_no_other_folder_to_give(plant):
    root = plant("ash/1.png", "ash/2.png")
    assert layout_errors(root) == {}
    assert [fault.kind for fault in check(root).faults] == ["classes"]


def test_a_table_in_the_folder_is_named_where_there_are_no_pictures(tmp_path: Path):
    (tmp_path / "labels.csv").write_text("path,label\n")
    assert f"give {tmp_path / 'labels.csv'}" in layout_errors(tmp_path)[""]
