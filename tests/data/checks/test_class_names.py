"""Class names that a reader cannot tell apart are named, in whichever form of source; names that look different are not."""

import io
import json
import os
import tarfile
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from glocal.data import check
from glocal.data.checks.class_names import appearance, difference, similar_names
from glocal.errors import DataError

UNSEEN = {
    "a space after": "cat ",
    "a space before": " cat",
    "a no-break space after": "cat\u00a0",
    "a zero-width space": "ca\u200bt",
    "a byte order mark": "\ufeffcat",
    "a soft hyphen": "ca\u00adt",
    "a mark of direction": "cat\u200e",
    "a control character": "cat\x07",
    "a tab after": "cat\t",
}
PAIRS = {
    "a no-break space inside": ("hot dog", "hot\u00a0dog"),
    "two spaces inside": ("hot dog", "hot  dog"),
    "an ideographic space": ("hot dog", "hot\u3000dog"),
    "a zero-width space beside a space": ("hot dog", "hot \u200bdog"),
}
LOOKS = {
    "case": ("cat", "Cat"),
    "case of other alphabets": ("straße", "STRASSE"),
    "an en dash": ("tit-bit", "tit–bit"),
    "a minus sign": ("tit-bit", "tit−bit"),
    "a curly apostrophe": ("hog's back", "hog’s back"),
    "a Cyrillic letter": ("cat", "сat"),
    "a Greek letter": ("Alder", "Αlder"),
    "zeros before": ("1", "01"),
    "full width": ("cat", "ｃａｔ"),
    "a ligature": ("fish", "ﬁsh"),
}
APART = [
    ("cat", "cats"),
    ("hot dog", "hot_dog"),
    ("a-b", "a.b"),
    ("1", "10"),
    ("é", "e"),
    ("x1", "x01"),
    ("O", "0"),
    ("猫", "犬"),
]


def severities(*names: str) -> list[str]:
    return [fault.severity for fault in similar_names(sorted(names))]


@pytest.mark.parametrize("name", UNSEEN.values(), ids=UNSEEN)
def test_what_no_eye_sees_is_an_error(name: str):
    assert severities("cat", name, "dog") == ["error"]


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_what_no_eye_sees_inside_a_name_is_an_error(pair: tuple[str, str]):
    assert severities(*pair) == ["error"]


@pytest.mark.parametrize("pair", LOOKS.values(), ids=LOOKS)
def test_what_a_careful_eye_sees_is_a_warning(pair: tuple[str, str]):
    assert severities(*pair) == ["warning"]


@pytest.mark.parametrize("pair", APART)
def test_names_that_look_different_are_not_named(pair: tuple[str, str]):
    assert severities(*pair) == []


def test_two_unicode_forms_are_named_as_such():
    forms = [unicodedata.normalize(form, "Bär") for form in ("NFC", "NFD")]
    assert difference(*forms) == ("the Unicode form of its characters", "error")


def test_a_name_that_shows_nothing_is_named():
    assert severities("\u200b", "cat") == ["warning"]


@pytest.mark.parametrize(
    "names", [*({"cat", name} for name in UNSEEN.values()), *map(set, LOOKS.values()), *map(set, APART)]
)
def test_a_difference_is_found_exactly_between_names_of_one_appearance(names: set[str]):
    one, other = names
    if appearance(one) == appearance(other):
        assert difference(one, other)[0] == difference(other, one)[0]
    else:
        with pytest.raises(AssertionError):
            difference(one, other)


# ------------------------------------------------------------------------------------------------ in the forms of a source


def told(source: Path, kind: str = "class map") -> list[tuple[str, str]]:
    return [(fault.severity, fault.reason) for fault in check(source).faults if fault.kind == kind]


@pytest.mark.parametrize("name", UNSEEN.values(), ids=UNSEEN)
def test_folders(plant, name: str):
    root = plant(*(f"{pet}/{i}.png" for pet in ("cat", name, "dog") for i in range(3)))
    assert [severity for severity, _ in told(root)] == ["error"]
    assert not check(root).ok


def test_folders_of_two_splits(plant):
    root = plant(
        *(
            f"{split}/{pet}/{i}.png"
            for split, pet in (("train", "cat"), ("train", "dog"), ("val", "cat "), ("val", "dog"))
            for i in range(3)
        )
    )
    reasons = [reason for severity, reason in told(root) if severity == "error"]
    assert (
        "a class of val that train does not have; its name differs from the class cat of train only in spaces"
        in reasons[0]
    )


@pytest.mark.parametrize("name", ["cat ", " cat", "cat\u00a0", unicodedata.normalize("NFD", "Bär")])
def test_tables_read_them_as_one_and_say_so(pets: Path, name: str):
    plain = unicodedata.normalize("NFC", name).strip()
    rows = "".join(f"cat/{i}.png,{(plain, name)[i % 2]}\ndog/{i}.png,dog\n" for i in range(10))
    (pets / "t.csv").write_text("path,label\n" + rows, encoding="utf-8")
    assert check(pets / "t.csv").require_data().classes == tuple(sorted((plain, "dog")))
    ((severity, reason),) = told(pets / "t.csv")
    assert (severity, "read as one class" in reason, ascii(name) in reason) == ("warning", True, True)


@pytest.mark.parametrize("name", ["ca\u200bt", "cat\u2060"])
def test_tables_with_characters_that_cannot_be_seen(pets: Path, name: str):
    rows = "".join(f"cat/{i}.png,{('cat', name)[i % 2]}\ndog/{i}.png,dog\n" for i in range(10))
    (pets / "t.csv").write_text("path,label\n" + rows, encoding="utf-8")
    assert [severity for severity, _ in told(pets / "t.csv")] == ["error"]


def test_a_table_that_is_written_with_spaces_throughout_is_not_named(pets: Path):
    rows = "".join(f"cat/{i}.png , cat | pet\ndog/{i}.png , dog | pet\n" for i in range(10))
    (pets / "t.csv").write_text("path , label\n" + rows)
    assert told(pets / "t.csv") == []


def shard(file: Path, members: dict[str, bytes]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as tar:
        for name, data in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
    return file


@pytest.fixture
def sharded(tmp_path: Path, noise):
    """Writes a shard whose pictures have the given labels in turn."""

    def write(*labels: bytes) -> Path:
        members = {}
        for i in range(12):
            picture = io.BytesIO()
            Image.fromarray(noise(f"{i}")).save(picture, "PNG")
            members |= {f"{i}.png": picture.getvalue(), f"{i}.cls": labels[i % len(labels)]}
        return shard(tmp_path / "shards" / "a.tar", members)

    return write


def test_shards(sharded):
    assert [severity for severity, _ in told(sharded(b"cat", b"cat ", b"dog"))] == ["warning"]
    assert [severity for severity, _ in told(sharded(b"cat", "ca\u200bt".encode(), b"dog"))] == ["error"]
    assert told(sharded(b"cat", b"cat\n", b"dog\r\n")) == []


def test_names_beside_shards(sharded):
    file = sharded(b"0", b"1", b"2")
    (file.parent / "classes.json").write_text(json.dumps(["cat", "cat ", "dog"]))
    with pytest.raises(DataError, match="names a class twice: 'cat', 'cat '"):
        check(file)
    (file.parent / "classes.json").write_text(json.dumps(["cat", "ca\u200bt", "dog"]))
    assert [severity for severity, _ in told(file)] == ["error"]


def saved(root: Path, noise, names: list[str]) -> Path:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    rows: dict = {
        "image": [Image.fromarray(noise(f"{i}")) for i in range(12)],
        "label": [i % len(names) for i in range(12)],
    }
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(root))
    return root


def test_saved_data_sets(tmp_path: Path, noise):
    with pytest.raises(DataError, match="classes that are read as one: 'cat', 'cat '"):
        check(saved(tmp_path / "spaces", noise, ["cat", "cat ", "dog"]))
    root = saved(tmp_path / "unseen", noise, ["cat", "cat\u200b", "dog"])
    assert [severity for severity, _ in told(root)] == ["error"]


def test_a_class_that_has_no_pictures_is_compared_too(sharded):
    file = sharded(b"0", b"2")
    (file.parent / "classes.json").write_text(json.dumps(["cat", "Cat", "dog"]))
    assert "warning" in [severity for severity, _ in told(file)]
    assert os.path.exists(file)
