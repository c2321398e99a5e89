"""The report of a search: one HTML file that needs no network, written into the search's folder.

What is in the folder is read by `search_folder`; the page itself is search_page.html.j2. Everything that a person or a file
said is escaped by the template; what is marked safe are figures that were drawn here.
"""

import json
import re
import shlex
from collections.abc import Mapping
from itertools import groupby
from os import PathLike
from pathlib import Path
from typing import Any

from glocal.design import Architecture, OneOf, cost, dump, python
from glocal.design.space import asked, size
from glocal.design.span import cost_range
from glocal.errors import SearchError
from glocal.intervals import wilson
from glocal.reporting.candidates import candidates_svg, front_svg
from glocal.reporting.cautions import cautions
from glocal.reporting.figures import cost_named, priced
from glocal.reporting.interactive import Plot, candidates_plot, rank_plot, supernet_plot
from glocal.reporting.locality import letters, locality
from glocal.reporting.network_picture import network_svg
from glocal.reporting.search_folder import Level, SearchFolder
from glocal.reporting.shares import option_names, shares

MOST_CLASSES = 100  # of which the names are told
SURROUNDINGS = ("python", "versions", "platform", "processor", "threads", "git")


def write_report(folder: str | PathLike[str], *, cost: str | None = None) -> Path:
    """Writes FOLDER/report.html and returns its path; what the search has not come to is left out with a sentence.

    cost: what accuracy is drawn against; by default what the search weighed against it or limits, or multiply-adds.
    SearchError for a folder that is not a search's, or holds a file that is not whole.
    """
    search = SearchFolder.find(folder)
    against = cost or search.cost
    cost_named(against)
    path = search.path / "report.html"
    page = _page(search, against)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SearchError(f"{path} cannot be written: {error.strerror}") from None
    return path


def _page(search: SearchFolder, against: str) -> str:
    import jinja2
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    plots: dict[str, Plot] = {}
    levels = [_level(level, search, against, plots) for level in search.levels]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "priced": lambda value, name: priced(name, value)}
    return environment.get_template("search_page.html.j2").render(
        name=search.path.resolve().name,
        asked=_asked(search),
        cautions=cautions(search),
        levels=levels,
        spent=_spent(search),
        quote=search.quote,
        more=_flat({name: search.asked.get(name) for name in ("recipe", "machine", *SURROUNDINGS)}),
        winner=_winner(search),
        plots=Markup(json.dumps(plots).replace("<", "\\u003c")) if plots else "",
        plotly=Markup(get_plotlyjs().replace("</script", "<\\/script")) if plots else "",
    )


def percent(share: float | None, digits: int = 2) -> str:
    """A fraction with the sign; a dash for none."""
    return "–" if share is None else f"{share:.{digits}%}"


def clock(seconds: float) -> str:
    """Seconds as "47 s", "12 min" or "3 h 05 min"."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60:,} h {minutes % 60:02} min"


def _asked(search: SearchFolder) -> dict[str, str]:
    """What was asked for, as a table; settings that were left open are left out."""
    said, classes = search.asked, search.asked.get("classes") or []
    settings = {k: v for k, v in (said.get("settings") or {}).items() if not str(k).startswith(("min_", "max_"))}
    told = {
        "command": said.get("command"),
        "pictures": said.get("source"),
        "split": said.get("split_rule"),
        "classes": f"{len(classes):,}: {', '.join(map(str, classes[:MOST_CLASSES]))}" if classes else None,
        "limits": "; ".join(_limit(name, *ends) for name, ends in search.limits().items()) or "none",
        **_flat(settings),
    }
    return {key: _public(str(value)) for key, value in told.items() if value not in (None, "")}


def _public(text: str) -> str:
    """Without the password that the URL of a storage may hold."""
    return re.sub(r"(\w://[^\s:/@]*):[^\s/]*@", r"\1@", text)


def _limit(name: str, least: float | None, most: float | None) -> str:
    said = cost_named(name).said
    if least is None or most is None:
        return f"at {'least' if most is None else 'most'} {priced(name, (least if most is None else most) or 0)} {said}"
    return f"{priced(name, least)} to {priced(name, most)} {said}"


def _flat(said: Any, before: str = "") -> dict[str, str]:
    """Nested names and values as one table; seconds as a time."""
    if not isinstance(said, Mapping):
        return {before or "value": str(said)} if said is not None else {}
    told: dict[str, str] = {}
    for key, value in said.items():
        name = f"{before} {key}".strip()
        if isinstance(value, Mapping):
            told |= _flat(value, name)
        elif isinstance(value, int | float) and str(key).endswith(("_s", "seconds")):
            told[name.removesuffix("_s").removesuffix("seconds").strip() or "time"] = clock(value)
        elif value is not None:
            told[name] = f"{value:,}" if type(value) is int else _public(str(value))
    return told


def _spent(search: SearchFolder) -> list[tuple[str, str, str]]:
    """Phases with how much of them there was and the time they took, and the sum."""
    decided, spent = search.plan.get("decided") or {}, search.plan.get("spent_s") or {}
    rows = [(phase, f"{decided[phase]:,}" if phase in decided else "", clock(s)) for phase, s in spent.items()]
    return [*rows, ("all", "", clock(sum(spent.values())))] if rows else []


def _level(level: Level, search: SearchFolder, against: str, plots: dict[str, Plot]) -> dict[str, Any]:
    """What the page says of a level; its figures go to `plots` by the id of their place."""
    from markupsafe import Markup

    told: dict[str, Any] = {
        "name": level.name,
        "space": _space(level.space) if level.space else None,
        "supernet": _supernet(level),
        "candidates": len(level.measured),
        "finalists": level.finalists,
        "rank": level.rank,
        "shares": shares(level.space, level.candidates) if level.space and level.measured else None,
    }
    if level.supernet:
        plots[f"{level.name}-supernet"] = supernet_plot(level.supernet)
    if level.measured:
        limits = search.limits().get(against, (None, None))
        plots[f"{level.name}-candidates"] = candidates_plot(level, against, limits)
        told["svg"] = Markup(_inline(candidates_svg(level, against, limits)))
        told["front"] = Markup(_inline(front_svg(level, against)))
        best = max(level.measured, key=lambda row: row.accuracy or 0)
        told |= {"best": best, "interval": wilson(best.accuracy or 0, best.n)}
        told["generations"] = 1 + max(row.generation for row in level.measured)
    if level.ranked:
        plots[f"{level.name}-rank"] = rank_plot(level.ranked)
    return told


def _space(space: Architecture) -> dict[str, Any]:
    least, most = cost_range(space)
    alike = groupby(asked(space).items(), key=lambda row: row[1].options)
    rows = [([name for name, _ in group], option_names(OneOf(options))) for options, group in alike]
    return {
        "name": space.name,
        "size": size(space),
        "count": sum(len(names) for names, _ in rows),
        "questions": rows,
        "least": least,
        "most": most,
    }


def _supernet(level: Level) -> dict[str, float] | None:
    return {**level.supernet[-1], "epochs": len(level.supernet)} if level.supernet else None


def _winner(search: SearchFolder) -> dict[str, Any] | None:
    from markupsafe import Markup
    from yaml import safe_dump

    arch, folder = search.winner, search.path / "winner"
    if arch is None:
        return None
    code = folder / "winner.py"
    blocks = locality(arch)
    return {
        "name": arch.name,
        "cost": cost(arch),
        "scores": search.winner_scores,
        "letters": letters(arch),
        "share": sum(block.share for block in blocks) / len(blocks) if blocks else 0.0,
        "svg": Markup(_inline(network_svg(arch))),
        "python": code.read_text(encoding="utf-8") if code.is_file() else python(arch),
        "yaml": safe_dump(dump(arch), sort_keys=False, width=100),
        "next": _next(search),
    }


def _next(search: SearchFolder) -> list[tuple[str, str]]:
    """What to do with the winner, as commands."""
    folder = search.path / "winner"
    source = shlex.quote(str(search.asked.get("source") or "DATA"))
    yaml, weights = (shlex.quote(str(folder / name)) for name in ("architecture.yaml", "weights.safetensors"))
    judge = f"glocal val {weights} {source} --split {search.aside}"
    return [
        ("look at it", f"glocal show {yaml}"),
        ("train it anew, on all training pictures", f"glocal train {source} --model {yaml} --seed 1"),
        *([("judge it by what no network was shown", judge)] if search.aside else []),
        ("use it", f"glocal predict {weights} PICTURE"),
    ]


def _inline(svg: str) -> str:
    """An SVG for the middle of a page: without its prologue."""
    return svg[svg.index("<svg") :]
