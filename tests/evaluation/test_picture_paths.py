"""What a person names becomes the paths of pictures, whatever the names look like."""

import itertools
from pathlib import Path

import pytest

from glocal.errors import DataError
from glocal.evaluation.picture_paths import names_in, picture_paths


@pytest.fixture
def album(tmp_path, monkeypatch):
    """Files that are named like pictures, and some that are not."""
    for name in ("a.jpg", "b.PNG", "notes.txt", "trip/c.jpg", "trip/deep/d.jpg", "trip/.hidden.jpg", "empty/readme.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["b.PNG", "a.jpg"], ["b.PNG", "a.jpg"]),
        (["trip"], ["trip/c.jpg", "trip/deep/d.jpg"]),
        (["."], ["a.jpg", "b.PNG", "trip/c.jpg", "trip/deep/d.jpg"]),
        (["*"], ["a.jpg", "b.PNG", "trip/c.jpg", "trip/deep/d.jpg"]),
        (["**/*.jpg"], ["a.jpg", "trip/c.jpg", "trip/deep/d.jpg"]),
        (["**"], ["a.jpg", "b.PNG", "trip/c.jpg", "trip/deep/d.jpg"]),
        (["tri?/*.jpg"], ["trip/c.jpg"]),
        (["notes.txt"], ["notes.txt"]),
        (["nowhere.jpg", "*.gif", "empty", "@gone"[1:]], ["nowhere.jpg", "*.gif", "empty", "gone"]),
    ],
)
def test_pictures_folders_and_patterns_are_found_in_order(album, names, expected):
    assert [*picture_paths(names)] == expected


def test_a_list_names_pictures_folders_and_lists(album):
    (album / "list.txt").write_text("a.jpg\n\ntrip\r\n@more.txt\n")
    (album / "more.txt").write_text("b.PNG")
    assert [*picture_paths(["@list.txt"])] == ["a.jpg", "trip/c.jpg", "trip/deep/d.jpg", "b.PNG"]
    with pytest.raises(DataError, match=r"@nowhere.txt: the list of pictures cannot be read: No such file"):
        [*picture_paths(["@nowhere.txt"])]


def test_a_pattern_finds_the_pictures_of_phones_where_they_can_be_read(tmp_path, monkeypatch):
    (tmp_path / "a.heic").touch()
    for readable, expected in ((True, "a.heic"), (False, "*")):
        monkeypatch.setattr("glocal.data.heif.is_readable", lambda readable=readable: readable)
        assert [*picture_paths([tmp_path / "*"])] == [str(tmp_path / expected)]


def test_a_file_that_exists_is_no_pattern_and_no_list(album):
    for name in ("@a.jpg", "odd[1].jpg", "what?.jpg", " space .jpg"):
        (album / name).touch()
        assert [*picture_paths([name])] == [name]
    assert [*picture_paths([Path("odd[1].jpg")])] == ["odd[1].jpg"]


def test_a_list_that_names_itself_is_an_error(album):
    (album / "loop.txt").write_text("@loop.txt\n")
    with pytest.raises(DataError, match=r"loop\.txt: the list of pictures names itself"):
        [*picture_paths(["@loop.txt"])]


def test_endless_names_are_read_as_they_come(album):
    endless = (f"{i}.jpg" for i in itertools.count())
    assert [*itertools.islice(picture_paths(endless), 3)] == ["0.jpg", "1.jpg", "2.jpg"]
    assert [*names_in(["a\n", "\n", " b \r\n"])] == ["a", " b "]
