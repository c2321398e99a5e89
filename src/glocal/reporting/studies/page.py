"""The page of a study: one HTML file that needs no network, made from the files in the study's folder."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from glocal.design.text import count
from glocal.errors import ComparisonError
from glocal.files import read_json, read_yaml, write_whole
from glocal.html_page import naming_damage, template
from glocal.reporting.numbers import percent, points
from glocal.reporting.studies.figures import Curve, Row, curves_svg, intervals_svg

OUTCOMES = {"better": "good", "worse": "bad", "practically equal": "same"}


@dataclass(frozen=True)
class StudyFolder:
    """What the files of a study say."""

    path: Path
    found: Mapping[str, Any]  # study.json
    about: Mapping[str, Any]  # run.yaml
    trials: tuple[Mapping[str, str], ...]  # rows of study.csv

    @classmethod
    def read(cls, folder: str | PathLike[str]) -> "StudyFolder":
        """ComparisonError for a folder that holds no study, or one whose results are not written yet."""
        path = Path(folder)
        if not (path / "study.json").is_file():
            raise ComparisonError(
                f"{folder} has no study.json: it is not the folder of a study, or the study has no results yet"
            )
        with naming_damage("study", folder), (path / "study.csv").open(newline="", encoding="utf-8") as file:
            trials = tuple(csv.DictReader(file))
        return cls(path, read_json(path / "study.json"), read_yaml(path / "run.yaml"), trials)

    def curve(self, arm: str) -> list[float]:
        """Validation accuracy after each epoch, the mean over the seeds."""
        seeds = []
        for row in (row for row in self.trials if row["arm"] == arm):
            file = self.path / row["folder"] / "run" / "metrics.csv"
            if file.is_file():
                with file.open(newline="") as lines:
                    seeds.append([float(epoch["val_top1"]) for epoch in csv.DictReader(lines)])
        shortest = min(map(len, seeds), default=0)
        return [sum(seed[i] for seed in seeds) / len(seeds) for i in range(shortest)]


def write_study_page(folder: str | PathLike[str]) -> Path:
    """Writes FOLDER/report.html and returns its path. ComparisonError for a folder without results."""
    from markupsafe import Markup

    study = StudyFolder.read(folder)
    page = template(Path(__file__).with_name("page.html.j2"), count=count, points=points, percent=percent)
    with naming_damage("study", folder):
        text = page.render(
            study=study.found,
            about=study.about,
            arms=_arms(study),
            outcomes=OUTCOMES,
            intervals=Markup(intervals_svg(_rows(study))),
            curves=Markup(curves_svg([Curve(arm["name"], study.curve(arm["name"])) for arm in study.found["arms"]])),
        )
    path = study.path / "report.html"
    write_whole(path, text.encode(errors="replace"))
    return path


def _arms(study: StudyFolder) -> list[dict[str, Any]]:
    verdicts = {verdict["arm"]: verdict for verdict in study.found["verdicts"]}
    seconds = {arm["name"]: sum(arm["train_s"]) for arm in study.found["arms"]}
    return [
        {**arm, "verdict": verdicts.get(arm["name"]), "seconds": seconds[arm["name"]]} for arm in study.found["arms"]
    ]


def _rows(study: StudyFolder) -> list[Row]:
    return [
        Row(
            name=f"{verdict['arm']} against {verdict['baseline']}",
            mean=100 * verdict["difference"]["mean"],
            low=100 * verdict["interval"]["low"],
            high=100 * verdict["interval"]["high"],
            printed=verdict["printed_difference"],
            kind=OUTCOMES.get(verdict["outcome"], "open"),
        )
        for verdict in study.found["verdicts"]
    ]
