"""Whatever bytes the files of a search have: its page and figures' data are made, or an error names the file."""

import json
import random
from pathlib import Path

import pytest
import yaml

from damage import damaged, disturbed
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


@pytest.fixture
def quick(search_of_mine, monkeypatch) -> Path:
    """A search whose page leaves plotly's script out."""
    monkeypatch.setattr("plotly.offline.get_plotlyjs", lambda: "")
    return search_of_mine


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


def variants(name: str, whole: bytes, rng: random.Random, n: int):
    plain = yaml.safe_load(whole) if name.endswith("yaml") else json.loads(whole) if name.endswith("json") else None
    for _ in range(n):
        if plain is None or rng.random() < 0.5:
            yield damaged(whole, rng)
        else:
            values = disturbed(plain, rng)
            text = yaml.safe_dump(values) if name.endswith("yaml") else json.dumps(values, default=repr, skipkeys=True)
            yield text.encode(errors="replace")


def fuzz(folder: Path, name: str, *, n: int, seed: int) -> None:
    whole, rng = (folder / name).read_bytes(), random.Random(f"{name} {seed}")
    assert is_shown_or_refused(folder, name, whole)
    for data in variants(name, whole, rng, n):
        is_shown_or_refused(folder, name, data)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_shown_or_named(quick, name):
    fuzz(quick, name, n=8, seed=0)


@pytest.mark.parametrize("name", ["race.json", "guidance.json"])
def test_a_damaged_race_is_shown_or_named(race_of_mine, monkeypatch, name):
    monkeypatch.setattr("plotly.offline.get_plotlyjs", lambda: "")
    fuzz(race_of_mine.parents[1], f"details/{name}", n=40, seed=0)


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("name", FILES)
def test_many_damaged_files_are_shown_or_named(quick, name):
    fuzz(quick, name, n=tries(300), seed=1)


@pytest.mark.parametrize(
    "settings",
    [{"front": "flops"}, {"max_macs": "many"}, {"max_macs": True}, [1], {"budget_s": float("nan")}, {1: {2: 3}}],
)
def test_settings_of_other_types_are_shown_or_named(quick, settings):
    values = yaml.safe_load((quick / "search.yaml").read_text())
    is_shown_or_refused(quick, "search.yaml", yaml.safe_dump(values | {"settings": settings}).encode())


def test_values_that_repeat_one_another_are_refused(quick):
    laughs = b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (i, i, i - 1, i - 1) for i in range(98, 123))
    assert not is_shown_or_refused(quick, "search.yaml", b"levels: [one]\n" + laughs)
    assert not is_shown_or_refused(quick, "search.yaml", b"levels: [one]\nsettings: &a {b: *a}\n")
