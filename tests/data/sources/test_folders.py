"""Splits and classes come from whole folder names; everything else on disk is named."""

import os
import unicodedata
from pathlib import Path

import pytest

from glocal.data import check
from glocal.data.sources.folders import list_folder
from glocal.errors import DataError


def told(root: Path, kind: str) -> set[tuple[str, str]]:
    return {(fault.path, fault.severity) for fault in list_folder(root).faults if fault.kind == kind}


def test_a_missing_folder_a_file_and_an_empty_folder_are_errors_at_once(tmp_path: Path):
    (tmp_path / "file.jpg").touch()
    (tmp_path / "empty").mkdir()
    for name, message in (("nowhere", "no such folder"), ("file.jpg", "is a file"), ("empty", "is empty")):
        with pytest.raises(DataError, match=message):
            check(tmp_path / name)


def test_a_flat_folder_is_all_train(pets: Path):
    listing = list_folder(pets)
    assert listing.given == frozenset()
    assert [file.path for file in listing.files[:2]] == ["cat/0.png", "cat/1.png"]
    assert {(file.split, file.classes[0]) for file in listing.files} == {("train", "cat"), ("train", "dog")}


@pytest.mark.parametrize("val", ["val", "valid", "validation", "VAL"])
def test_splits_are_found_by_their_whole_names_in_any_case(plant, val: str):
    root = plant("Train/cat/a.png", f"{val}/cat/b.png", "TEST/cat/c.png")
    assert {file.path: file.split for file in list_folder(root).files} == {
        "Train/cat/a.png": "train",
        f"{val}/cat/b.png": "val",
        "TEST/cat/c.png": "test",
    }


def test_names_that_contain_a_split_are_classes(plant):
    root = plant("test_tube/a.png", "training_wheels/b.png", "interval/c.png", "contest/d.png")
    assert {file.classes[0] for file in list_folder(root).files} == {
        "test_tube",
        "training_wheels",
        "interval",
        "contest",
    }
    assert {file.split for file in list_folder(root).files} == {"train"}


@pytest.mark.parametrize("split", ["val", "test", "Validation"])
def test_a_split_without_train_is_an_error(plant, split: str):
    assert told(plant("cat/a.png", f"{split}/cat/a.png"), "layout") == {(split, "error")}


def test_classes_beside_train_are_ambiguous(plant):
    assert told(plant("train/a.png", "bus/a.png", "car/a.png"), "layout") >= {("bus", "error"), ("car", "error")}


def test_a_folder_without_pictures_beside_train_is_a_note(plant):
    root = plant("train/cat/a.png")
    (root / "annotations").mkdir()
    (root / "annotations" / "a.xml").touch()
    assert told(root, "not a picture") == {("annotations", "note")}


@pytest.mark.parametrize(("one", "two"), [("val", "valid"), ("train", "Train"), ("validation", "VALID")])
def test_two_folders_for_one_split_are_an_error(plant, one: str, two: str):
    root = plant("train/cat/a.png", f"{one}/cat/a.png", f"{two}/cat/b.png")
    assert any("are both the" in fault.reason and fault.severity == "error" for fault in list_folder(root).faults)


def test_a_split_without_classes_is_an_error(plant):
    root = plant("train/cat/a.png")
    (root / "val").mkdir()
    assert told(root, "layout") == {("val", "error")}


def test_an_empty_class_is_an_error(pets: Path):
    (pets / "bird").mkdir()
    assert told(pets, "empty class") == {("bird", "error")}


@pytest.mark.parametrize(
    "litter", [".ipynb_checkpoints/a.png", "Thumbs.db", "desktop.ini", "__MACOSX/a.png", ".DS_Store"]
)
@pytest.mark.parametrize("where", ["", "cat/"])
def test_litter_is_named_and_left_out(pets: Path, litter: str, where: str):
    file = pets / where / litter
    file.parent.mkdir(exist_ok=True)
    file.touch()
    name = where + litter.split("/", maxsplit=1)[0]
    assert told(pets, "hidden") == {(name, "note")}
    assert len(list_folder(pets).files) == 20


def test_what_is_not_named_like_a_picture_is_named_and_left_out(pets: Path):
    (pets / "README.md").touch()
    (pets / "cat" / "boxes.json").touch()
    assert told(pets, "not a picture") == {("README.md", "note"), ("cat/boxes.json", "note")}


def test_pictures_outside_the_classes_are_named(plant):
    assert told(plant("cat/a.png", "loose.png"), "outside a class") == {("loose.png", "warning")}
    assert told(plant("train/cat/a.png", "train/b.png"), "outside a class") >= {("train/b.png", "warning")}


def test_pictures_are_found_at_any_depth_in_a_fixed_order(plant):
    root = plant("cat/z.png", "cat/b/2.png", "cat/b/1.PNG", "dog/a.jpeg")
    assert [file.path for file in list_folder(root).files] == ["cat/z.png", "cat/b/1.PNG", "cat/b/2.png", "dog/a.jpeg"]
    assert [file.stem for file in list_folder(root).files] == ["z", "b/1", "b/2", "a"]


def test_a_symlink_loop_ends(pets: Path):
    os.symlink(pets / "cat", pets / "cat" / "again")
    assert told(pets, "symlink loop") == {("cat/again", "note")}
    assert len(list_folder(pets).files) == 20


def test_a_linked_class_is_a_class(pets: Path):
    os.symlink(pets / "cat", pets / "kitten")
    assert {file.classes[0] for file in list_folder(pets).files} == {"cat", "dog", "kitten"}


def test_one_name_in_two_unicode_forms_is_one_class(plant):
    composed, decomposed = (unicodedata.normalize(form, "Bär") for form in ("NFC", "NFD"))
    assert composed != decomposed
    root = plant(f"train/{composed}/ä ü.png", f"val/{decomposed}/日本.png")
    assert {file.classes[0] for file in list_folder(root).files} == {composed}


def test_files_of_one_stem_are_different_files(plant):
    files = list_folder(plant("cat/a.png", "cat/a.jpg", "dog/a.png")).files
    assert [file.path for file in files] == ["cat/a.jpg", "cat/a.png", "dog/a.png"]


def test_a_folder_of_folders_without_pictures_is_an_error(tmp_path: Path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert told(tmp_path, "empty class") == {("a", "error")}
