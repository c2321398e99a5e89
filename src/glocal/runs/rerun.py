"""The verb rerun: a finished run is repeated from what it wrote, and compared to the bit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from glocal.artifacts.run_folder import RunFolder
from glocal.command_line import command
from glocal.data.checks.scan import Progress
from glocal.errors import RunError
from glocal.files import read_yaml
from glocal.machine.threads import threads
from glocal.runs.longer import continue_run
from glocal.runs.record import RunRecord
from glocal.runs.run import Run
from glocal.runs.starting_point import weights_record
from glocal.runs.train import start_run
from glocal.weights.files import read


@dataclass(frozen=True)
class Rerun:
    """A repeated run. `numbers`: sentences on metrics and weights that differ from the first run's. `surroundings`: sentences
    on versions and the machine, where they differ."""

    run: Run
    numbers: tuple[str, ...]
    surroundings: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether metrics and weights agree to the bit."""
        return not self.numbers

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "same": self.same,
            "numbers": list(self.numbers),
            "surroundings": list(self.surroundings),
            "run": self.run.to_json(),
        }


def rerun(folder: str | Path, *, console: Console | None = None, progress: Progress | None = None) -> Rerun:
    """Repeats a finished run from what it wrote, into a new folder beside it, and compares the two to the bit.

    A run that was trained longer from another is repeated from that one's state. Raises RunError for a run that has not
    finished, DataError where the pictures are no longer the same.
    """
    first = RunFolder.find(folder)
    record = RunRecord.read(first)
    if len(first.metrics()) < record.recipe.total_epochs:
        line = command("train", options=[("--resume", first.path)])
        raise RunError(f"{first.path} has not finished; finish it first: {line}")
    machine = record.place.machine()
    data = record.load_data(first, machine=machine, progress=progress)
    arch = first.architecture()
    if record.weights and record.weights != weights_record(record.recipe):
        raise RunError(f"{record.recipe.weights} is not the file that {first.path} started from; put that back")
    again = replace(record, place=record.place.model_copy(update={"mlflow": None}))
    wanted = first.path.with_name(f"{first.path.name}-rerun")
    with threads(record.threads):
        if record.parent:
            old = RunFolder.find(record.parent.folder)
            run = continue_run(old, again, data, wanted=wanted, machine=machine, console=console)
        else:
            run = start_run(again, data, arch, wanted=wanted, machine=machine, console=console)
    second = RunFolder.find(run.folder)
    before, now = (read_yaml(folder.settings, "versions") for folder in (first, second))
    return Rerun(run, tuple(_differing_numbers(first, second)), tuple(_differing_environment(before, now)))


def _differing_numbers(first: RunFolder, second: RunFolder) -> Iterator[str]:
    """Where metrics and weights of two runs differ, in sentences."""
    timed = ("time_s", "images_per_s")
    for one, two in zip(first.metrics(), second.metrics(), strict=True):
        if other := [name for name in one if name not in timed and one[name] != two.get(name)]:
            values = ", ".join(
                f"{name} {one[name]:.7g} before, {two.get(name, float('nan')):.7g} now" for name in other
            )
            yield f"metrics.csv, first in epoch {one['epoch'] + 1:.0f}: {values}"
            break
    for which in ("best", "last"):
        before, now = (read(run.weights(which)).tensors for run in (first, second))
        apart = {key: float((t.double() - now[key].double()).abs().max()) for key, t in before.items()}
        if any(apart.values()):
            key = max(apart, key=lambda key: apart[key])
            n = sum(gap > 0 for gap in apart.values())
            yield f"weights/{which}: {n} of {len(apart)} tensors, by up to {apart[key]:.2g} ({key})"


def _differing_environment(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Where versions and machines of two runs differ, in sentences."""
    for name in now["versions"]:
        if before["versions"].get(name) != now["versions"][name]:
            yield f"{name} {before['versions'].get(name)} before, {now['versions'][name]} now"
    for key in ("python", "platform", "processor", "threads", "processes", "teacher", "git"):
        if before.get(key) != now.get(key):
            yield f"{key} {before.get(key)} before, {now.get(key)} now"
