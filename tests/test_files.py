"""Files that belong together take their places together, one of them last."""

import os

import pytest

from glocal.errors import RunError
from glocal.files import whole_files


def test_where_the_last_file_is_all_are(tmp_path, monkeypatch):
    placed, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (placed.append(os.path.basename(b)), replace(a, b)))
    with whole_files(tmp_path / "new", last="b") as parts:
        for name in "abc":
            (parts / name).write_text(name)
        assert [path.name for path in (tmp_path / "new").iterdir()] == [parts.name]
    assert placed == ["a", "c", "b"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a", "b", "c"]


def test_an_error_leaves_nothing_and_what_a_kill_left_is_removed(tmp_path):
    (tmp_path / ".parts-0123").mkdir()
    (tmp_path / ".parts-0123" / "b").write_text("half")
    with pytest.raises(RunError, match="b could not be written"), whole_files(tmp_path, last="b") as parts:
        (parts / "nowhere" / "a").write_text("a")
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="file/b could not be written"), whole_files(tmp_path / "file", last="b"):
        pass
