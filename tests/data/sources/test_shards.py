"""Tar shards hold samples that are found by offset, whatever wrote them; what is broken in them is named, the rest is used."""

import dataclasses
import functools
import http.server
import io
import json
import pickle
import tarfile
import threading
from pathlib import Path

import fsspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from glocal.data import Manifest, Report, check, write_shards
from glocal.data.pictures import Unreadable
from glocal.data.sources import remote
from glocal.data.sources.shards import class_names, expanded, list_shards
from glocal.data.sources.tar import members
from glocal.errors import DataError


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("GLOCAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "PAUSES_S", (0.0, 0.0, 0.0))


@pytest.fixture
def tar(tmp_path: Path, noise):
    """Writes members to tmp_path/shards/NAME; a member's content is text, bytes, or None for a picture made from its name."""

    def write(name: str, files: dict[str, str | bytes | None]) -> Path:
        file = tmp_path / "shards" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(file, "w") as shard:
            for member, content in files.items():
                data = content.encode() if isinstance(content, str) else content or picture(noise(f"{name}/{member}"))
                about = tarfile.TarInfo(member)
                about.size = len(data)
                shard.addfile(about, io.BytesIO(data))
        return file

    return write


def picture(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def pets(first: int = 0, n: int = 10) -> dict[str, str | None]:
    """n samples, cats and dogs in turn."""
    keys = [f"{i:04d}" for i in range(first, first + n)]
    return {f"{key}.{end}": None if end == "png" else str(int(key) % 2) for key in keys for end in ("png", "cls")}


def told(report: Report, kind: str) -> list[tuple[str, str, str]]:
    return [(fault.severity, fault.path, fault.reason) for fault in report.faults if fault.kind == kind]


def digests(report: Report) -> set[str]:
    data = report.require_data()
    return {row.digest for split in (data.train, data.val) for row in split.rows}


NAMES = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=150)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=3), st.binary(max_size=1500)), max_size=5),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_members_are_those_that_pythons_tarfile_finds(files, form):
    import tempfile

    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w", format=form) as out:
            out.addfile(_entry("folder", tarfile.DIRTYPE))
            out.addfile(_entry("link", tarfile.SYMTYPE, target="x" * 120))
            for parts, data in files:
                about = _entry("/".join(parts), tarfile.REGTYPE)
                about.size = len(data)
                out.addfile(about, io.BytesIO(data))
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:") as theirs:
            wanted = [(m.name, m.offset_data, m.size, m.issym()) for m in theirs.getmembers() if not m.isdir()]
        assert [tuple(member) for member in members(file)] == wanted


def _entry(name: str, kind: bytes, *, target: str = "") -> tarfile.TarInfo:
    about = tarfile.TarInfo(name)
    about.type, about.linkname = kind, target
    return about


def test_a_shard_is_a_source(tar):
    file = tar("a.tar", pets(n=20))
    data = check(file).require_data()
    assert data.classes == ("0", "1")
    assert (len(data.train), len(data.val)) == (16, 4)
    assert all(data.train.labels[i] == int(path[9]) % 2 for i, path in enumerate(data.train.paths))
    assert (
        data.train.picture(0) == np.asarray(Image.open(io.BytesIO(data.train.store.read(data.train.paths[0]))))
    ).all()


def test_bytes_are_read_by_offset_in_any_process(tar):
    file = tar("a.tar", pets())
    store, listing = list_shards(str(file))
    again = pickle.loads(pickle.dumps(store))
    with tarfile.open(file) as shard:
        for listed in listing.files:
            content = shard.extractfile(listed.path.removeprefix("a.tar/")).read()
            assert again.read(listed.path) == content
            assert again.stamp(listed.path) == (len(content), file.stat().st_mtime_ns)
    assert again.stamp("a.tar/none.png") is None


@pytest.mark.parametrize(
    "names",
    [
        ["train/0.tar", "train/1.tar", "val/0.tar"],
        ["pets-train-0.tar", "pets-train-1.tar", "pets-val-0.tar"],
        ["Train_0.tar", "Train_1.tar", "validation_0.tar"],
    ],
)
def test_folders_and_whole_words_of_names_are_splits(tar, names: list[str]):
    for i, name in enumerate(names):
        root = tar(name, pets(first=10 * i))
    root = root.parent if root.parent.name == "shards" else root.parent.parent
    data = check(root).require_data()
    assert (len(data.train), len(data.val)) == (20, 10)
    assert data.split_rule == "train and val are the source's own"


def test_splits_that_can_be_read_in_two_ways_are_errors(tar):
    root = tar("train-0.tar", pets()).parent
    tar("extra-0.tar", pets(10))
    assert told(check(root), "layout") == [
        ("error", "extra-0.tar", "names no split, as the other shards do; rename it")
    ]
    tar("train-val-0.tar", pets(20))
    assert told(check(root / "{train-val,train}-0.tar"), "layout") == [
        ("error", "train-val-0.tar", "names the splits train and val; rename it")
    ]
    tar("val-0.tar", pets(20))
    assert "without shards of train" in told(check(root / "val-0.tar"), "layout")[0][2]


def test_braces_stand_for_ranges_and_lists(tar):
    assert expanded("a-{08..10}{,b}.tar") == [f"a-{n}{b}.tar" for n in ("08", "09", "10") for b in ("", "b")]
    for wrong in ("{3..1}", "{0..999999}", "{a}", "{a..b}"):
        with pytest.raises(DataError, match=r"shards|neither a range"):
            expanded(wrong)
    for i in range(3):
        root = tar(f"a-{i:03d}.tar", pets(10 * i)).parent
    assert len(digests(check(f"{root}/a-{{000..002}}.tar"))) == 30
    report = check(f"{root}/a-{{002..003}}.tar")
    assert told(report, "unreadable") == [("error", "a-003.tar", "cannot be read: No such file or directory")]


def test_a_file_beside_the_shards_names_and_orders_the_classes(tar):
    file = tar("a.tar", pets())
    (file.parent / "classes.txt").write_text("zebra\nant\nbee\n")
    report = check(file)
    assert report.require_data().classes == ("zebra", "ant")
    assert ("note", "", "1 classes that the source names have no pictures: bee") in told(report, "class map")
    (file.parent / "classes.json").write_text('["zebra"]')
    assert len(told(check(file), "class map")) == 5
    assert class_names("classes.json", b'{"ant": 1, "zebra": 0}') == ("zebra", "ant")
    assert class_names("classes.json", b'{"1": "ant", "0": "zebra"}') == ("zebra", "ant")
    for wrong in (b"{", b'["a", "a"]', b'["a", ""]', b'{"a": 7}', b"3"):
        with pytest.raises(DataError, match=r"classes\.json"):
            class_names("classes.json", wrong)


def test_labels_are_words_or_numbers_in_cls_or_json(tar):
    files = pets(n=4) | {
        "0001.cls": "1\n",
        "4.png": None,
        "4.json": '{"label": 0}',
        "5.png": None,
        "5.json": '{"cls": "1"}',
    }
    data = check(tar("a.tar", files)).require_data()
    assert sorted([*data.train.labels, *data.val.labels]) == [0, 0, 0, 1, 1, 1]


def test_what_is_wrong_with_a_sample_is_named(tar):
    wrong = {
        "a.png": None,
        "b.cls": "1",
        "c.png": None,
        "c.cls": "",
        "d.png": None,
        "d.json": '{"caption": "cat"}',
        "e.png": None,
        "e.json": "{",
        "f.png": None,
        "f.cls": "0",
        "f.json": '{"label": 1}',
        "g.png": None,
        "g.jpg": None,
        "g.cls": "1",
        "0001.webp": None,
        "h.png": b"GIF89a",
        "h.cls": "1",
    }
    report = check(
        tar("a.tar", pets() | wrong | {"i.png": b"no picture", "i.cls": "1", "README.txt": "hello", "._a.png": "x"})
    )
    errors = {fault.path: fault.kind for fault in report.faults if fault.severity == "error"}
    assert errors == {
        "a.tar/a": "no label",
        "a.tar/b": "no picture",
        "a.tar/c": "no label",
        "a.tar/d": "no label",
        "a.tar/e": "no label",
        "a.tar/f": "two labels",
        "a.tar/g": "same key",
        "a.tar/0001": "same key",
        "a.tar/h.png": "not a picture",
        "a.tar/i.png": "not a picture",
    }
    assert ("note", "*.txt", "1 members of this kind, not used") in told(report, "not a picture")
    assert [path for _, path, _ in told(report, "hidden")] == ["a.tar/._a.png"]


def test_what_is_wrong_with_a_sample_is_left_out_where_that_decides_nothing(tar):
    wrong = {"a.png": None, "b.cls": "1", "c.png": b"no picture", "c.cls": "1"}
    report = check(tar("a.tar", pets() | wrong), skip_bad_files=True)
    assert len(digests(report)) == 10
    assert {fault.path for fault in report.faults if fault.severity == "dropped"} == {
        "a.tar/a",
        "a.tar/b",
        "a.tar/c.png",
    }


@pytest.mark.parametrize(
    ("keep", "kind", "reason"),
    [
        (lambda size: size // 2 - 1200, "cut short", "in the middle of 0005.png"),
        (lambda size: 8 * 512, "cut short", "ends at byte"),
        (lambda size: size - 20 * 512, "cut short", "ends at byte"),
        (lambda size: 100, "not a shard", "no tar: begins with b'0000.png'"),
        (lambda size: 0, "not a shard", "zero bytes"),
    ],
)
def test_a_shard_cut_short_is_named_and_its_whole_samples_are_used_when_asked(tar, keep, kind: str, reason: str):
    tar("whole-0.tar", pets(100))
    file = tar("whole-1.tar", pets())
    data = file.read_bytes()
    file.write_bytes(data[: keep(len(data))])
    ((severity, path, why),) = told(check(file.parent), kind)
    assert (severity, path) == ("error", "whole-1.tar")
    assert reason in why
    skipped = check(file.parent, skip_bad_files=True)
    assert skipped.ok
    assert len(digests(skipped)) == 10 + (
        int(why.split(" whole samples")[0].rsplit(" ", 1)[1]) if "whole" in why else 0
    )


def test_every_cut_is_noticed(tar):
    file = tar("a.tar", pets(n=3))
    data = file.read_bytes()
    end = len(data.rstrip(b"\0")) // 512 * 512 + 512
    for size in range(0, end + 512, 256):
        file.write_bytes(data[:size])
        assert not check(file).ok, size


def test_a_broken_header_is_noticed(tar):
    file = tar("a.tar", pets())
    data = bytearray(file.read_bytes())
    at = data.index(b"0005.png")
    data[at] = 0
    file.write_bytes(data)
    ((_, _, reason),) = told(check(file), "cut short")
    assert reason == f"no header at byte {at:,}, so what follows is lost; 5 whole samples before that"


@pytest.mark.parametrize(
    "records",
    [
        b"17\xb7path=a.png\n",
        b"0 path=a.png\n",
        b"2 path=a.png\n",
        b"11 size=-1\n",
        b"12 size=1_0\n",
        b"6 \xff=1\n",
        b"9 a=1\n",
    ],
)
def test_a_broken_extended_header_is_named_and_never_read_for_ever(tmp_path, records):
    """A record without a length, with no room for it, with a size or a key that is none, and one that is cut off."""
    entry = tarfile.TarInfo("pax")
    entry.type, entry.size = tarfile.XHDTYPE, len(records)
    file = tmp_path / "a.tar"
    file.write_bytes(entry.tobuf(tarfile.USTAR_FORMAT) + records.ljust(512, b"\0") + bytes(1024))
    with file.open("rb") as opened, pytest.raises(Unreadable, match="the extended header at byte 512 is broken"):
        list(members(opened))


@pytest.mark.parametrize("size", [b"-0000000001", b"00000000009", b"0000000_001"])
def test_a_size_that_is_no_number_is_named(tmp_path, size):
    header = bytearray(tarfile.TarInfo("a.png").tobuf(tarfile.USTAR_FORMAT))
    header[124:135] = size
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    (tmp_path / "a.tar").write_bytes(header + bytes(1024))
    with (tmp_path / "a.tar").open("rb") as opened, pytest.raises(Unreadable, match="the header at byte 0 has no size"):
        list(members(opened))


def test_what_is_packed_or_no_tar_is_named(tar):
    file = tar("a.tar", pets())
    with tarfile.open(file.with_name("b.tar"), "w:gz") as packed:
        packed.add(file, "a.tar")
    (file.parent / "c.tar").write_text("<html>404</html>" * 99)
    assert [(path, reason[:25]) for _, path, reason in told(check(file.parent), "not a shard")] == [
        ("b.tar", "packed with gzip, so that"),
        ("c.tar", "no tar: begins with b'<ht"),
    ]


def test_a_folder_of_pictures_beside_a_tar_is_a_folder(tar, split_pets: Path):
    tar("../data/all.tar", pets())
    data = check(split_pets).require_data()
    assert len(data.train) == 20
    assert any(fault.path == "all.tar" for fault in data.faults)


def test_shards_behind_a_url_are_copied_once(tar):
    files = [tar(f"train-{i}.tar", pets(10 * i)) for i in range(2)]
    memory = fsspec.filesystem("memory")
    for file in files:
        memory.pipe(f"/bucket/{file.name}", file.read_bytes())
    memory.pipe("/bucket/classes.txt", b"ant\nbee")
    for source in ("memory://bucket", "memory://bucket/train-{0..1}.tar"):
        report = check(source)
        data = report.require_data()
        assert data.classes == ("ant", "bee")
        assert len(digests(report)) == 20
        ((_, _, reason),) = told(report, "copied")
        assert f"2 shards, {sum(file.stat().st_size for file in files):,} bytes" in reason
    copies = sorted(remote.Path(reason.split("are in ")[1].split(";")[0]).iterdir())
    assert len(copies) == 2
    data = check(source, manifest=Manifest.from_json(data.manifest().to_json())).require_data()
    for copy in copies:
        copy.unlink()
    assert data.train.store.read(data.train.paths[0])  # and makes the copy again
    memory.rm("/bucket", recursive=True)
    assert told(check("memory://bucket/train-{0..1}.tar"), "unreadable")


def test_shards_come_from_a_web_server_and_a_lost_one_is_named(tar, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("aiohttp")
    root = tar("train-0.tar", pets(n=20)).parent
    failures = {"left": 2}

    class Flaky(http.server.SimpleHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            if failures["left"]:
                failures["left"] -= 1
                self.send_error(503)
            else:
                super().do_HEAD() if self.command == "HEAD" else super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Flaky, directory=root)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/train-0.tar"
        try:
            assert len(digests(check(url))) == 20
            failures["left"] = 10**6
            assert len(digests(check(url))) == 20  # the copy serves where nobody answers
            ((severity, path, reason),) = told(check(url.replace("-0", "-{1..1}")), "unreachable")
        finally:
            server.shutdown()
            thread.join()
    assert (severity, path) == ("error", "train-1.tar")
    assert "no answer in 4 tries" in reason
    with pytest.raises(DataError, match="Protocol not known"):
        check("nowhere://bucket/a.tar")


def test_checking_written_shards_finds_what_was_checked(split_pets: Path, tmp_path: Path):
    data = check(split_pets).require_data()
    written = write_shards(data, tmp_path / "out", size_mb=0.03)
    assert written.pictures == {"train": 20, "val": 8, "test": 8}
    assert written.shards["train"] > 1
    assert all(file.stat().st_size <= 30_000 for file in (tmp_path / "out").iterdir())
    again = check(tmp_path / "out").require_data()
    assert again.classes == data.classes
    origin = json.loads((tmp_path / "out" / "manifest.json").read_text())["pictures"]
    for mine, theirs in ((again.train, data.train), (again.val, data.val), (again.test, data.test)):
        by_path = {row.path: row for row in theirs.rows}
        assert {origin[row.path] for row in mine.rows} == by_path.keys()
        for row in mine.rows:
            assert (row.digest, row.label) == (by_path[origin[row.path]].digest, by_path[origin[row.path]].label)


def test_writing_is_repeatable_whole_and_never_over_anything(
    pets_data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("one", "two"):
        write_shards(pets_data, tmp_path / name, seed=3)
    names = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in names)
    with pytest.raises(DataError, match="not empty"):
        write_shards(pets_data, tmp_path / "one")
    (tmp_path / "empty").mkdir()
    write_shards(pets_data, tmp_path / "empty")
    before = sorted(tmp_path.iterdir())
    (tmp_path / "data" / pets_data.train.paths[-1]).write_bytes(b"changed")
    with pytest.raises(DataError, match=f"{pets_data.train.paths[-1]}: has changed since it was checked"):
        write_shards(pets_data, tmp_path / "three")
    assert sorted(tmp_path.iterdir()) == before


def test_resizing_keeps_the_smaller_and_scales_the_larger(plant, tmp_path: Path):
    root = plant("cat/a.jpg", "cat/b.png", "dog/a.jpg", "dog/b.png", size=(60, 90))
    plant("cat/small.png", "dog/small.png", size=(30, 20))
    data = check(root).require_data()
    assert write_shards(data, tmp_path / "out", resize=40).encoded == 4
    again = check(tmp_path / "out").require_data()
    sizes = {split.picture(i).shape[:2] for split in (again.train, again.val) for i in range(len(split))}
    assert sizes == {(40, 60), (30, 20)}
    assert {row.digest for row in data.train.rows + data.val.rows if "small" in row.path} < digests(
        check(tmp_path / "out")
    )


def test_digits_become_shards(tmp_path: Path):
    data = check("digits").require_data()
    few = {
        name: dataclasses.replace(split, labels=split.labels[:60], rows=split.rows[:60], pixels=split.pixels[:60])
        for name, split in (("train", data.train), ("val", data.val))
    }
    data = dataclasses.replace(data, **few)
    write_shards(data, tmp_path / "out")
    again = check(tmp_path / "out").require_data()
    assert again.classes == data.classes
    assert (len(again.train), len(again.val)) == (len(data.train), len(data.val))
    origin = json.loads((tmp_path / "out" / "manifest.json").read_text())["pictures"]
    at = data.val.paths.index(origin[again.val.paths[0]])
    assert (again.val.picture(0)[:, :, 0] == data.val.picture(at)[:, :, 0]).all()


@pytest.fixture
def pets_data(pets: Path):
    """The pets, checked."""
    return check(pets).require_data()


def test_workers_read_the_same_batches_from_shards(tar):
    from glocal.data.batches.loader import Batches

    split = check(tar("a.tar", pets(n=12))).require_data().train
    split = dataclasses.replace(split, pixels=None)
    options = {"batch_size": 4, "seed": 0, "epoch": 0, "train": True, "drop_last": False}
    alone, together = (Batches(split, transform=_rows, workers=workers, **options) for workers in (0, 1))
    for (x, y), (x_there, y_there) in zip(alone, together, strict=True):
        assert x.equal(x_there)
        assert y.equal(y_there)


def _rows(picture: np.ndarray, seed: int) -> np.ndarray:
    return picture.transpose(2, 0, 1)
