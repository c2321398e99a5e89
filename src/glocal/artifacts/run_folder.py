"""The folder of a run: the files in it, and how they are written and read. An existing folder is never overwritten.

run.yaml            command, settings and the origin of each, versions, state of the git checkout
architecture.yaml   the network as data
data.json           which picture is in which split, classes, faults
metrics.csv         one row an epoch
warnings.csv        alerts that did not end the run, each with its step
predictions.csv     the class that the best epoch predicts for each validation picture, and its probability
report.html         all of it on one page (`glocal train` and `glocal report` write it)
plots/              curves, confusion matrix, the most confident mistakes
events/             TensorBoard
weights/            best.safetensors and last.safetensors, with classes and preprocessing inside
state/              what a resumed run continues from
tests.csv           each evaluation on the test split
evaluations/        a folder for each evaluation by `glocal val`: report.csv, predictions.csv, reliability.png
explain/            what `glocal explain` drew: heat maps, their arrays and a page
exports/            a folder for each form that `glocal export` wrote
held                locked by the process that writes the folder
"""

import csv
import hashlib
import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glocal.artifacts.manifests import load_manifest, save_manifest
from glocal.data import Manifest
from glocal.errors import GlocalError, RunError
from glocal.files import is_part, read_yaml, reason_of, write_whole, write_yaml
from glocal.weights.networks.any_network import AnyArchitecture, from_plain, to_plain

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
                raise RunError(
                    f"{path} cannot be created: {error.strerror}; choose another folder with --output"
                ) from None
            else:
                return cls(path)

    @classmethod
    def find(cls, path: str | Path) -> "RunFolder":
        """The folder of a run that was started; RunError for any other."""
        folder = cls(Path(path) if Path(path).name not in ("", "..") else Path(path).resolve())
        if not folder.settings.is_file():
            raise RunError(f"{path} is not the folder of a run: it has no run.yaml")
        return folder

    @property
    def settings(self) -> Path:
        """run.yaml."""
        return self.path / "run.yaml"

    @property
    def state(self) -> Path:
        """The file that names the state to resume from; see `training.state_files`."""
        return self.path / "state" / "last.json"

    @property
    def events(self) -> Path:
        """Folder of TensorBoard's events."""
        return self.path / "events"

    def weights(self, which: str) -> Path:
        """The file of the `best` or the `last` weights."""
        return self.path / "weights" / f"{which}.safetensors"

    def start(self, settings: Mapping[str, Any], architecture: AnyArchitecture, manifest: Manifest) -> None:
        """Writes the files that describe a run before its first step. run.yaml is the last: where it exists, all of them do."""
        write_yaml(self.path / "architecture.yaml", to_plain(architecture))
        save_manifest(manifest, self.path / "data.json")
        write_yaml(self.settings, {**settings, "architecture": _digest(architecture)})

    def sweep(self) -> None:
        """Removes the parts of files that a killed process was writing."""
        for part in self.path.rglob(".*"):
            if is_part(part.name) and part.is_file():
                part.unlink(missing_ok=True)

    def manifest(self) -> Manifest:
        """The splits that the run was started with; RunError where data.json is not whole."""
        return load_manifest(self.path / "data.json")

    def architecture(self) -> AnyArchitecture:
        """The network of the run; RunError where architecture.yaml is not whole, or is not what the run was started with."""
        path = self.path / "architecture.yaml"
        values = read_yaml(path)
        try:
            arch = from_plain(values)
        except (GlocalError, AttributeError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise RunError(f"{path} is no architecture: {reason_of(error)}") from None
        if _digest(arch) != read_yaml(self.settings, "architecture")["architecture"]:
            raise RunError(f"{path} has another network than the run was started with; put that back")
        return arch

    def write_metrics(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Writes metrics.csv: `COLUMNS`, and other columns of the rows, such as the mean average precision of several labels."""
        columns = [*COLUMNS, *(name for name in rows[0] if name not in COLUMNS)]
        lines = [",".join(columns), *(",".join(f"{row[column]:.7g}" for column in columns) for row in rows)]
        write_whole(self.path / "metrics.csv", ("\n".join(lines) + "\n").encode())

    def metrics(self) -> list[dict[str, float]]:
        """The rows of metrics.csv; none before the first epoch has ended. RunError where the file is not whole."""
        path = self.path / "metrics.csv"
        if not path.is_file():
            return []
        try:
            with path.open(newline="", encoding="utf-8") as file:
                table = csv.DictReader(file)
                columns = table.fieldnames or ()
                rows = [{str(name): float(value) for name, value in row.items()} for row in table]
        except (OSError, ValueError, TypeError, csv.Error) as error:
            raise RunError(f"{path} is not whole: {reason_of(error)}") from None
        if missing := [name for name in COLUMNS if name not in columns]:
            raise RunError(f"{path} is not whole: it has no column {missing[0]}")
        return rows

    def count_test(self, row: Mapping[str, Any]) -> int:
        """Adds an evaluation on the test split to tests.csv; returns how many there have been."""
        path = self.path / "tests.csv"
        text = io.StringIO(path.read_text(encoding="utf-8") if path.exists() else "", newline="")
        writer = csv.DictWriter(text, ("when", *row))
        if not text.seek(0, io.SEEK_END):
            writer.writeheader()
        writer.writerow({"when": time.strftime("%Y-%m-%dT%H:%M:%S"), **row})
        write_whole(path, text.getvalue().encode())
        return len(text.getvalue().splitlines()) - 1


def _digest(architecture: AnyArchitecture) -> str:
    return hashlib.sha256(json.dumps(to_plain(architecture)).encode()).hexdigest()
