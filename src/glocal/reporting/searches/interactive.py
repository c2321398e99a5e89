"""The figures of a search as plotly's plain data, for a page that has plotly's script. Nothing here imports plotly."""

from collections.abc import Sequence
from html import escape
from typing import Any

from glocal.canvas import BLUE, GREY, ORANGE, VERMILLION
from glocal.intervals import wilson
from glocal.reporting.figures import Cost, cost_named, with_unit
from glocal.reporting.searches.candidates import Limit, rows_with_cost
from glocal.reporting.searches.level_folder import MONITORED, Finalist, LevelFolder, Row, pareto

Plot = dict[str, Any]


def candidates_plot(level: LevelFolder, cost: str, limits: Limit) -> Plot:
    """Every candidate, with its answers under the pointer; the front, the limits and the finalists."""
    rows, kind = rows_with_cost(level, cost), cost_named(cost)
    finalists = [f for f in level.finalists if f.supernet_accuracy is not None and cost in f.costs]
    lines = [
        {
            "type": "line",
            "x0": limit / kind.scale,
            "x1": limit / kind.scale,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "line": {"color": VERMILLION, "dash": "dash"},
        }
        for limit in limits
        if limit is not None
    ]
    layout = _layout(f"{kind.title}, {kind.unit}", f"{level.accuracy_is}, %")
    traces = [
        _candidates(rows, cost, kind),
        _front(pareto(rows, cost), cost, kind),
        _finalists(finalists, cost, kind),
    ]
    return {"data": traces, "layout": {**layout, "shapes": lines}}


def _candidates(rows: Sequence[Row], cost: str, kind: Cost) -> Plot:
    generations = len({row.generation for row in rows})
    return {
        "name": "candidates",
        "mode": "markers",
        "x": [row.costs[cost] / kind.scale for row in rows],
        "y": [100 * (row.accuracy or 0) for row in rows],
        "text": [_hover(row) for row in rows],
        "hoverinfo": "text",
        "marker": {
            "size": 7,
            "opacity": 0.75,
            "color": [row.generation for row in rows],
            "colorscale": "Viridis",
            "reversescale": True,
            "showscale": generations > 1,
            "colorbar": {"title": {"text": "generation"}, "thickness": 14, **_whole(generations)},
        },
    }


def _front(front: Sequence[Row], cost: str, kind: Cost) -> Plot:
    return {
        "name": "Pareto front",
        "mode": "lines",
        "line": {"shape": "hv", "color": "black", "width": 1.5},
        "x": [row.costs[cost] / kind.scale for row in front],
        "y": [100 * (row.accuracy or 0) for row in front],
        "hoverinfo": "skip",
    }


def _finalists(finalists: Sequence[Finalist], cost: str, kind: Cost) -> Plot:
    return {
        "name": "finalists",
        "mode": "markers",
        "x": [f.costs[cost] / kind.scale for f in finalists],
        "y": [100 * (f.supernet_accuracy or 0) for f in finalists],
        "hoverinfo": "skip",
        "marker": {
            "symbol": ["star" if f.winner else "circle-open" for f in finalists],
            "size": [15 if f.winner else 13 for f in finalists],
            "color": VERMILLION,
            "line": {"width": 2, "color": VERMILLION},
        },
    }


def _hover(row: Row) -> str:
    low, high = wilson(row.accuracy or 0, row.n)
    costs = ", ".join(f"{with_unit(name, value)} {cost_named(name).title}" for name, value in row.costs.items())
    return (
        f"<b>{'-'.join(map(str, row.answers))}</b><br>{row.accuracy:.2%} ({low:.2%} to {high:.2%}, {row.n:,} pictures)"
        f"<br>{costs}<br>generation {row.generation}, {escape(row.origin)}"
    )


def supernet_plot(rows: Sequence[dict[str, float]]) -> Plot:
    """Training loss, and the accuracies of the monitored paths, over the epochs."""
    x = [row["epoch"] + 1 for row in rows]
    data = [
        _line(x, [100 * row[column] for row in rows], name, colour=colour)
        for (column, name), colour in zip(MONITORED.items(), (ORANGE, BLUE, VERMILLION), strict=True)
        if all(column in row for row in rows)
    ]
    if all("train_loss" in row for row in rows):
        loss = _line(x, [row["train_loss"] for row in rows], "training loss", colour=GREY)
        data.append({**loss, "yaxis": "y2", "line": {"color": GREY, "dash": "dot"}})
    right = {
        "overlaying": "y",
        "side": "right",
        "showgrid": False,
        "tickmode": "auto",
        "title": {"text": "training loss"},
    }
    layout = _layout("epoch", "monitored paths, top-1, %")
    layout["xaxis"] |= _whole(len(rows))
    return {"data": data, "layout": {**layout, "yaxis2": right, "margin": {**layout["margin"], "r": 70}}}


def rank_plot(ranked: Sequence[tuple[float, float]]) -> Plot:
    """Networks evaluated with the supernet's weights, and trained alone."""
    dots = {
        "mode": "markers",
        "x": [100 * x for x, _ in ranked],
        "y": [100 * y for _, y in ranked],
        "marker": {"color": BLUE, "size": 8},
        "showlegend": False,
    }
    return {"data": [dots], "layout": _layout("accuracy with the supernet's weights, %", "accuracy trained alone, %")}


def _line(x: Sequence[float], y: Sequence[float], name: str, *, colour: str) -> Plot:
    return {
        "name": name,
        "mode": "lines",
        "x": list(x),
        "y": list(y),
        "line": {"color": colour, "width": 2},
        "hovertemplate": "%{y:.2f}",
    }


def _whole(n: int) -> Plot:
    """Ticks at whole numbers only; plotly adds others between few of them."""
    return {"dtick": 1} if n <= 10 else {}


def _layout(x: str, y: str) -> Plot:
    grid = {"gridcolor": "#e6e6e6", "zeroline": False}
    return {
        "template": "none",
        "margin": {"l": 64, "r": 20, "t": 36, "b": 52},
        "height": 440,
        "xaxis": {**grid, "title": {"text": x}},
        "yaxis": {**grid, "title": {"text": y}},
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom"},
        "hoverlabel": {"align": "left"},
        "font": {"family": "system-ui, sans-serif", "size": 13},
    }
