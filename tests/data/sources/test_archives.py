"""An archive is refused with the command that unpacks it, by its name or by what it begins with."""

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from glocal.data import check
from glocal.data.sources.archives import archive_suffix, unpacking
from glocal.errors import DataError


def refusal(source: Path | str) -> str:
    with pytest.raises(DataError, match="archive") as error:
        check(source)
    return str(error.value)


def packed(pets: Path, name: str) -> Path:
    with zipfile.ZipFile(pets.parent / name, "w") as file:
        for path in sorted(pets.rglob("*.png")):
            file.write(path, path.relative_to(pets))
    return pets.parent / name


def test_a_zip_is_refused_with_the_line_that_unpacks_it(pets: Path):
    file = packed(pets, "photos.zip")
    assert f"unzip {file} -d {file.with_suffix('')}" in refusal(file)
    assert f"python -m zipfile -e {file} {file.with_suffix('')}" in refusal(file)


@pytest.mark.parametrize("name", ["photos.zip", "my photos.zip", "-p.zip", "it's.ZIP", "photos"])
def test_the_line_works(pets: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    packed(pets, name)
    monkeypatch.chdir(pets.parent)
    line = refusal(name).splitlines()[-1].partition("(or: ")[2].removesuffix(")")
    subprocess.run(["bash", "-c", line], check=True)
    target = {"photos": "photos-unpacked"}.get(name, name[:-4])
    assert check(Path(target)).require_data().classes == ("cat", "dog")


def test_the_line_of_a_packed_tar_works(pets: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(pets.parent)
    with tarfile.open("my photos.tar.gz", "w:gz") as tar:
        tar.add(pets, ".")
    subprocess.run(["bash", "-c", refusal("my photos.tar.gz").splitlines()[-1]], check=True)
    assert check("my photos").ok


def test_a_tar_of_folders_is_not_a_shard(pets: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(pets.parent)
    with tarfile.open("photos.tar", "w") as tar:
        tar.add(pets, ".")
    reason = next(fault.reason for fault in check("photos.tar").faults if fault.kind == "layout")
    subprocess.run(["bash", "-c", reason.partition("give the folder: ")[2]], check=True)
    assert check("photos").ok


@pytest.mark.parametrize(
    ("name", "tool"),
    [("a.rar", "unrar x"), ("a.7z", "7z x"), ("a.tgz", "tar -xf"), ("a.tar.xz", "tar -xf"), ("t.csv.gz", "gzip -dk")],
)
def test_other_archives_by_name(tmp_path: Path, name: str, tool: str):
    (tmp_path / name).write_bytes(b"whatever")
    assert tool in refusal(tmp_path / name)


def test_other_archives_by_content(tmp_path: Path):
    for magic, tool in ((b"Rar!\x1a\x07", "unrar x"), (b"7z\xbc\xaf\x27\x1c", "7z x"), (b"\x1f\x8b\x08", "tar -xf")):
        (tmp_path / "photos").write_bytes(magic + bytes(100))
        assert tool in refusal(tmp_path / "photos")


def test_an_archive_behind_a_url_is_refused():
    assert "download and unpack it" in refusal("https://example.org/photos.zip")


def test_archives_inside_a_folder_are_named(pets: Path):
    packed(pets, "more.zip").rename(pets / "cat" / "more.zip")
    assert [(f.severity, f.path) for f in check(pets).faults] == [("warning", "cat/more.zip")]
    alone = pets.parent / "alone"
    alone.mkdir()
    packed(pets, "photos.zip").rename(alone / "photos.zip")
    assert f"unzip {alone / 'photos.zip'}" in check(alone).faults[-1].reason


@pytest.mark.parametrize("name", ["a.tar", "photos", "a.csv", "zip", "a.zipper", "gz"])
def test_what_is_no_archive(name: str):
    assert archive_suffix(name) is None


def test_a_folder_named_like_an_archive_is_a_folder(pets: Path):
    root = pets.rename(pets.with_name("pets.zip"))
    assert check(root).ok


def test_unzip_itself_works_where_it_is_installed(pets: Path, monkeypatch: pytest.MonkeyPatch):
    if not shutil.which("unzip"):
        pytest.skip("unzip is not installed")
    packed(pets, "a [1].zip")
    monkeypatch.chdir(pets.parent)
    subprocess.run(["bash", "-c", unpacking("a [1].zip").partition("   (or")[0]], check=True, stdout=subprocess.DEVNULL)
    assert check("a [1]").ok
