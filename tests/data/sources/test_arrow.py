"""A data set that `datasets` saved to disk gives the bytes in its rows; which columns are meant is said, or asked."""

import json
import pickle
from pathlib import Path

import pytest

from glocal.data import Manifest, check
from glocal.data.pictures import Unreadable
from glocal.data.sources.arrow import list_rows
from glocal.data.sources.arrow_files import read_column
from glocal.errors import DataError

datasets = pytest.importorskip("datasets")
pa = pytest.importorskip("pyarrow")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def _quiet():
    datasets.disable_progress_bars()


@pytest.fixture
def save(pets: Path, tmp_path: Path):
    """Saves the pets with the given features and columns beside the picture, and returns the folder."""

    def write(features: dict[str, object], split: bool = False, picture: str = "image", **columns: list) -> Path:
        paths = sorted(str(file) for file in pets.rglob("*.png"))
        kinds = datasets.Features({picture: datasets.Image(), **features})
        found = datasets.Dataset.from_dict({picture: paths, **columns}, features=kinds)
        if split:
            found = datasets.DatasetDict(
                train=found.select(range(1, 20)), validation=found.select([0, 19]), extra=found
            )
        found.save_to_disk(tmp_path / "saved")
        return tmp_path / "saved"

    return write


@pytest.fixture
def classes():
    """A ClassLabel whose order is not the alphabet's."""
    return datasets.ClassLabel(names=["dog", "cat", "bird"])


LABELS = [1] * 10 + [0] * 10


def test_a_saved_data_set_gives_the_pictures_it_was_made_from(save, pets: Path, classes):
    report = check(save({"label": classes}, label=LABELS))
    data, folder = report.require_data(), check(pets).require_data()
    assert data.classes == ("dog", "cat")
    digests = {(row.digest, data.classes[row.label]) for split in (data.train, data.val) for row in split.rows}
    assert digests == {(row.digest, folder.classes[row.label]) for s in (folder.train, folder.val) for row in s.rows}
    assert [fault.reason for fault in report.faults] == [
        "pictures are the column image, labels the column label",
        "1 classes that the source names have no pictures: bird",
    ]


def test_its_splits_are_splits_and_others_are_named(save, classes):
    report = check(save({"label": classes}, split=True, label=LABELS))
    data = report.require_data()
    assert (len(data.train), len(data.val)) == (19, 2)
    assert data.val.paths == ("validation/000000", "validation/000001")
    assert ("extra", "warning") in {(fault.path, fault.severity) for fault in report.faults if fault.kind == "layout"}


def test_rows_are_read_in_any_process_and_reopened_by_manifest(save, classes):
    root = save({"label": classes}, label=LABELS)
    data = check(root).require_data()
    store = pickle.loads(pickle.dumps(data.train.store))
    assert store.read(data.train.paths[0]) == data.train.store.read(data.train.paths[0])
    assert store.stamp(data.train.paths[0])[0] == data.train.rows[0].size_bytes
    with pytest.raises(Unreadable, match="no such row"):
        store.read("999")
    again = check(root, manifest=Manifest.from_json(data.manifest().to_json())).require_data()
    assert again.fingerprint() == data.fingerprint()


def test_labels_may_be_text_or_numbers(save):
    text = datasets.Value("string")
    assert check(save({"label": text}, label=["b"] * 10 + ["a"] * 10)).require_data().classes == ("a", "b")


def test_a_row_without_a_label_is_named(save, classes):
    report = check(save({"label": classes}, label=[-1, None, *LABELS[2:]]), skip_bad_files=True)
    assert [fault.path for fault in report.faults if fault.severity == "dropped"] == ["000000", "000001"]


def test_which_column_is_meant_is_asked(save, classes):
    root = save({"fine": classes, "coarse": classes}, picture="img", fine=LABELS, coarse=LABELS)
    with pytest.raises(DataError, match=r"2 columns of labels: fine, coarse; ds.rename_column\('fine', 'label'\)"):
        check(root)


def test_a_column_is_taken_by_its_name_or_as_the_only_one(save, classes):
    root = save({"fine": classes, "n": datasets.Value("int64")}, picture="img", fine=LABELS, n=list(range(20)))
    report = check(root)
    assert report.ok
    assert report.faults[0].reason == "pictures are the column img, labels the column fine; not used: n"


def test_without_labels_or_pictures_it_is_no_source(save, pets):
    with pytest.raises(DataError, match="no column of labels"):
        check(save({"n": datasets.Value("int64")}, n=list(range(20))))


def test_a_file_cut_short_is_named(save, classes):
    root = save({"label": classes}, label=LABELS)
    (file,) = root.glob("*.arrow")
    file.write_bytes(file.read_bytes()[:-3000])
    report = check(root)
    assert [(fault.kind, fault.severity) for fault in report.faults if fault.severity == "error"] == [
        ("cut short", "error")
    ]
    (root / "state.json").write_text("{")
    with pytest.raises(DataError, match=r"state\.json cannot be read"):
        check(root)


def test_a_file_whose_names_are_no_text_is_named(save, classes):
    folder = save({"label": classes}, label=LABELS)
    (file,) = folder.glob("*.arrow")
    file.write_bytes(file.read_bytes().replace(b"path", b"pa\xf4h"))
    said = [fault.reason for fault in check(folder).faults]
    assert any(f"{file.name} cannot be read on: 'utf-8' codec" in reason for reason in said), said


def test_a_column_that_holds_something_else_in_a_later_file_is_named(save, classes):
    folder = save({"label": classes}, label=LABELS)
    (file,) = folder.glob("*.arrow")
    with pa.ipc.open_stream(file.read_bytes()) as stream:
        table = stream.read_all()
    other = table.set_column(table.column_names.index("image"), "image", pa.array([b"x"] * len(table)))
    with pa.ipc.new_stream(folder / "data-1.arrow", other.schema) as writer:
        writer.write_table(other)
    files = tuple(map(str, (file, folder / "data-1.arrow")))
    rows, wrong = read_column(files, "image", 0)
    assert len(rows) == len(table)
    assert wrong.startswith(
        "data-1.arrow cannot be read on: its column image holds binary, and that of the file before struct"
    )


def test_a_selection_that_is_not_written_out_is_an_error(save, classes):
    root = save({"label": classes}, label=LABELS)
    state = json.loads((root / "state.json").read_text())
    (root / "state.json").write_text(json.dumps(state | {"_indices_data_files": [{"filename": "indices.arrow"}]}))
    with pytest.raises(DataError, match="flatten_indices"):
        list_rows(root)
