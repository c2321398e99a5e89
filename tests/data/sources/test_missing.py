"""A label that says that there is none is asked about where labels are text, and left alone where people named the classes."""

import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from glocal.data import Report, check
from glocal.data.sources.missing import says_nothing
from glocal.errors import DataError, RecipeError

NOTHING = ["NaN", "nan", "None", "none", "null", "NULL", "NA", "N/A", "n/a", "#N/A", "<NA>", "-", "?", " NaN "]


def table(pets: Path, *labels: str) -> Path:
    """A table whose first rows have the given labels, and the others their folders."""
    every = [f"{pet}/{i}.png" for i in range(10) for pet in ("cat", "dog")]
    rows = [f"{path},{labels[k] if k < len(labels) else path[:3]}\n" for k, path in enumerate(every)]
    (pets / "t.csv").write_text("path,label\n" + "".join(rows))
    return pets / "t.csv"


def found(report: Report, kind: str) -> list[tuple[str, str, str]]:
    return [(fault.severity, fault.path, fault.reason) for fault in report.faults if fault.kind == kind]


@pytest.mark.parametrize("label", NOTHING)
def test_it_is_asked_about(pets: Path, label: str):
    report = check(table(pets, label, label))
    ((severity, path, reason),) = found(report, "missing label")
    assert (severity, path) == ("error", "cat/0.png")
    assert f"2 pictures have the label {label.strip()!r}" in reason
    assert "--missing-labels drop" in reason
    assert "--missing-labels class" in reason


def test_each_spelling_is_named(pets: Path):
    assert len(found(check(table(pets, "NaN", "None", "NaN")), "missing label")) == 2


def test_rows_are_left_out_when_asked(pets: Path):
    report = check(table(pets, "NaN", "", "None"), missing_labels="drop")
    data = report.require_data()
    assert data.classes == ("cat", "dog")
    assert len(data.train) + len(data.val) == 17
    assert [(severity, path) for severity, path, _ in found(report, "no label")] == [
        ("dropped", "dog/0.png"),
        ("dropped", "cat/0.png"),
        ("dropped", "cat/1.png"),
    ]


def test_it_is_a_class_when_asked(pets: Path):
    report = check(table(pets, *["None"] * 5), missing_labels="class")
    assert report.require_data().classes == ("None", "cat", "dog")
    assert [severity for severity, _, _ in found(report, "missing label")] == ["note"]
    assert not check(table(pets, "None", ""), missing_labels="class").ok  # an empty cell is no class


def test_other_answers_are_errors(pets: Path):
    with pytest.raises(RecipeError, match="missing-labels"):
        check(table(pets), missing_labels="perhaps")


def test_bad_files_and_missing_labels_are_two_questions(pets: Path):
    assert not check(table(pets, "NaN"), skip_bad_files=True).ok


@pytest.mark.parametrize("label", ["nano", "nullarbor", "nah", "unknown", "nonesuch", "a-b", "no", "0", "N"])
def test_words_that_say_something_are_not_asked_about(label: str):
    assert not says_nothing(label, among={label, "cat", "dog"})


@pytest.mark.parametrize("label", ["-", "?", "."])
def test_a_mark_among_single_characters_is_one_of_them(label: str):
    assert not says_nothing(label, among={*"abc0123+", label})
    assert says_nothing(label, among={"cat", "dog", label})


def test_folders_are_named_on_purpose(plant):
    root = plant(*(f"{name}/{i}.png" for name in ("None", "cat", "NA") for i in range(4)))
    assert check(root).require_data().classes == ("NA", "None", "cat")
    with pytest.raises(DataError, match="--missing-labels has no effect"):
        check(root, missing_labels="drop")


def test_several_labels(pets: Path):
    report = check(table(pets, "cat|NaN"))
    assert [severity for severity, _, _ in found(report, "missing label")] == ["error"]


def test_shards_with_text_for_labels_and_with_named_classes(tmp_path: Path, noise):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for i in range(12):
            picture = io.BytesIO()
            Image.fromarray(noise(f"{i}")).save(picture, "PNG")
            for name, data in ((f"{i}.png", picture.getvalue()), (f"{i}.cls", [b"cat", b"dog", b"None"][i % 3])):
                about = tarfile.TarInfo(name)
                about.size = len(data)
                tar.addfile(about, io.BytesIO(data))
    assert [severity for severity, _, _ in found(check(tmp_path / "a.tar"), "missing label")] == ["error"]
    (tmp_path / "classes.txt").write_text("cat\ndog\nNone\n")
    assert check(tmp_path / "a.tar").require_data().classes == ("cat", "dog", "None")


def test_saved_data_sets(tmp_path: Path, noise):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    rows = {"image": [Image.fromarray(noise(f"{i}")) for i in range(12)], "label": ["cat", "dog", "null"] * 4}
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "text"))
    assert [severity for severity, _, _ in found(check(tmp_path / "text"), "missing label")] == ["error"]
    assert check(tmp_path / "text", missing_labels="drop").require_data().classes == ("cat", "dog")
    numbers = {**rows, "label": [0, 1, 2] * 4}
    features["label"] = datasets.ClassLabel(names=["cat", "dog", "none"])
    datasets.Dataset.from_dict(numbers, features=features).save_to_disk(str(tmp_path / "named"))
    assert check(tmp_path / "named").ok
