"""The verb rerun: a finished run made again from what it wrote, and compared to the bit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from glocal.design import load
from glocal.errors import RunError
from glocal.families import vocabulary
from glocal.training.engine import Machine
from glocal.training.folder import RunFolder, read_yaml
from glocal.training.recipe import Recipe
from glocal.training.run import Progress, Run, begin, data_of, threads, written
from glocal.training.start import begun_from
from glocal.weights.files import read


@dataclass(frozen=True)
class Rerun:
    """A run made again. `numbers` say where metrics and weights part from the first run's, `surroundings` what else is other."""

    run: Run
    numbers: tuple[str, ...]
    surroundings: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether metrics and weights agree to the bit."""
        return not self.numbers

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        told = {"same": self.same, "numbers": list(self.numbers), "surroundings": list(self.surroundings)}
        return {**told, "run": self.run.to_json()}


def rerun(folder: str | Path, *, console: Console | None = None, progress: Progress | None = None) -> Rerun:
    """Makes a finished run again from what it wrote, into a new folder beside it, and compares the two to the bit.

    Raises RunError for a run that has not finished, DataError where the pictures are no longer those of its manifest.
    """
    first, about = written(folder)
    recipe = Recipe().merged(about["settings"])
    if len(first.metrics()) < recipe.total_epochs:
        raise RunError(f"{first.path} has not finished; go on with it first: glocal train --resume {first.path}")
    machine = Machine.start(**about["machine"])
    data = data_of(first, about, machine=machine, progress=progress)
    arch = load(read_yaml(first.path / "architecture.yaml"), vocabulary())
    kept = {**{key: about[key] for key in ("data", "weights", "machine", "settings", "origins")}, "mlflow": None}
    if (began := kept["weights"]) and began != begun_from(began["source"], head_rows=began["head_rows"]):
        raise RunError(f"{began['source']} is not the file that {first.path} began from; put that back")
    wanted = first.path.with_name(f"{first.path.name}-rerun")
    with threads(about["threads"]):
        made = begin(kept, data, arch, wanted=wanted, machine=machine, console=console)
    second, now = written(made.folder)
    return Rerun(made, tuple(_parted(first, second)), tuple(_other(about, now)))


def _parted(first: RunFolder, second: RunFolder) -> Iterator[str]:
    """Where the numbers of two runs part, in sentences."""
    timed = ("time_s", "images_per_s")
    for one, two in zip(first.metrics(), second.metrics(), strict=True):
        if other := [k for k in one if k not in timed and one[k] != two[k]]:
            told = ", ".join(f"{k} {one[k]:.7g} then, {two[k]:.7g} now" for k in other)
            yield f"metrics.csv, first in epoch {one['epoch'] + 1:.0f}: {told}"
            break
    for which in ("best", "last"):
        then, now = (read(run.weights(which)).tensors for run in (first, second))
        apart = {key: float((t.double() - now[key].double()).abs().max()) for key, t in then.items()}
        if any(apart.values()):
            key = max(apart, key=lambda key: apart[key])
            n = sum(gap > 0 for gap in apart.values())
            yield f"weights/{which}: {n} of {len(apart)} tensors, by up to {apart[key]:.2g} ({key})"


def _other(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What is other around a run, in sentences."""
    for name in now["versions"]:
        if then["versions"].get(name) != now["versions"][name]:
            yield f"{name} {then['versions'].get(name)} then, {now['versions'][name]} now"
    for key in ("python", "platform", "processor", "threads", "processes", "teacher", "git"):
        if then.get(key) != now.get(key):
            yield f"{key} {then.get(key)} then, {now.get(key)} now"
