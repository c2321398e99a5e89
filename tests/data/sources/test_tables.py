"""A table says which pictures there are; what is wrong in a row is named by its line, and nothing is guessed."""

import shutil
from pathlib import Path

import pytest

from glocal.data import Manifest, Report, check
from glocal.errors import DataError

PATHS = [f"{pet}/{i}.png" for pet in ("cat", "dog") for i in range(10)]


@pytest.fixture
def table(pets: Path):
    """Writes a table beside the pets; by default of every path with its folder as the label."""

    def write(text: str | None = None, name: str = "pets.csv", **options: str) -> Path:
        rows = "".join(f"{path},{path[:3]}\n" for path in PATHS)
        (pets / name).write_bytes((text if text is not None else f"path,label\n{rows}").encode(**options))
        return pets / name

    return write


def rows(*extra: str, header: str = "path,label") -> str:
    return "\n".join([header, *(f"{path},{path[:3]}" for path in PATHS), *extra]) + "\n"


def told(report: Report, kind: str) -> list[tuple[str, str, str]]:
    return [(fault.severity, fault.path, fault.reason) for fault in report.faults if fault.kind == kind]


def test_a_table_gives_what_its_folder_gives(pets: Path, table):
    data, folder = check(table()).require_data(), check(pets).require_data()
    assert data.classes == folder.classes
    assert data.manifest().rows == folder.manifest().rows
    assert data.fingerprint() == folder.fingerprint()


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (lambda text: text.replace("\n", "\r\n"), {}),
        (lambda text: text, {"encoding": "utf-8-sig"}),
        (lambda text: text, {"encoding": "utf-16"}),
        (lambda text: text.replace(",", ";"), {}),
        (lambda text: text.replace(",", " , "), {}),
        (lambda text: text.replace("cat/0.png", '"cat/0.png"'), {}),
        (lambda text: text.replace("cat/0.png", "./cat//0.png"), {}),
        (lambda text: text.replace("/", "\\"), {}),
    ],
    ids=["CRLF", "BOM", "UTF-16", "semicolons", "blanks", "quotes", "dots", "backslashes"],
)
def test_however_a_table_is_written_it_means_the_same(table, change, options):
    plain = check(table()).require_data()
    assert check(table(change(rows()), **options)).require_data().fingerprint() == plain.fingerprint()


def test_quoted_commas_and_unicode_are_text(pets: Path, table):
    shutil.copytree(pets / "cat", pets / "Käfer, große")
    shutil.rmtree(pets / "cat")
    text = rows().replace("cat/", '"Käfer, große/').replace(".png,cat", '.png","Käfer, große"')
    assert check(table(text)).require_data().classes == ("Käfer, große", "dog")


def test_splits_and_groups_come_from_their_columns(table):
    lines = [f"{path},{path[:3]},{'valid' if i % 5 == 0 else 'Train'}" for i, path in enumerate(PATHS)]
    data = check(table("path,label,split\n" + "\n".join(lines))).require_data()
    assert (len(data.train), len(data.val)) == (16, 4)
    assert data.split_rule == "train and val are the source's own"
    lines = [f"{path},{path[:3]},{path[4]}" for path in PATHS]
    data = check(table("path,label,group\n" + "\n".join(lines))).require_data()
    assert {path[4] for path in data.train.paths}.isdisjoint(path[4] for path in data.val.paths)
    assert data.split_rule.endswith("groups undivided")
    with pytest.raises(DataError, match=r"column `group`, so --group-by '\(.\)' has no effect"):
        check(table("path,label,group\n" + "\n".join(lines)), group_by="(.)")


def test_a_group_in_two_splits_is_an_error(table):
    lines = [f"{path},{path[:3]},{'val' if path.endswith('/9.png') else 'train'},{path[:3]}" for path in PATHS]
    report = check(table("path,label,split,group\n" + "\n".join(lines)))
    assert [path for _, path, _ in told(report, "group")] == ["cat/9.png", "dog/9.png"]


@pytest.mark.parametrize(
    ("line", "kind", "reason"),
    [
        ("cat/0.png,dog", "two labels", "line 22 says dog, line 2 says cat"),
        (",cat", "row", "has no path"),
        ("cat/a.png,", "no label", "line 22: has no label"),
        ("cat/a.png", "no label", "line 22: has no label"),
        ("cat/a.png,cat,dog,bird", "row", "line 22: has 4 fields, the first line 2; quote a text that holds a comma"),
        ("cat/none.png,cat", "unreadable", "there is no such file"),
        (f"{'x' * 300}.png,cat", "unreadable", "cannot be read: File name too long"),
    ],
)
def test_what_is_wrong_with_a_row_is_an_error_that_names_its_line(table, line: str, kind: str, reason: str):
    assert [(severity, why) for severity, _, why in told(check(table(rows(line))), kind)] == [("error", reason)]


def test_what_is_wrong_with_a_split_names_its_line(table):
    lines = [f"{path},{path[:3]},train" for path in PATHS]
    report = check(
        table("path,label,split\n" + "\n".join([*lines, "cat/0.png,cat,val", "a.png,cat,trian", "b.png,cat,"]))
    )
    assert [reason for _, _, reason in told(report, "row")] == [
        "in val by line 22, in train by line 2",
        "line 23: its split is 'trian'; it must be train, val or test",
        "line 24: has no split",
    ]
    only_val = "\n".join(line.replace("train", "val") for line in lines)
    assert told(check(table("path,label,split\n" + only_val)), "layout") == [
        ("error", "", "no row has the split train")
    ]


def test_what_is_harmless_is_noted(table):
    report = check(table(rows("cat/0.png,cat", "", ",", header="path,label,weight")))
    assert report.ok
    assert [(severity, path, reason) for severity, path, reason in told(report, "row")] == [
        ("note", "cat/0.png", "line 22 repeats line 2, left out"),
        ("note", "line 23", "empty, left out"),
        ("note", "line 24", "empty, left out"),
    ]
    assert told(report, "columns") == [("note", "", "not used: weight")]


def test_rows_without_a_label_are_left_out_when_asked(table):
    report = check(table(rows("cat/a.png,", "cat/none.png,cat")), skip_bad_files=True)
    assert report.ok
    assert [(severity, path) for severity, path, _ in told(report, "no label")] == [("dropped", "cat/a.png")]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("Path,label", "has a column `Path`; did you mean `path`"),
        ("filename,label", "has a column `filename`; did you mean `path`"),
        ("path,labels", "has a column `labels`; did you mean `label`"),
        ("path,class", "has a column `class`; did you mean `label`"),
        ("path,label,Split", "has a column `Split`; did you mean `split`"),
        ("path,label,groups", "has a column `groups`; did you mean `group`"),
        ("a,b", "has no column `path`: it needs path, label"),
        ("path,label,path", "two columns `path`"),
        ("", "has no column `path`"),
    ],
)
def test_columns_are_named_exactly(table, header: str, message: str):
    with pytest.raises(DataError, match=message):
        check(table(f"{header}\ncat/0.png,cat,a\n" if header else ""))


def test_what_is_no_table_is_an_error(table, tmp_path: Path):
    with pytest.raises(DataError, match=r"line 3: not UTF-8"):
        check(table("path,label\na.png,cat\nb.png,Käfer", encoding="latin-1"))
    with pytest.raises(DataError, match=r"line 3: .*is a quote not closed"):
        check(table('path,label\ncat/0.png,cat\n"cat/1.png,cat\ncat/2.png,cat\n'))
    with pytest.raises(DataError, match=r"no\.csv: there is no such file"):
        check(tmp_path / "no.csv")
    assert told(check(table("path,label\n")), "layout") == [("error", "", "the table has no rows")]


def test_whole_numbers_are_classes_in_their_order(pets: Path, table):
    text = "path,label\n" + "\n".join(f"{path},{int(path[4]) * 5}" for path in PATHS if path[4] in "123")
    assert check(table(text)).require_data().classes == ("5", "10", "15")


def test_a_run_reopens_its_split_without_the_table(table):
    file = table()
    data = check(file).require_data()
    file.unlink()
    again = check(file, manifest=Manifest.from_json(data.manifest().to_json())).require_data()
    assert again.fingerprint() == data.fingerprint()
    assert (again.val.picture(0) == data.val.picture(0)).all()


def test_paths_may_be_absolute_or_urls(pets: Path, table, tmp_path: Path):
    plain = check(table()).require_data()
    elsewhere = tmp_path / "elsewhere.csv"
    elsewhere.write_text(rows().replace("cat/", f"{pets}/cat/").replace("dog/", f"file://{pets}/dog/"))
    data = check(elsewhere).require_data()
    assert {row.digest for row in data.train.rows + data.val.rows} == {
        row.digest for row in plain.train.rows + plain.val.rows
    }
    assert check(f"file://{table()}").require_data().fingerprint() == plain.fingerprint()


def test_parquet_says_what_csv_says(table, pets: Path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"path": PATHS, "label": pa.array([path[:3] for path in PATHS]).dictionary_encode(), "index": range(20)}
    parquet.write_table(pa.table(columns), pets / "pets.parquet")
    report = check(pets / "pets.parquet")
    assert report.require_data().fingerprint() == check(table()).require_data().fingerprint()
    assert told(report, "columns") == [("note", "", "not used: index")]
    numbers = [
        None,
        *(float(path[0] == "c") for path in PATHS[1:]),
    ]  # as pandas writes whole numbers beside a missing one
    parquet.write_table(pa.table({"path": PATHS, "label": numbers}), pets / "numbers.parquet")
    report = check(pets / "numbers.parquet", skip_bad_files=True)
    assert report.require_data().classes == ("0", "1")
    assert told(report, "no label") == [("dropped", "cat/0.png", "row 1: has no label")]
    parquet.write_table(pa.table({"path": PATHS, "label": [0.5] * 20}), pets / "half.parquet")
    assert (
        told(check(pets / "half.parquet"), "row")[0][2]
        == "row 1: 0.5 is no label: a word, a whole number or a list of them"
    )
    (pets / "cut.parquet").write_bytes((pets / "pets.parquet").read_bytes()[:200])
    with pytest.raises(DataError, match="not a whole Parquet file"):
        check(pets / "cut.parquet")


def test_where_nothing_is_left_there_is_nothing_to_open(table):
    report = check(table("path,label\ncat/0.png,\n"), skip_bad_files=True)
    assert told(report, "layout") == [("error", "train", "no picture of train is left")]
    lines = [f"{path},,val" if path.endswith("/1.png") else f"{path},{path[:3]},train" for path in PATHS]
    report = check(table("path,label,split\n" + "\n".join(lines)), skip_bad_files=True)
    assert told(report, "layout") == [("error", "val", "no picture of val is left")]
