"""The report of a search: one HTML file that needs no network, in the folder of the search.

`folder` reads the folder; the page is page.html.j2. The template escapes everything that comes from a person or a
file. Only figures that were drawn here are marked as safe.
"""

import json
from itertools import groupby
from os import PathLike
from pathlib import Path
from typing import Any

from glocal.design import Architecture, OneOf, cost, dump, python
from glocal.design.space import questions_by_name, size
from glocal.design.span import cost_range
from glocal.files import write_whole
from glocal.html_page import template
from glocal.intervals import wilson
from glocal.reporting.figures import cost_named, with_unit
from glocal.reporting.locality import letters, locality
from glocal.reporting.network_picture import network_svg
from glocal.reporting.numbers import percent
from glocal.reporting.picks.figures import Lane, race_svg
from glocal.reporting.plain_files import read_text
from glocal.reporting.searches.candidates import candidates_svg, front_svg
from glocal.reporting.searches.cautions import cautions
from glocal.reporting.searches.folder import SearchFolder
from glocal.reporting.searches.interactive import Plot, candidates_plot, rank_plot, supernet_plot
from glocal.reporting.searches.level_folder import LevelFolder
from glocal.reporting.searches.page_tables import next_commands, request_table, surroundings_table, time_table
from glocal.reporting.searches.shares import option_names, shares


def write_report(folder: str | PathLike[str], *, cost: str | None = None) -> Path:
    """Writes FOLDER/report.html and returns its path. Parts that the search has not reached are replaced by a sentence.

    cost: the horizontal axis of figures; by default the cost that the search weighed or limits, or multiply-adds. SearchError
    for a folder that is not a search's, or that holds a file that is not whole.
    """
    search = SearchFolder.find(folder)
    axis = cost or search.cost
    cost_named(axis)
    path = search.path / "report.html"
    page = _page(search, axis)
    write_whole(path, page.encode(errors="replace"))
    return path


def _page(search: SearchFolder, axis: str) -> str:
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    plots: dict[str, Plot] = {}
    levels = [_level(level, search, axis, plots) for level in search.levels]
    page = Path(__file__).with_name("page.html.j2")
    return template(page, percent=percent, with_unit=lambda value, name: with_unit(name, value)).render(
        name=search.path.resolve().name,
        request=request_table(search),
        cautions=cautions(search),
        levels=levels,
        spent=time_table(search),
        quote=search.quote,
        surroundings=surroundings_table(search),
        winner=_winner(search),
        plots=Markup(json.dumps(plots).replace("<", "\\u003c")) if plots else "",
        plotly=Markup(get_plotlyjs().replace("</script", "<\\/script")) if plots else "",
    )


def _level(level: LevelFolder, search: SearchFolder, axis: str, plots: dict[str, Plot]) -> dict[str, Any]:
    """What the page shows of a level. Its interactive figures go to `plots`, by the id of their place on the page."""
    from markupsafe import Markup

    values: dict[str, Any] = {
        "name": level.name,
        "space": _space(level.space) if level.space else None,
        "supernet": {**level.supernet[-1], "epochs": len(level.supernet)} if level.supernet else None,
        "candidates": len(level.evaluated),
        "finalists": level.finalists,
        "rank": level.rank,
        "race": Markup(race_svg(_lanes(level), rungs=_rungs(level), horizon=_rungs(level)[-1]))
        if level.rungs
        else None,
        "guidance": level.guidance,
        "shares": shares(level.space, level.evaluated) if level.space and level.evaluated else None,
    }
    if level.supernet:
        plots[f"{level.name}-supernet"] = supernet_plot(level.supernet)
    if level.evaluated:
        limits = search.limits().get(axis, (None, None))
        plots[f"{level.name}-candidates"] = candidates_plot(level, axis, limits)
        best = max(level.evaluated, key=lambda row: row.accuracy or 0)
        values |= {
            "svg": Markup(_inline(candidates_svg(level, axis, limits))),
            "front": None if level.rungs else Markup(_inline(front_svg(level, axis))),  # a race has one generation
            "best": best,
            "interval": wilson(best.accuracy or 0, best.n),
            "generations": 1 + max(row.generation for row in level.evaluated),
        }
    if level.ranked:
        plots[f"{level.name}-rank"] = rank_plot(level.ranked)
    return values


def _rungs(level: LevelFolder) -> list[int]:
    """The epochs of its race's rungs."""
    return [max(each.epochs for each in rung) for rung in level.rungs]


def _lanes(level: LevelFolder) -> list[Lane]:
    """A lane for each network of the race: the winner first, then those that came furthest, by rank."""
    winner = next((f.answers for f in level.finalists if f.winner), None)
    lanes: dict[tuple[int, ...], Lane] = {}
    for last, rung in zip((True, *(False for _ in level.rungs[1:])), reversed(level.rungs), strict=True):
        for each in rung:
            kind = "behind" if each.exit == "behind" else "forced" if each.exit or not last else "finalist"
            note = f"{percent(each.accuracy)}{f': {each.exit}' if each.exit else ''}"
            name = "-".join(map(str, each.answers))
            lane = Lane(name, each.epochs, "picked" if last and each.answers == winner else kind, note)
            lanes.setdefault(each.answers, lane)
    return sorted(lanes.values(), key=lambda lane: lane.kind != "picked")


def _space(space: Architecture) -> dict[str, Any]:
    least, most = cost_range(space)
    same_options = groupby(questions_by_name(space).items(), key=lambda row: row[1].options)
    rows = [([name for name, _ in group], option_names(OneOf(options))) for options, group in same_options]
    return {
        "name": space.name,
        "size": size(space),
        "count": sum(len(names) for names, _ in rows),
        "questions": rows,
        "least": least,
        "most": most,
    }


def _winner(search: SearchFolder) -> dict[str, Any] | None:
    from markupsafe import Markup
    from yaml import safe_dump

    arch = search.winner
    if arch is None:
        return None
    blocks = locality(arch)
    return {
        "name": arch.name,
        "cost": cost(arch),
        "scores": search.winner_scores,
        "letters": letters(arch),
        "share": sum(block.share for block in blocks) / len(blocks) if blocks else 0.0,
        "svg": Markup(_inline(network_svg(arch))),
        "python": read_text(search.path / "winner" / "winner.py") or python(arch),
        "yaml": safe_dump(dump(arch), sort_keys=False, width=100),
        "next": next_commands(search),
    }


def _inline(svg: str) -> str:
    """An SVG for the middle of a page: without its prologue."""
    return svg[svg.index("<svg") :]
