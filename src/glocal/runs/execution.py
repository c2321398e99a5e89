"""From a run's folder to a finished run: trains from the state in the folder, or from the start, to the end of the recipe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from glocal.artifacts.run_folder import RunFolder
from glocal.command_line import command
from glocal.data import Data
from glocal.errors import DataError, RunError
from glocal.evaluation.calibration.calibrate import calibrate_run
from glocal.evaluation.scores import Scores
from glocal.machine.device import autocasts, keep_memory
from glocal.machine.failures import failure_of
from glocal.machine.processes import Machine
from glocal.machine.signals import Stop
from glocal.monitoring.announce import announce
from glocal.monitoring.log import Log
from glocal.net.saving.tensor_files import read_meta
from glocal.runs.record import RunRecord
from glocal.runs.run import Run
from glocal.runs.starting_point import StartingPoint, normalisation_mismatch
from glocal.training.distillation import Teacher
from glocal.training.freezing import describe_freezing
from glocal.training.loop import Job, fit
from glocal.training.state import State
from glocal.weights import AnyArchitecture, Loaded


@dataclass(frozen=True)
class Execution:
    """A run whose folder has been written: what it trains on, and where."""

    record: RunRecord
    data: Data
    architecture: AnyArchitecture
    run: RunFolder
    machine: Machine
    console: Console | None
    teacher: Teacher | None

    def to_end(self, *, notes: Sequence[str] = ()) -> Run:
        """Trains to the end of the recipe, and returns the finished run. notes: further lines to print before the first step."""
        record, data, run = self.record, self.data, self.run
        recipe, resumed = record.recipe, run.state.exists()
        keep_memory(self.machine.device)
        machine = replace(self.machine, amp=autocasts(recipe.amp, self.machine.device))
        console = self.console if machine.main else None
        start = StartingPoint(data, self.architecture, recipe)
        network, loaded = start.network()
        state = State.start(network.to(machine.device), recipe, machine)
        if resumed:
            state.load(run.state)
        if console:
            lines = [*notes, *self._notes(start, loaded if not resumed else None), describe_freezing(network, recipe)]
            announce(console, self.architecture, data, recipe, run=run, machine=machine, step=state.step, notes=lines)
        log = Log(
            run if machine.main else None,
            epochs=recipe.total_epochs,
            val=data.val,
            console=console,
            start=state.step,
            rows=state.rows,
            device=machine.device,
            mlflow=record.place.mlflow,
        )
        try:
            with Stop().listening() as stop, log:
                fit(state, Job(data, recipe, start.preprocess, machine, run, log, stop, self.teacher))
            calibrate_run(run, data.val, machine=machine, console=console)
        except DataError as error:  # a file or a network path that was there when the pictures were checked
            line = command("train", options=[("--resume", run.path)])
            raise DataError(f"{error}\nwhen it is back, continue: {line}") from None
        except (MemoryError, OSError, RuntimeError) as error:
            if not (failure := failure_of(error)):
                raise
            line = command("train", options=[("--resume", run.path)])
            raise RunError(f"{failure}; to continue: {line}") from error
        return finished_run(run, data, self.architecture, start=start, machine=machine)

    def _notes(self, start: StartingPoint, loaded: Loaded | None) -> list[str]:
        """Lines about the pretrained weights and the teacher."""
        of_weights = [*str(loaded).splitlines(), normalisation_mismatch(loaded, start.preprocess)] if loaded else []
        return [*of_weights, f"learns from {self.teacher.description}" if self.teacher else ""]

    def to_epoch(self, epochs: int, *, on_epoch: Callable[[int, Scores], None], ends_at: float | None = None) -> None:
        """Trains until so many epochs of the recipe are done, prints nothing, and leaves the state, from which this or `to_end`
        goes on to the same bits as if there had been no break.

        on_epoch: called after each epoch that is trained now, with its number from 1 and its scores, before its state is saved.
        ends_at: of `time.time`; a run that is not done then raises Stopped after its step, with its state saved.
        """
        recipe, run = self.record.recipe, self.run
        keep_memory(self.machine.device)
        machine = replace(self.machine, amp=autocasts(recipe.amp, self.machine.device))
        start = StartingPoint(self.data, self.architecture, recipe)
        state = State.start(start.network()[0].to(machine.device), recipe, machine)
        if run.state.exists():
            state.load(run.state)
        log = Log(None, epochs=recipe.total_epochs, val=self.data.val, console=None, start=state.step)
        with Stop(ends_at).listening() as stop, log:
            job = Job(self.data, recipe, start.preprocess, machine, run, log, stop, self.teacher)
            fit(state, replace(job, epochs=min(epochs, recipe.total_epochs), on_epoch=on_epoch))


def finished_run(run: RunFolder, data: Data, arch: AnyArchitecture, *, start: StartingPoint, machine: Machine) -> Run:
    """The result of a run that has been trained to its end."""
    best = read_meta(run.weights("best"))["notes"]
    return Run(
        folder=run.path,
        architecture=arch,
        classes=data.classes,
        weights=run.weights("best"),
        epoch=int(best["epoch"]),
        val=Scores.from_json(best["val"]),
        probe=start.probe(machine) if machine.main else None,
    )
