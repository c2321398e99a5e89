"""A store reads by path, says without reading whether a picture may have changed, and travels to other processes."""

import os
import pickle
from pathlib import Path

import pytest

from glocal.caches import cache_folder
from glocal.data import check
from glocal.data.pictures import Unreadable
from glocal.data.store import Folder
from glocal.errors import DataError


def test_a_folder_reads_below_it_and_absolute_paths_as_they_are(pets: Path):
    store = Folder(pets)
    data = (pets / "cat" / "0.png").read_bytes()
    assert store.read("cat/0.png") == data
    assert Folder(pets / "dog").read(str(pets / "cat" / "0.png")) == data
    with pytest.raises(Unreadable, match="no such file"):
        store.read("cat/none.png")


def test_a_stamp_changes_with_the_file(pets: Path):
    store, file = Folder(pets), pets / "cat" / "0.png"
    before = store.stamp("cat/0.png")
    assert before == (file.stat().st_size, file.stat().st_mtime_ns)
    os.utime(file, ns=(1, 1))
    assert store.stamp("cat/0.png") == (before[0], 1)
    assert store.stamp("cat/none.png") is None


def test_a_path_that_no_file_can_have_is_unreadable(tmp_path: Path):
    folder = Folder(tmp_path)
    assert folder.stamp("a\0.png") is None
    with pytest.raises(Unreadable, match="null character"):
        folder.read("a\0.png")


def test_a_store_is_pickled_whole(pets: Path):
    store = check(pets).require_data().train.store
    assert pickle.loads(pickle.dumps(store)).read("cat/0.png") == store.read("cat/0.png")


def test_a_picture_that_has_gone_is_named_with_its_store(pets: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("glocal.data.checks.scan.MEMORY_BYTES", 1)
    train = check(pets).require_data().train
    (pets / train.paths[0]).unlink()
    with pytest.raises(DataError, match=f"{pets}: {train.paths[0]}: there is no such file"):
        train.picture(0)


def test_the_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("GLOCAL_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("shards") == tmp_path / "glocal" / "shards"
    monkeypatch.setenv("GLOCAL_CACHE", str(tmp_path / "mine"))
    assert cache_folder("shards") == tmp_path / "mine" / "shards"
