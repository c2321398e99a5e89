"""The page of a pick: one HTML file that needs no network, made from the files in the pick's folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from glocal.command_line import command
from glocal.design.text import count
from glocal.errors import ComparisonError
from glocal.files import read_json, read_yaml, write_whole
from glocal.html_page import naming_damage, template
from glocal.reporting.numbers import duration, percent, points
from glocal.reporting.picks.figures import Lane, Point, front_svg, race_svg
from glocal.reporting.studies.figures import Curve, curves_svg

Row = Mapping[str, Any]


@dataclass(frozen=True)
class PickFolder:
    """What the files of a pick say."""

    path: Path
    found: Mapping[str, Any]  # pick.json
    about: Mapping[str, Any]  # run.yaml

    @classmethod
    def read(cls, folder: str | PathLike[str]) -> "PickFolder":
        """ComparisonError for a folder that holds no pick, or one that is not finished."""
        path = Path(folder)
        if not (path / "pick.json").is_file():
            raise ComparisonError(
                f"{folder} has no pick.json: it is not the folder of a pick, or the pick is not finished: "
                f"{command('pick', options=[('--resume', path)])}"
            )
        return cls(path, read_json(path / "pick.json"), read_yaml(path / "run.yaml"))

    @property
    def rows(self) -> list[Row]:
        """The candidates, the pick first."""
        return list(self.found["candidates"])

    def kind(self, row: Row) -> str:
        """How a candidate is drawn: "picked", "finalist", "behind" or "forced"."""
        if row["stage"] in ("picked", "finalist"):
            return str(row["stage"])
        exits = {s["arm"]: s["exit"] for rung in self.found["rungs"] for s in rung["standings"]}
        return "behind" if exits.get(row["name"]) == "behind" else "forced"

    def lanes(self) -> list[Lane]:
        """The candidates that raced, those that came furthest first."""
        return [Lane(row["name"], row["epochs"], self.kind(row), _note(row)) for row in self.rows if row["epochs"]]

    def points(self) -> list[Point]:
        """The candidates with a latency and a difference to the best, by latency."""
        found = [
            Point(
                row["name"],
                row["footprint"]["p50_ms"],
                100 * row["difference"],
                100 * row["interval"][0],
                100 * row["interval"][1],
                self.kind(row),
                row["name"] in self.found["front"],
            )
            for row in self.rows
            if row["footprint"] and row["difference"] is not None
        ]
        return sorted(found, key=lambda point: point.latency_ms)


def write_pick_page(folder: str | PathLike[str]) -> Path:
    """Writes FOLDER/report.html and returns its path. ComparisonError for a folder without results."""
    from markupsafe import Markup

    pick = PickFolder.read(folder)
    file = Path(__file__).with_name("page.html.j2")
    page = template(file, count=count, points=points, percent=percent, duration=duration)
    with naming_damage("pick", folder):
        found, rows = pick.found, pick.rows
        text = page.render(
            pick=found,
            about=pick.about,
            rows=rows,
            best=rows[0],
            race=Markup(race_svg(pick.lanes(), rungs=[r["epochs"] for r in found["rungs"]], horizon=found["horizon"])),
            front=Markup(front_svg(pick.points(), limit_ms=pick.about["pick"]["max_latency_ms"])),
            curves=Markup(
                curves_svg([Curve(row["name"], row["curve"]) for row in rows if row["stage"] in ("picked", "finalist")])
            ),
        )
    path = pick.path / "report.html"
    write_whole(path, text.encode(errors="replace"))
    return path


def _note(row: Row) -> str:
    if row["stage"] == "picked":
        return "the pick"
    if row["difference"] is None:
        return str(row["reason"])
    low, high = row["interval"]
    difference = f"{points(row['difference'])} ({points(low)} to {points(high)})"
    return f"{difference}, {row['why']}"
