"""Whatever bytes search.yaml and data.json have: the search is loaded, or an error names the file."""

import shutil
from pathlib import Path

import pytest

from damage import BYTES, damaged_files
from glocal.errors import GlocalError, TrialError
from glocal.searching.search import resume, search
from glocal.searching.search_run import SearchRun
from tries import tries

FILES = ("search.yaml", "data.json")


@pytest.fixture(scope="module")
def planned(shades, tmp_path_factory) -> Path:
    """The folder of a search that was stopped after its plan."""
    from glocal.searching.level import Level

    output = tmp_path_factory.mktemp("searches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Level, "winner", lambda level: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            search(
                shades,
                output=output,
                name="planned",
                space="glit_cifar_12_2",
                recipe="small",
                val_fraction=0.25,
                img_size=16,
                candidates=4,
                strategy="supernet",
                supernet_epochs=1,
                finalist_epochs=1,
            )
    return output / "planned"


@pytest.fixture
def folder(planned, tmp_path) -> Path:
    return Path(shutil.copytree(planned, tmp_path / "mine"))


def is_loaded_or_refused(folder: Path, name: str, data: bytes) -> bool:
    """Whether the search was loaded from a file of these bytes."""
    (folder / name).write_bytes(data)
    try:
        SearchRun.load(folder)
    except GlocalError as error:
        message = str(error)
    else:
        return True
    assert str(folder / name) in message or (name == "search.yaml" and "data.json" in message), message
    assert len(message) < 10_000
    return False


def test_an_undamaged_search_is_loaded(folder):
    for name in FILES:
        assert is_loaded_or_refused(folder, name, (folder / name).read_bytes())


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{}", b"\xff\xfe" * 9, b"[" * 500, b"{a: " * 300, *BYTES])
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_something_else_is_named(folder, name, data):
    assert not is_loaded_or_refused(folder, name, data)


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff\xfe", b'{"decided": 1, "spent_s": []}'])
def test_a_plan_that_is_not_whole_is_named_by_resume(folder, data):
    (folder / "plan.json").write_bytes(data)
    with pytest.raises(TrialError, match=r"plan\.json is not whole"):
        resume(folder)


def fuzz(folder: Path, name: str, *, n: int, seed: int) -> int:
    """How many of the damaged files were loaded."""
    return sum(is_loaded_or_refused(folder, name, data) for data in damaged_files(folder / name, n=n, seed=seed))


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_read_or_named(folder, name):
    assert 0 < fuzz(folder, name, n=100, seed=0) < 100


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(1, 11))
@pytest.mark.parametrize("name", FILES)
def test_many_damaged_files_are_read_or_named(folder, name, seed):
    fuzz(folder, name, n=tries(10_000) // 10, seed=seed)
