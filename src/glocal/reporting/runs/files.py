"""What the files of a run say that its page shows, as plain values. A run that has not ended has less of it."""

import csv
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from glocal.artifacts.run_folder import RunFolder
from glocal.errors import RunError
from glocal.evaluation import predictions
from glocal.evaluation.predictions import Predictions
from glocal.files import read_yaml, reason_of
from glocal.intervals import count_interval

PATHS = 5  # of each kind of fault, that are named


class Scored(NamedTuple):
    """A class of the validation pictures. Shares are fractions; None where nothing can be divided."""

    name: str
    trained: int  # pictures to train on
    n: int  # pictures to validate on
    right: int
    precision: float | None
    recall: float | None
    interval: tuple[float, float] | None  # of the recall, 95 %
    f1: float


class Found(NamedTuple):
    """Faults of one kind."""

    kind: str
    severity: str
    n: int
    texts: tuple[str, ...]  # of the first few


@dataclass(frozen=True)
class RunFiles:
    """A run's folder. RunError, from every property, where a file of it is not whole."""

    folder: RunFolder

    @classmethod
    def find(cls, path: str | PathLike[str]) -> "RunFiles":
        """RunError for a folder that is no run's."""
        return cls(RunFolder.find(Path(path)))

    @cached_property
    def about(self) -> dict[str, Any]:
        """run.yaml."""
        return read_yaml(self.folder.settings, "data", "settings")

    @cached_property
    def manifest(self) -> Any:  # a Manifest, whose room reporting does not import
        """data.json."""
        return self.folder.manifest()

    @cached_property
    def metrics(self) -> list[dict[str, float]]:
        """A row an epoch."""
        return self.folder.metrics()

    @cached_property
    def weights(self) -> dict[str, Any]:
        """What the best weights say of themselves; empty where there are none yet."""
        path = self.folder.weights("best")
        if not path.is_file():
            return {}
        try:
            with safe_open(path, framework="np") as file:
                found = json.loads(file.metadata()["glocal"])
            return {**found, "notes": {"epoch": found["notes"]["epoch"], "val": dict(found["notes"]["val"])}}
        except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
            raise RunError(f"{path} is not whole: {reason_of(error)}") from None

    @property
    def scores(self) -> dict[str, Any] | None:
        """The scores of the best epoch on the validation pictures."""
        return self.weights["notes"]["val"] if self.weights else None

    @cached_property
    def predictions(self) -> Predictions | None:
        """What the best epoch predicts for each validation picture; None before the end, and where there are several labels."""
        path = self.folder.path / predictions.FILE
        return Predictions.read(path, self.manifest.classes) if path.is_file() else None

    @cached_property
    def split_sizes(self) -> dict[str, int]:
        """Pictures of each split."""
        return {name: len(rows) for name, rows in self.manifest.rows.items()}

    @cached_property
    def per_class(self) -> list[Scored]:
        """The worst first, by F1; classes without validation pictures last."""
        if self.scores is None:
            return []
        manifest = self.manifest
        trained = Counter(name for row in manifest.rows["train"] for name in manifest.names_of(row))
        rows = [_scored(values, trained) for values in self.scores["per_class"]]
        return sorted(rows, key=lambda row: (not row.n, row.f1, -row.n))

    @cached_property
    def faults(self) -> list[Found]:
        """What was found in the pictures, by kind; what may spoil the numbers first."""
        order = ("warning", "dropped", "error", "converted", "note")
        groups: dict[tuple[str, str], list[str]] = {}
        for fault in self.manifest.faults:
            groups.setdefault((fault.severity, fault.kind), []).append(str(fault))
        keys = sorted(groups, key=lambda key: (order.index(key[0]), key[1]))
        return [
            Found(kind, severity, len(texts := groups[severity, kind]), tuple(texts[:PATHS])) for severity, kind in keys
        ]

    @cached_property
    def alerts(self) -> list[dict[str, str]]:
        """The rows of warnings.csv."""
        return _rows(self.folder.path / "warnings.csv", "step", "kind", "text")

    @cached_property
    def tests(self) -> list[tuple[str, float, int]]:
        """When the test split was opened, the top-1 accuracy, and the number of pictures."""
        path = self.folder.path / "tests.csv"
        try:
            return [(row["when"], float(row["top1"]), int(row["n"])) for row in _rows(path, "when", "top1", "n")]
        except ValueError as error:
            raise RunError(f"{path} is not whole: {error}") from None

    @cached_property
    def changed_settings(self) -> dict[str, tuple[Any, str]]:
        """The settings that are not defaults, each with where it came from."""
        origins: Mapping[str, str] = self.about.get("origins") or {}
        settings: Mapping[str, Any] = self.about["settings"]
        return {
            name: (settings[name], origin)
            for name, origin in origins.items()
            if origin != "default" and name in settings
        }


def _scored(values: Mapping[str, Any], trained: Mapping[str, int]) -> Scored:
    n, right = int(values["n"]), int(values["right"])
    return Scored(
        name=str(values["class"]),
        trained=trained.get(str(values["class"]), 0),
        n=n,
        right=right,
        precision=values["precision"],
        recall=values["recall"],
        interval=count_interval(right, n) if n else None,
        f1=float(values["f1"]),
    )


def _rows(path: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a table; none where there is no file. RunError where it lacks a column or a cell."""
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            return [{name: _cell(row[name]) for name in columns} for row in csv.DictReader(file)]
    except (OSError, csv.Error, LookupError, TypeError) as error:
        raise RunError(f"{path} is not whole: {reason_of(error)}") from None


def _cell(value: str | None) -> str:
    """TypeError for None, which stands for a cell that was cut off."""
    if value is None:
        raise TypeError("a row has fewer cells than the heading")
    return value
