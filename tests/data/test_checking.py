"""What cannot be trusted is not opened, every fault is named, and what was opened once opens the same again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glocal.data import Data, Manifest, check, decode
from glocal.data.checks import scan as scanning
from glocal.errors import DataError


def told(root: Path, kind: str, **options: object) -> set[tuple[str, str]]:
    return {(fault.path, fault.severity) for fault in check(root, **options).faults if fault.kind == kind}


def where(data: Data) -> dict[str, str]:
    splits = [split for split in (data.train, data.val, data.test) if split]
    return {path: split.name for split in splits for path in split.paths}


def test_importing_the_room_imports_no_torch():
    code = (
        "import sys, glocal.data; sys.exit(any(m in sys.modules for m in ('torch', 'torchvision', 'timm', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_digits_are_built_in():
    data = check("digits").require_data()
    assert data.classes == tuple("0123456789")
    assert len(data.train) + len(data.val) == 1797
    assert data.test is None
    assert (data.channels, data.typical_size) == (1, (8, 8))
    assert data.train.picture(0).shape == (8, 8, 1)
    assert data.train.picture(0).dtype == np.uint8
    assert data.train.paths[0].startswith("digits/")
    assert max(data.train.picture(i).max() for i in range(99)) == 255


def test_a_flat_folder_is_split_and_says_so(pets: Path):
    data = check(pets).require_data()
    assert (len(data.train), len(data.val), data.test) == (16, 4, None)
    assert data.split_rule.startswith("val is 4 of 20 pictures")
    assert data.classes == ("cat", "dog")
    assert np.bincount(data.val.labels).tolist() == [2, 2]


def test_val_is_split_off_train_where_there_is_only_test(split_pets: Path):
    shutil.rmtree(split_pets / "val")
    data = check(split_pets).require_data()
    assert (len(data.train), len(data.val), len(data.test)) == (16, 4, 8)
    assert all(path.startswith("train/") for path in data.val.paths)


def test_the_splits_of_the_source_are_kept(split_pets: Path):
    data = check(split_pets).require_data()
    assert (len(data.train), len(data.val), len(data.test)) == (20, 8, 8)
    assert data.split_rule == "train and val are the source's own"
    assert all(path.startswith(split + "/") for path, split in where(data).items())


def test_labels_and_pictures_belong_to_their_paths(split_pets: Path):
    for split in (check(split_pets).require_data().train, check(split_pets).require_data().val):
        for i, path in enumerate(split.paths):
            assert split.labels[i] == ["cat", "dog"].index(path.split("/")[1])
            assert (split.picture(i) == decode(split_pets / path)).all()


def test_pictures_that_do_not_fit_into_memory_are_read_when_asked_for(pets: Path, monkeypatch: pytest.MonkeyPatch):
    kept = check(pets).require_data()
    monkeypatch.setattr(scanning, "MEMORY_BYTES", 1)
    read = check(pets).require_data()
    assert read.train.pixels is None
    assert all((kept.train.picture(i) == read.train.picture(i)).all() for i in range(len(kept.train)))
    (pets / read.train.paths[3]).unlink()
    with pytest.raises(DataError, match=read.train.paths[3]):
        read.train.picture(3)


def test_large_files_are_read_by_threads_with_the_same_result(plant, monkeypatch: pytest.MonkeyPatch):
    root = plant(*(f"{pet}/{i}.png" for pet in ("cat", "dog") for i in range(70)))
    alone = check(root).require_data()
    monkeypatch.setattr(scanning, "_LARGE_BYTES", 0)
    seen = []
    together = check(root, progress=lambda done, of: seen.append((done, of))).require_data()
    assert together.manifest() == alone.manifest()
    assert seen == sorted(seen)
    assert seen[-1] == (140, 140)


def bad(root: Path) -> dict[str, str]:
    """Plants one file of each kind that gives no picture; returns path -> kind."""
    (root / "cat" / "zero.jpg").touch()
    whole = (root / "dog" / "3.png").read_bytes()
    (root / "cat" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "dog" / "text.jpg").write_text("<html>404 not found</html>")
    Image.new("1", (20_000, 20_000)).save(root / "dog" / "bomb.png")
    os.symlink(root / "nowhere", root / "dog" / "broken.png")
    return {
        "cat/zero.jpg": "zero bytes",
        "cat/cut.png": "truncated",
        "dog/text.jpg": "not a picture",
        "dog/bomb.png": "too large",
        "dog/broken.png": "unreadable",
    }


def test_files_that_give_no_picture_are_errors_named_with_their_reason(pets: Path):
    planted = bad(pets)
    assert {fault.path: fault.kind for fault in check(pets).faults if fault.severity == "error"} == planted
    with pytest.raises(DataError) as error:
        check(pets).require_data()
    assert all(path in str(error.value) for path in planted)
    assert "--skip-bad-files (skip_bad_files=True) leaves out 5 of them" in str(error.value)


def test_files_that_give_no_picture_are_dropped_and_told_when_asked(pets: Path):
    clean = where(check(pets).require_data())
    planted = bad(pets)
    data = check(pets, skip_bad_files=True).require_data()
    assert {fault.path: fault.kind for fault in data.faults if fault.severity == "dropped"} == planted
    assert where(data) == clean


def test_an_error_lists_ten_and_counts_the_rest(pets: Path):
    for i in range(25):
        (pets / "cat" / f"zero{i}.png").touch()
    with pytest.raises(DataError, match="25 errors") as error:
        check(pets).require_data()
    assert str(error.value).count("zero bytes") == 10
    assert "and 15 more" in str(error.value)


def test_a_class_whose_files_are_all_bad_is_an_error_even_when_they_are_skipped(pets: Path):
    (pets / "bird").mkdir()
    (pets / "bird" / "a.png").touch()
    assert told(pets, "empty class", skip_bad_files=True) == {("bird", "error")}


def test_conversions_are_listed_and_harmless(pets: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = Image.open(pets / "cat" / "0.png").convert("RGB")
    photo.save(pets / "cat" / "turned.jpg", exif=exif)
    photo.rotate(90).convert("CMYK").save(pets / "cat" / "print.jpg")
    photo.rotate(180).save(pets / "dog" / "still.gif")
    photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).convert("RGBA").save(pets / "dog" / "shape.png")
    faults = check(pets).faults
    assert {(fault.kind, fault.path) for fault in faults if fault.severity == "converted"} == {
        ("exif", "cat/turned.jpg"),
        ("cmyk", "cat/print.jpg"),
        ("palette", "dog/still.gif"),
        ("alpha", "dog/shape.png"),
    }
    assert check(pets).ok


def test_a_name_that_lies_about_the_format_is_read_by_its_content(pets: Path):
    shutil.copy(pets / "cat" / "0.png", pets / "cat" / "really_png.jpg")
    os.remove(pets / "cat" / "0.png")
    assert check(pets).ok


def test_a_class_only_in_val_or_test_is_an_error(split_pets: Path, plant):
    plant("val/bird/a.png", "test/fish/a.png")
    assert told(split_pets, "class map") == {("bird", "error"), ("fish", "error")}


def test_a_class_missing_from_val_is_named_and_shifts_no_label(split_pets: Path):
    shutil.rmtree(split_pets / "val" / "cat")
    data = check(split_pets).require_data()
    assert [(fault.path, fault.severity) for fault in data.faults] == [("cat", "note")]
    assert data.classes == ("cat", "dog")
    assert set(data.val.labels.tolist()) == {1}


def test_a_class_with_one_picture_cannot_be_split(pets: Path, plant):
    plant("bird/a.png")
    assert told(pets, "one picture") == {("bird", "error")}
    with pytest.raises(DataError, match="bird"):
        check(pets).require_data()


def test_a_class_with_one_picture_is_noted_where_val_is_given(split_pets: Path, plant):
    plant("train/bird/a.png", "val/bird/b.png")
    assert told(split_pets, "one picture") == {("bird", "note")}


def test_one_class_is_nothing_to_learn(plant):
    assert told(plant("pets/a.png", "pets/b.png"), "classes") == {("pets", "error")}


def test_classes_that_differ_in_case_are_two_and_warned_of(pets: Path, plant):
    plant("Cat/a.png", "Cat/b.png")
    if not (pets / "Cat").samefile(pets / "cat"):
        assert told(pets, "class map") == {("cat", "warning")}
        assert check(pets).require_data().classes == ("Cat", "cat", "dog")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val_fraction": 1.0}, "between 0 and 1"),
        ({"val_fraction": 0.0}, "between 0 and 1"),
        ({"group_by": "("}, "not a regular expression"),
        ({"group_by": "a"}, "0 groups"),
        ({"group_by": "(a)(b)"}, "2 groups"),
        ({"group_by": "(nothing like it)"}, "matches no picture"),
    ],
)
def test_arguments_out_of_range_are_errors(pets: Path, options: dict, message: str):
    with pytest.raises(DataError, match=message):
        check(pets, **options)


def test_arguments_without_effect_are_errors(split_pets: Path):
    with pytest.raises(DataError, match="has no effect"):
        check(split_pets, val_fraction=0.1)
    with pytest.raises(DataError, match="no file names"):
        check("digits", group_by="(.)")
    with pytest.raises(DataError, match="no effect"):
        check(split_pets, manifest=check(split_pets).require_data().manifest(), group_by="(.)")


def test_groups_stay_on_one_side(plant):
    root = plant(*(f"{pet}/p{person}_{i}.png" for pet in ("cat", "dog") for person in range(10) for i in range(3)))
    data = check(root, group_by="^(p[0-9]+)_").require_data()
    sides: dict[str, set[str]] = {}
    for path, split in where(data).items():
        sides.setdefault(path.split("/")[1].split("_")[0], set()).add(split)
    assert all(len(side) == 1 for side in sides.values())
    assert "groups by" in data.split_rule
    assert len(data.val) > 0


def test_a_group_in_two_given_splits_is_an_error(plant):
    root = plant("train/cat/p1_a.png", "train/dog/p2_a.png", "val/cat/p1_b.png", "val/dog/p3_a.png", "train/cat/x.png")
    assert told(root, "group", group_by="^(p[0-9])_") == {("val/cat/p1_b.png", "error")}


def test_a_report_tells_counts_and_sizes_and_raises_for_no_fault(split_pets: Path, plant):
    plant("train/cat/wide.png", size=(20, 90))
    report = check(split_pets)
    assert report.ok
    assert report.counts == {
        "train": {"cat": 11, "dog": 10},
        "val": {"cat": 4, "dog": 4},
        "test": {"cat": 4, "dog": 4},
    }
    assert report.sizes == {"min": (20, 32), "median": (24, 32), "max": (24, 90)}
    (split_pets / "train" / "cat" / "zero.png").touch()
    report = check(split_pets)
    assert not report.ok
    assert report.data is None
    assert report.to_json()["faults"][0]["kind"] == "zero bytes"


def test_a_manifest_reopens_the_same_split(pets: Path):
    data = check(pets, seed=7, val_fraction=0.3).require_data()
    manifest = Manifest.from_json(data.manifest().to_json())
    assert manifest == data.manifest()
    again = check(pets, manifest=manifest).require_data()
    assert again.manifest() == manifest
    assert again.fingerprint() == data.fingerprint()
    assert again.val.paths == data.val.paths


def test_a_manifest_ignores_pictures_that_came_later(pets: Path, plant):
    data = check(pets).require_data()
    plant("cat/new.png", "bird/new.png")
    assert check(pets, manifest=data.manifest()).require_data().fingerprint() == data.fingerprint()
    assert check(pets, manifest=data.manifest()).require_data().classes == ("cat", "dog")


def test_a_manifest_reopens_a_folder_that_has_moved(pets: Path, tmp_path: Path):
    data = check(pets).require_data()
    pets.rename(tmp_path / "moved")
    assert check(tmp_path / "moved", manifest=data.manifest()).require_data().fingerprint() == data.fingerprint()


def test_a_manifest_names_the_file_that_is_gone_or_has_changed(pets: Path):
    manifest = check(pets).require_data().manifest()
    (pets / "cat" / "1.png").unlink()
    shutil.copy(pets / "dog" / "2.png", pets / "dog" / "5.png")
    with pytest.raises(DataError) as error:
        check(pets, manifest=manifest).require_data()
    assert "2 errors" in str(error.value)
    assert "cat/1.png: there is no such file" in str(error.value)
    assert "dog/5.png: not the file it was" in str(error.value)


def test_the_digits_reopen_by_manifest():
    data = check("digits", seed=3).require_data()
    assert check("digits", manifest=data.manifest()).require_data().manifest() == data.manifest()


ROW = ["a.png", 0, 1, "00"]
NO_VAL = {
    "source": "x",
    "seed": 0,
    "classes": ["a"],
    "split_rule": "",
    "faults": [],
    "rows": {"train": [ROW], "val": []},
}


@pytest.mark.parametrize("values", [{}, {"rows": 1}, {"source": "x", "rows": {"train": []}, "classes": []}, NO_VAL])
def test_what_is_no_manifest_is_an_error(values: dict):
    with pytest.raises(DataError, match="not a manifest"):
        Manifest.from_json(values)


def test_the_fingerprint_depends_on_pictures_labels_and_splits(pets: Path):
    before = check(pets).require_data().fingerprint()
    assert check(pets, seed=1).require_data().fingerprint() != before
    (pets / "cat" / "0.png").rename(pets / "dog" / "0b.png")
    assert check(pets).require_data().fingerprint() != before
