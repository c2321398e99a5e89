"""The folder of a run: what lies where in it, and how it is claimed, written and read. It is never overwritten.

run.yaml            command, settings with where each came from, versions, seed, state of the git checkout
architecture.yaml   the network as data
data.json           manifest of the splits, class map, faults
metrics.csv         one row an epoch
warnings.csv        what went wrong and did not end the run, with its step
answers.csv         the answers of the best epoch, picture by picture
plots/              curves, confusion matrix, the most confidently wrong
events/             TensorBoard
weights/            best.safetensors and last.safetensors, with classes and preprocessing inside
state/              what a resumed run goes on from
tests.csv           each opening of the test split
"""

import csv
import json
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from glocal.data import Manifest
from glocal.design import Architecture, dump
from glocal.errors import RunError
from glocal.weights.files import whole_file

COLUMNS = (
    "epoch",
    "step",
    "time_s",
    "lr",
    "train_loss",
    "val_loss",
    "val_top1",
    "val_top5",
    "val_macro_f1",
    "images_per_s",
)


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run."""

    path: Path

    @classmethod
    def claim(cls, wanted: Path) -> "RunFolder":
        """A new folder at `wanted`, or at the first free of wanted-2, wanted-3, ... RunError where none can be made."""
        number = 1
        while True:
            path = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                number += 1
            except OSError as error:
                raise RunError(f"{path} cannot be made: {error.strerror}; choose another with --output") from None
            else:
                return cls(path)

    @classmethod
    def find(cls, path: str | Path) -> "RunFolder":
        """The folder of a run that was started; RunError for any other."""
        folder = cls(Path(path))
        if not folder.settings.is_file():
            raise RunError(f"{path} is not the folder of a run: it has no run.yaml")
        return folder

    @property
    def settings(self) -> Path:
        """run.yaml."""
        return self.path / "run.yaml"

    @property
    def state(self) -> Path:
        """What names the state to resume from; see `checkpoint`."""
        return self.path / "state" / "last.json"

    @property
    def events(self) -> Path:
        """Folder of TensorBoard's events."""
        return self.path / "events"

    def weights(self, which: str) -> Path:
        """The file of the `best` or the `last` weights."""
        return self.path / "weights" / f"{which}.safetensors"

    def begin(self, settings: Mapping[str, Any], architecture: Architecture, manifest: Manifest) -> None:
        """Writes what a run is before its first step; run.yaml comes last, so that where it is, all is."""
        write_yaml(self.path / "architecture.yaml", dump(architecture))
        with whole_file(self.path / "data.json") as file:
            file.write(json.dumps(manifest.to_json(), ensure_ascii=False).encode())
        write_yaml(self.settings, settings)

    def sweep(self) -> None:
        """Removes the parts of files that a killed process was writing."""
        for part in self.path.rglob(".*"):
            if part.is_file():
                part.unlink()

    def manifest(self) -> Manifest:
        """The splits that the run was begun with."""
        path = self.path / "data.json"
        try:
            return Manifest.from_json(json.loads(path.read_text()))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{path} is not whole ({error}), and without it the splits of the run are not known"
            ) from None

    def write_metrics(self, rows: Sequence[Mapping[str, float]]) -> None:
        """metrics.csv, whole: `COLUMNS`, and what else the rows tell, such as the mean average precision of several labels."""
        columns = [*COLUMNS, *(name for name in rows[0] if name not in COLUMNS)]
        lines = [",".join(columns), *(",".join(f"{row[column]:.7g}" for column in columns) for row in rows)]
        with whole_file(self.path / "metrics.csv") as file:
            file.write(("\n".join(lines) + "\n").encode())

    def metrics(self) -> list[dict[str, float]]:
        """The rows of metrics.csv; none before the first epoch has ended."""
        path = self.path / "metrics.csv"
        if not path.is_file():
            return []
        with path.open(newline="") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]

    def count_test(self, row: Mapping[str, Any]) -> int:
        """Notes one opening of the test split; returns how many there have been."""
        path = self.path / "tests.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, ("when", *row))
            if fresh:
                writer.writeheader()
            writer.writerow({"when": time.strftime("%Y-%m-%dT%H:%M:%S"), **row})
        return len(path.read_text().splitlines()) - 1


def read_yaml(path: Path, *keys: str) -> dict[str, Any]:
    """What `write_yaml` wrote; RunError where it is not whole, or lacks one of the keys."""
    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise RunError(f"{path} is not whole: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict) or not set(keys) <= found.keys():
        raise RunError(f"{path} is not whole: it must hold {', '.join(keys) or 'names and values'}")
    return found


def write_yaml(path: Path, data: Any) -> None:
    """Plain data as YAML, in the order given."""
    with whole_file(path) as file:
        file.write(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120).encode())


def surroundings() -> dict[str, Any]:
    """Versions and machine, without which a number cannot be made again."""
    import torch

    from glocal.net.latency import processor

    names = ("glocal", "torch", "torchvision", "timm", "numpy", "pillow", "scikit-learn")
    versions = {name: _version(name) for name in names}
    return {
        "python": platform.python_version(),
        "versions": versions,
        "platform": platform.platform(),
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "git": _git_state(),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _git_state() -> str | None:
    """The commit of the folder that the command runs in, "-dirty" where files differ from it."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return told.stdout.strip() or None
