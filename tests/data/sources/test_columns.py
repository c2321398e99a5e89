"""Columns that are called otherwise are read by saying which; a run that is opened again reads the same ones."""

from pathlib import Path

import pytest

from glocal.data import Manifest, check
from glocal.errors import DataError

OTHER = {"path_column": "img", "label_column": "lbl"}


def table(pets: Path, header: str, row: str = "{path},{label}", name: str = "o.csv") -> Path:
    every = [
        (f"{pet}/{i}.png", pet, ("train", "val")[i % 5 == 0], f"p{i}") for pet in ("cat", "dog") for i in range(10)
    ]
    rows = [row.format(path=path, label=label, split=split, group=group) for path, label, split, group in every]
    (pets / name).write_text("\n".join([header, *rows]) + "\n")
    return pets / name


def test_other_names_give_the_same_data(pets: Path):
    plain = check(table(pets, "path,label", name="plain.csv")).require_data()
    data = check(table(pets, "img,lbl"), **OTHER).require_data()
    assert data.fingerprint() == plain.fingerprint()


def test_splits_and_groups_too(pets: Path):
    file = table(pets, "img,lbl,part,patient", "{path},{label},{split},{group}")
    data = check(file, **OTHER, split_column="part").require_data()
    assert (len(data.train), len(data.val)) == (16, 4)
    data = check(file, **OTHER, group_column="patient").require_data()
    assert {path[4] for path in data.train.paths}.isdisjoint(path[4] for path in data.val.paths)
    with pytest.raises(DataError, match="column `patient`, so --group-by"):
        check(file, **OTHER, group_column="patient", group_by="(.)")


def test_a_named_column_wins_over_one_of_the_usual_name(pets: Path):
    file = table(pets, "path,label,breed", "{path},wrong,{label}")
    report = check(file, label_column="breed")
    assert report.require_data().classes == ("cat", "dog")
    assert "not used: label" in [fault.reason for fault in report.faults]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_any_separator(pets: Path, separator: str):
    file = table(pets, f"img{separator}lbl", f"{{path}}{separator}{{label}}")
    assert check(file, **OTHER).ok


def test_odd_names(pets: Path):
    file = table(pets, '"image path, full",--label')
    assert check(file, path_column="image path, full", label_column="--label").ok


def test_a_column_that_is_not_there_is_an_error(pets: Path):
    with pytest.raises(DataError, match="no column `lbl`, which --label-column names; it has path, label"):
        check(table(pets, "path,label"), label_column="lbl")
    with pytest.raises(DataError, match=r"did you mean `path`\? give --path-column img"):
        check(table(pets, "img,label"))
    with pytest.raises(DataError, match=r"--label-column names another"):
        check(table(pets, "path,zzz"))


def test_columns_of_what_has_none_are_errors(pets: Path):
    for source in (pets, "digits"):
        with pytest.raises(DataError, match="no effect"):
            check(source, label_column="lbl")


def test_parquet(pets: Path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    paths = [f"{pet}/{i}.png" for pet in ("cat", "dog") for i in range(10)]
    parquet.write_table(
        pa.table({"img": paths, "lbl": [path[:3] for path in paths], "path": range(20)}), pets / "o.parquet"
    )
    assert check(pets / "o.parquet", **OTHER).require_data().classes == ("cat", "dog")


def test_a_manifest_reopens_the_same_pictures(pets: Path):
    file = table(pets, "img,lbl")
    data = check(file, **OTHER).require_data()
    again = check(file, manifest=Manifest.from_json(data.manifest().to_json())).require_data()
    assert again.manifest() == data.manifest()


@pytest.fixture
def saved(tmp_path: Path, noise) -> Path:
    """A data set with two columns of pictures and two of labels, as CIFAR-100 has coarse and fine ones."""
    datasets = pytest.importorskip("datasets")
    from PIL import Image

    datasets.disable_progress_bars()
    pictures = {name: [Image.fromarray(noise(f"{name}{i}")) for i in range(12)] for name in ("front", "back")}
    features = {
        "front": datasets.Image(),
        "back": datasets.Image(),
        "fine": datasets.ClassLabel(names=["ash", "elm", "fir"]),
        "coarse": datasets.ClassLabel(names=["broad", "needle"]),
        "site": datasets.Value("string"),
    }
    rows = {**pictures, "fine": [0, 1, 2] * 4, "coarse": [0, 0, 1] * 4, "site": [f"s{i // 3}" for i in range(12)]}
    datasets.Dataset.from_dict(rows, features=datasets.Features(features)).save_to_disk(str(tmp_path / "saved"))
    return tmp_path / "saved"


def test_columns_of_a_saved_data_set(saved: Path):
    with pytest.raises(DataError, match=r"2 columns of pictures: front, back; .*--path-column front"):
        check(saved)
    data = check(saved, path_column="back", label_column="coarse", group_column="site").require_data()
    assert data.classes == ("broad", "needle")
    assert data.split_rule.endswith("groups undivided")
    again = check(saved, manifest=Manifest.from_json(data.manifest().to_json())).require_data()
    assert again.fingerprint() == data.fingerprint()
    assert (again.train.picture(0) == data.train.picture(0)).all()
    other = check(saved, path_column="front", label_column="fine").require_data()
    assert other.classes == ("ash", "elm", "fir")
    assert other.train.rows[0].digest not in {row.digest for row in (*data.train.rows, *data.val.rows)}
    with pytest.raises(DataError, match="no column `x`, which --label-column names; it has front, back"):
        check(saved, path_column="back", label_column="x")
    with pytest.raises(DataError, match="--split-column has no effect"):
        check(saved, path_column="back", label_column="fine", split_column="site")


def test_a_column_of_pictures_may_hold_paths(tmp_path: Path, pets: Path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    paths = [str(pets / f"{pet}/{i}.png") for i in range(6) for pet in ("cat", "dog")]
    rows = datasets.Dataset.from_dict({"where": paths, "label": ["cat", "dog"] * 6})
    rows.save_to_disk(str(tmp_path / "paths"))
    assert check(tmp_path / "paths", path_column="where").require_data().classes == ("cat", "dog")
