"""All figures of a search as files in its plots/, for a paper or where no page can be opened."""

from os import PathLike
from pathlib import Path

from glocal.reporting.network_picture import draw_network
from glocal.reporting.searches.candidates import draw_candidates, draw_front
from glocal.reporting.searches.folder import SearchFolder


def draw_search(folder: str | PathLike[str], *, cost: str | None = None) -> list[Path]:
    """Draws LEVEL-candidates.png and LEVEL-front.png for each level that has candidates, and winner.png; returns their paths.

    cost: as in `write_report`.
    """
    search = SearchFolder.find(folder)
    against, plots = cost or search.cost, search.path / "plots"
    drawn = []
    for level in search.levels:
        if level.evaluated:
            drawn += [plots / f"{level.name}-candidates.png", plots / f"{level.name}-front.png"]
            draw_candidates(level.path, drawn[-2], cost=against)
            draw_front(level.path, drawn[-1], cost=against)
    if search.winner is not None:
        drawn.append(plots / "winner.png")
        draw_network(search.winner, drawn[-1])
    return drawn
