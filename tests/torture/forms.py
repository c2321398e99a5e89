"""Faults of the other forms a source may have: tables of paths and labels, tar shards, Hugging Face data sets on disk."""

import csv
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from torture.files import encoded
from torture.planting import SOUND, Counts, Fault, but, handled, named, picture, sow, stopped

Rows = list[list[str]]


def _rows(split: bool = True) -> Rows:
    """The rows of a table of the sound folder."""
    every = [
        [f"{of}/{name}/{i}.png", name, of]
        for of, counts in SOUND.items()
        for name, n in counts.items()
        for i in range(n)
    ]
    return every if split else [row[:2] for row in every]


def written(
    rows: Sequence[Sequence[str]], header: str = "path,label,split", *, end: str = "\n", delimiter: str = ","
) -> str:
    """A table as text."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end, delimiter=delimiter).writerows([header.split(","), *rows])
    return out.getvalue()


def _table(text: Callable[[Rows], str | bytes]) -> Callable[[Path], None]:
    def plant(root: Path) -> None:
        made = text(_rows())
        (sow(root) / "table.csv").write_bytes(made.encode() if isinstance(made, str) else made)

    return plant


def _csv(
    name: str, text: Callable[[Rows], str | bytes], says: str, counts: Counts | None = None, *, told: bool = False
) -> Fault:
    """A table that stops the command, unless it says what is used after all."""
    verdict = stopped if counts is None else named if told else handled
    return Fault(name, _table(text), verdict, says, counts=counts, source="table.csv")


OWN = "source's own"
TABLES = (
    _csv("a table with CRLF", lambda rows: written(rows, end="\r\n"), OWN, SOUND),
    _csv("a table with a byte order mark", lambda rows: "\ufeff" + written(rows), OWN, SOUND),
    _csv("a table in UTF-16", lambda rows: written(rows).encode("utf-16"), "read as UTF-16", SOUND, told=True),
    _csv("a table in Latin-1", lambda rows: written([["caf\xe9.png", "cat", "train"], *rows]).encode("latin-1"), "line 2: not UTF-8"),
    _csv("a table with semicolons", lambda rows: written(rows, delimiter=";"), "separated by ';'", SOUND, told=True),
    _csv("a table without a header", lambda rows: written(rows[1:], header=",".join(rows[0])), "no column `path`"),
    _csv("a table with a column misspelt", lambda rows: written(rows, header="path,lable,split"), "did you mean `label`"),
    _csv("a table with the label column called class", lambda rows: written(rows, header="path,class,split"), "did you mean `label`"),
    _csv("a table with two label columns", lambda rows: written([[*r, "x"] for r in rows], header="path,label,split,label"), "two columns `label`"),
    _csv("a table without rows", lambda rows: written([]), "no row has the split train|no rows"),
    _csv("a table that names a picture which is not there", lambda rows: written([*rows, ["gone.png", "cat", "train"]]), r"gone\.png: there is no such file"),
    _csv("a table with one picture under two labels", lambda rows: written([*rows, ["train/cat/0.png", "dog", "train"]]), r"train/cat/0\.png: line 26 says dog, line 2 says cat"),
    _csv("a table with one picture in train and val", lambda rows: written([*rows, ["train/cat/0.png", "cat", "val"]]), r"train/cat/0\.png: in val by line 26, in train by line 2"),
    _csv("a table with a row twice", lambda rows: written([*rows, rows[0]]), "line 26 repeats line 2, left out", SOUND, told=True),
    _csv("a table with a label missing", lambda rows: written([["train/cat/0.png", "", "train"], *rows[1:]]), r"train/cat/0\.png: line 2: has no label"),
    _csv("a table with an unknown split", lambda rows: written([["train/cat/0.png", "cat", "holdout"], *rows[1:]]), "its split is 'holdout'"),
    _csv("a table with a class that only val has", lambda rows: written([*rows[:-1], [rows[-1][0], "dgo", "val"]]), "dgo: a class of val that train does not have"),
    _csv("a table with labels that differ in case", lambda rows: written([[rows[0][0], "Cat", "train"], *rows[1:]]), "differs from the class Cat only in case", {"train": {"Cat": 1, "cat": 7, "dog": 8}, "val": SOUND["val"]}, told=True),
    _csv("a table with blanks around a label", lambda rows: written([[rows[0][0], " cat ", "train"], *rows[1:]]), "cat: written as ' cat ', 'cat', which differ only in spaces at its ends: read as one class", SOUND, told=True),
    _csv("a table with a no-break space after a label", lambda rows: written([[rows[0][0], "cat\u00a0", "train"], *rows[1:]]), r"cat: written as 'cat', 'cat\\xa0'.*read as one class", SOUND, told=True),
    _csv("a table with a zero-width space in a label", lambda rows: written([[rows[0][0], "ca\u200bt", "train"], *rows[1:]]), r"'ca\\u200bt' differs from the class cat only in characters that cannot be seen|differs from the class 'ca\\u200bt'"),
    *(_csv(f"a table with {label} for a label", lambda rows, label=label: written([[rows[0][0], label, "train"], *rows[1:]]), rf"train/cat/0\.png: its label is '{label}', which often says that there is no label; --missing-labels drop") for label in ("NaN", "None", "null", "N/A", "-")),
    _csv("a table with splits called training and dev", lambda rows: written([[*r[:2], {"train": "training", "val": "dev"}[r[2]]] for r in rows]), "dev is val, training is train", SOUND, told=True),
    _csv("a table with the path column called img", lambda rows: written(rows, header="img,label,split"), "did you mean `path`.* give --path-column img"),
    _csv("a table with a comma too many", lambda rows: written([[*rows[0], "large", "brown"], *rows[1:]]), "has 5 fields, the first line 3"),
    _csv("a table with a quote that is not closed", lambda rows: written(rows).replace("train/dog/3.png", '"train/dog/3.png'), "is a quote not closed"),
    _csv("a table cut in the middle of a row", lambda rows: written(rows)[:-12], r"val/dog/3|has no label|has no split|its split is"),
    _csv("a table with paths of Windows", lambda rows: written([[r[0].replace("/", "\\"), *r[1:]] for r in rows]), "backslashes, read as slashes", SOUND, told=True),
    _csv("a table with numbers for labels, one of them 01", lambda rows: written([[r[0], "01" if i == 0 else str(int(r[1] == "dog") + 1), r[2]] for i, r in enumerate(rows)]), "01|one picture", {"train": {"01": 1, "1": 7, "2": 8}, "val": {"1": 4, "2": 4}}, told=True),
)  # fmt: skip


# --------------------------------------------------------------------------------------------------------- tar shards

Members = list[tuple[str, bytes]]


def _members(split: str, *, first: int = 0) -> Members:
    """The members of a shard with the pictures of a split."""
    found: Members = []
    for label, n in SOUND[split].items():
        for i in range(first, first + n):
            found.append((f"{label}{i}.png", encoded(picture(f"{split}/{label}/{i}"), "PNG")))
            found.append((f"{label}{i}.cls", label.encode()))
    return found


def _tar(file: Path, members: Members, *, mode: str = "w") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, mode) as tar:  # type: ignore[call-overload]
        for name, data in members:
            about = tarfile.TarInfo(name)
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
    return file


def _shards(change: Callable[[Path], object]) -> Callable[[Path], None]:
    """A shard of train and one of val, and something done to them."""

    def plant(root: Path) -> None:
        for split in SOUND:
            _tar(root / f"{split}-000.tar", _members(split))
        change(root)

    return plant


def _train(change: Callable[[Members], Members]) -> Callable[[Path], None]:
    """The same with other members in the shard of train."""
    return _shards(lambda root: _tar(root / "train-000.tar", change(_members("train"))))


def _halved(root: Path) -> None:
    file = root / "train-000.tar"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _holed(root: Path) -> None:
    """A block of zeros and one of rubbish in the middle, as a bad disk leaves them."""
    file = root / "train-000.tar"
    data = bytearray(file.read_bytes())
    middle = len(data) // 1024 * 512
    data[middle : middle + 1024] = b"\xff" * 1024
    file.write_bytes(data)


def _sharded(
    name: str, plant: Callable[[Path], None], says: str, counts: Counts | None = None, *, source: str = ""
) -> Fault:
    return Fault(name, plant, stopped if counts is None else named, says, counts=counts, source=source)


def _without(name: str) -> Callable[[Members], Members]:
    return lambda members: [member for member in members if member[0] != name]


SHARDS = (
    _sharded("a shard cut in half", _shards(_halved), r"train-000\.tar: ends at byte .* whole samples before that"),
    _sharded("a shard with a hole", _shards(_holed), r"train-000\.tar.*(no header at byte|truncated|which is meant)|broken"),
    _sharded("a shard of zero bytes", _shards(lambda root: (root / "train-000.tar").write_bytes(b"")), r"train-000\.tar: zero bytes"),
    _sharded("a shard that is packed", _shards(lambda root: _tar(root / "train-000.tar", _members("train"), mode="w:gz")), r"train-000\.tar: packed with gzip"),
    _sharded("a tar of pictures without labels", _shards(lambda root: [_tar(root / f"{split}-000.tar", [m for m in _members(split) if m[0].endswith("png")]) for split in SOUND]), r"a folder packed into a tar rather than a shard; unpack it and give the folder: mkdir -p .* && tar -xf"),
    _sharded("a zip", lambda root: (root / "a.zip").write_bytes(b"PK\x05\x06" + bytes(18)) and None, r"a\.zip is an archive, .*(\n|.)*unzip .*a\.zip -d .*a", source="a.zip"),
    _sharded("shards whose labels differ in a space", _train(lambda members: [("cat0.png", members[0][1]), ("cat0.cls", b"cat "), *members[2:]]), "cat: written as 'cat', 'cat '", SOUND),
    _sharded("shards with None for a label", _train(lambda members: [("cat0.png", members[0][1]), ("cat0.cls", b"None"), *members[2:]]), r"cat0\.png: its label is 'None'"),
    _sharded("shards of splits called training and holdout", _shards(lambda root: [(root / f"{old}-000.tar").rename(root / f"{new}-000.tar") for old, new in (("train", "training"), ("val", "holdout"))]), r"holdout-000\.tar: is 'holdout' a split"),
    _sharded("a shard that is a text", _shards(lambda root: (root / "train-000.tar").write_text("x" * 600)), r"train-000\.tar: no tar"),
    _sharded("a sample without a label", _train(_without("cat3.cls")), r"train-000\.tar/cat3"),
    _sharded("a label without a picture", _train(_without("cat3.png")), r"train-000\.tar/cat3: a label without a picture"),
    _sharded("one key twice in a shard", _train(lambda members: [*members, *members[:2]]), r"train-000\.tar/cat0: the key stands twice"),
    _sharded("a label and a JSON that disagree", _train(lambda members: [*members[:2], ("cat0.json", json.dumps({"label": "dog"}).encode()), *members[2:]]), r"train-000\.tar/cat0"),
    _sharded("a JSON cut in half", _train(lambda members: [*members[:1], ("cat0.json", b'{"label": "ca'), *members[2:]]), r"train-000\.tar/cat0"),
    _sharded("a picture in a shard cut in half", _train(lambda members: [("cat0.png", members[0][1][:500]), *members[1:]]), r"train-000\.tar/cat0\.png: truncated"),
    _sharded("a shard of a range that is not there", _shards(lambda root: None), r"train-001\.tar", source="{train-000,train-001,val-000}.tar"),
    _sharded("a split without train among shards", _shards(lambda root: (root / "train-000.tar").unlink()), r"val-000\.tar: a split without shards of train"),
    _sharded("the same picture in shards of train and val", _shards(lambda root: _tar(root / "val-000.tar", [*_members("val"), ("copy.png", _members("train")[0][1]), ("copy.cls", b"cat")])), r"val-000\.tar/copy\.png: the same bytes as train-000\.tar/cat0\.png", but(val={"cat": 5})),
    _sharded("a label beyond the names of the classes", _shards(lambda root: (root / "classes.json").write_text('["cat", "cow"]')), "dog is no class of the file of classes"),
)  # fmt: skip


# ------------------------------------------------------------------------------------------------ Hugging Face, on disk


def _saved(change: Callable[[Path], object], **edits: Callable[[dict], dict]) -> Callable[[Path], None]:
    """What `save_to_disk` writes of a DatasetDict, and something done to it. `edits` change a row before it is written."""

    def plant(root: Path) -> None:
        from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, disable_progress_bars

        disable_progress_bars()
        features = Features({"image": Image(), "label": ClassLabel(names=["cat", "dog"])})

        def rows(split: str) -> Iterator[dict]:
            edit = edits.get(split, lambda row: row)
            for number, (name, n) in enumerate(SOUND[split].items()):
                for i in range(n):
                    data = encoded(picture(f"{split}/{name}/{i}"), "PNG")
                    yield edit({"image": {"bytes": data, "path": None}, "label": number, "at": (name, i)})

        made = {}
        for split in SOUND:
            every = list(rows(split))
            columns = {key: [row[key] for row in every] for key in ("image", "label")}
            made[{"val": "validation"}.get(split, split)] = Dataset.from_dict(columns, features=features)
        DatasetDict(made).save_to_disk(str(root))
        change(root)

    return plant


def _arrow(root: Path) -> Path:
    return next((root / "train").glob("data-*.arrow"))


def _cut_arrow(root: Path) -> None:
    file = _arrow(root)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _first(**changes: object) -> Callable[[dict], dict]:
    return lambda row: {**row, **changes} if row["at"] == ("cat", 0) else row


def _hub(name: str, plant: Callable[[Path], None], says: str) -> Fault:
    return Fault(name, plant, stopped, says)


SAVED = (
    _hub("a saved data set cut in half", _saved(_cut_arrow), r"data-.*\.arrow cannot be read on"),
    _hub("a saved data set without its state", _saved(lambda root: (root / "train/state.json").unlink()), r"state\.json cannot be read"),
    _hub("a saved data set whose classes differ in a space", _saved(lambda root: [file.write_text(file.read_text().replace('"dog"', '"cat "')) for file in root.glob("*/dataset_info.json")]), "classes that are read as one: 'cat', 'cat '"),
    _hub("a saved data set with an index that is no JSON", _saved(lambda root: (root / "train/dataset_info.json").write_bytes(b"[" * 5000)), r"dataset_info\.json cannot be read"),
    _hub("a saved data set without train", _saved(lambda root: [(root / "dataset_dict.json").write_text('{"splits": ["validation"]}'), shutil.rmtree(root / "train")]), "it needs one called train"),
    _hub("a row without a label", _saved(lambda root: None, train=_first(label=-1)), "train/000000: a row without a label"),
    _hub("a row without a picture", _saved(lambda root: None, train=_first(image=None)), "train/000000: its row holds no picture"),
    _hub("a row whose picture is cut", _saved(lambda root: None, train=_first(image={"bytes": b"\x89PNG\r\n\x1a\n", "path": None})), "train/000000: (truncated|not a picture)"),
)  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- Parquet


def _parquet(change: Callable[[Path], object], **columns: Callable[[Rows], list]) -> Callable[[Path], None]:
    def plant(root: Path) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        rows = _rows()
        said = {name: [row[i] for row in rows] for i, name in enumerate(("path", "label", "split"))}
        said |= {name: made(rows) for name, made in columns.items()}
        sow(root)
        parquet.write_table(pa.table(said), root / "table.parquet")
        change(root / "table.parquet")

    return plant


def _cut_file(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


PARQUET = (
    Fault("a Parquet table cut in half", _parquet(_cut_file), stopped, "is not a whole Parquet file", source="table.parquet"),
    Fault("a Parquet table that is a CSV", _parquet(lambda file: file.write_text(written(_rows()))), stopped, "is not a whole Parquet file", source="table.parquet"),
    Fault("a Parquet table with numbers for labels, one missing", _parquet(lambda file: None, label=lambda rows: [None, *(float(row[1] == "dog") for row in rows[1:])]), stopped, r"train/cat/0\.png: row 1: has no label", source="table.parquet"),
    Fault("a Parquet table with shares for labels", _parquet(lambda file: None, label=lambda rows: [0.5, *(float(row[1] == "dog") for row in rows[1:])]), stopped, r"train/cat/0\.png: row 1: 0\.5 is no label", source="table.parquet"),
)  # fmt: skip

FAULTS = (*TABLES, *SHARDS, *PARQUET, *SAVED)
