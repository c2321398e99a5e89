"""The candidates of a level, read and drawn."""

import random
import shutil
from pathlib import Path

import pytest
from PIL import Image

from glocal.errors import SearchError
from glocal.reporting import draw_candidates, draw_front, draw_search
from glocal.reporting.searches.candidates import candidates_svg
from glocal.reporting.searches.folder import SearchFolder
from glocal.reporting.searches.level_folder import LevelFolder, Row, pareto
from glocal.reporting.searches.shares import BEST, option_names, shares


def test_nothing_beats_a_candidate_of_the_front_and_something_beats_every_other():
    rng = random.Random(0)
    rows = [Row(0, (i,), "random", rng.random(), 100, {"macs": rng.randrange(40)}, 1.0) for i in range(200)]
    front = pareto(rows, "macs")

    def beaten(row):
        return any(
            other.accuracy >= row.accuracy
            and other.costs["macs"] <= row.costs["macs"]
            and (other.accuracy, other.costs["macs"]) != (row.accuracy, row.costs["macs"])
            for other in rows
        )

    assert [row for row in rows if not beaten(row)] == sorted(front, key=lambda row: row.answers)


def test_all_figures_of_a_search_at_once(searched, tmp_path):
    here = Path(shutil.copytree(searched, tmp_path / "s"))
    names = [path.relative_to(here) for path in draw_search(here)]
    assert [str(name) for name in names] == [
        "plots/distribution-candidates.png",
        "plots/distribution-front.png",
        "plots/details-candidates.png",
        "plots/details-front.png",
        "plots/winner.png",
    ]
    for name in names:
        with Image.open(here / name) as image:
            assert image.width > 1000


def test_front_limits_finalists_and_winner_are_named(searched):
    level, limits = LevelFolder(searched / "details"), SearchFolder.find(searched).limits()
    svg = candidates_svg(level, "macs", limits["macs"])
    winner = next(f for f in level.finalists if f.winner)
    for text in ("Pareto front", "finalists", "winner after retraining", "at most 22 M", "multiply-adds, M"):
        assert text in svg
    assert "-".join(map(str, winner.answers)) in svg
    assert f"retrained {winner.accuracy:.2%}" in svg


def test_a_level_without_finalists_is_drawn_too(search_of_mine, tmp_path):
    (search_of_mine / "details" / "finalists.csv").unlink()
    draw_candidates(search_of_mine / "details", tmp_path / "it.svg")
    assert "finalists" not in (tmp_path / "it.svg").read_text()


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        ("flops", r"'flops' is not a cost of a candidate; give one of macs, params, latency_ms, memory_bytes"),
        ("latency_ms", r"the search did not compute latency_ms; its candidates have macs, params"),
    ],
)
def test_a_cost_that_is_not_there_is_named(searched, tmp_path, cost, message):
    with pytest.raises(SearchError, match=message):
        draw_candidates(searched / "details", tmp_path / "it.png", cost=cost)


def test_a_level_without_candidates_is_named(search_of_mine, tmp_path):
    (search_of_mine / "details" / "candidates.csv").unlink()
    with pytest.raises(SearchError, match=r"details has no evaluated candidates \(candidates.csv\)"):
        draw_front(search_of_mine / "details", tmp_path / "it.png")


@pytest.mark.parametrize("level", ["distribution", "details"])
def test_shares_of_a_question_make_a_whole(searched, level):
    here = LevelFolder(searched / level)
    found = shares(here.space, here.candidates)
    wide = [len(values) for _, values in found.columns]
    assert found.best == BEST
    for _, cells in found.rows:
        start = 0
        for width in wide:
            group = [cell for cell in cells[start : start + width] if cell is not None]
            start += width
            if group:
                assert sum(cell.everyone for cell in group) == pytest.approx(1)
                assert sum(cell.best for cell in group) == pytest.approx(1)


def test_options_are_named_by_what_tells_them_apart(searched):
    space = LevelFolder(searched / "distribution").space
    assert option_names(space.stages[0].blocks[0]) == ["local 0", "local 1", "local 2", "local 3"]
