"""Whatever bytes the files of a search have: its page and figures' data are made, or an error names the file."""

from pathlib import Path

import pytest
import yaml

from damage import damaged_files
from glocal.errors import GlocalError
from glocal.reporting import write_report
from tries import tries

FILES = (
    "search.yaml",
    "plan.json",
    "quote.txt",
    "details/space.yaml",
    "details/candidates.csv",
    "details/finalists.csv",
    "details/supernet/metrics.csv",
    "distribution/rank.csv",
    "distribution/rank.json",
    "winner/architecture.yaml",
    "winner/winner.json",
    "winner/winner.py",
)
RACE_FILES = ("details/race.json", "details/guidance.json")


@pytest.fixture
def quick(search_of_mine, monkeypatch) -> Path:
    """A search whose page leaves plotly's script out."""
    monkeypatch.setattr("plotly.offline.get_plotlyjs", lambda: "")
    return search_of_mine


@pytest.fixture
def quick_race(race_of_mine, monkeypatch) -> Path:
    """The same of a search that raced."""
    monkeypatch.setattr("plotly.offline.get_plotlyjs", lambda: "")
    return race_of_mine.parents[1]


def is_shown_or_refused(folder: Path, name: str, data: bytes) -> bool:
    (folder / name).write_bytes(data)
    try:
        write_report(folder)
    except GlocalError as error:
        message = str(error)
    else:
        return True
    assert str(folder / name) in message or (name == "search.yaml" and "is not a cost" in message), message
    return False


def fuzz(folder: Path, name: str, *, n: int, seed: int) -> None:
    assert is_shown_or_refused(folder, name, (folder / name).read_bytes())
    for data in damaged_files(folder / name, n=n, seed=seed):
        is_shown_or_refused(folder, name, data)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_shown_or_named(quick, name):
    fuzz(quick, name, n=8, seed=0)


@pytest.mark.parametrize("name", RACE_FILES)
def test_a_damaged_race_is_shown_or_named(quick_race, name):
    fuzz(quick_race, name, n=40, seed=0)


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("name", FILES)
def test_many_damaged_files_are_shown_or_named(quick, name):
    fuzz(quick, name, n=tries(300), seed=1)


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("name", RACE_FILES)
def test_many_damaged_races_are_shown_or_named(quick_race, name):
    fuzz(quick_race, name, n=tries(300), seed=1)


@pytest.mark.parametrize(
    "settings",
    [{"front": "flops"}, {"max_macs": "many"}, {"max_macs": True}, [1], {"budget_s": float("nan")}, {1: {2: 3}}],
)
def test_settings_of_other_types_are_shown_or_named(quick, settings):
    values = yaml.safe_load((quick / "search.yaml").read_text())
    is_shown_or_refused(quick, "search.yaml", yaml.safe_dump(values | {"settings": settings}).encode())


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("details/space.yaml", "  - Flatten\n", "  - Flatten\n  - Flatten\n"),
        ("winner/architecture.yaml", "  - Flatten\n", ""),
        ("details/supernet/metrics.csv", "val_top1_min", "min"),
    ],
)
def test_what_can_be_read_and_not_be_shown_is_named(quick, name, old, new):
    text = (quick / name).read_text()
    assert old in text
    assert not is_shown_or_refused(quick, name, text.replace(old, new, 1).encode())


def test_values_that_repeat_one_another_are_refused(quick):
    laughs = b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (i, i, i - 1, i - 1) for i in range(98, 123))
    assert not is_shown_or_refused(quick, "search.yaml", b"levels: [one]\n" + laughs)
    assert not is_shown_or_refused(quick, "search.yaml", b"levels: [one]\nsettings: &a {b: *a}\n")
