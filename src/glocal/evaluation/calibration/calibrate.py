"""What is done when training ends so that probabilities can be trusted: a temperature for the best weights, kept with them."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from glocal.artifacts.run_folder import RunFolder
from glocal.data import Split
from glocal.data.batches.preprocess import Preprocess
from glocal.evaluation import predictions
from glocal.evaluation.calibration.temperature import choose_temperature, describe, report_calibration
from glocal.evaluation.scores import logits_of, scores
from glocal.machine.processes import Machine
from glocal.weights import files, load_model

if TYPE_CHECKING:
    from rich.console import Console


def calibrate_run(run: RunFolder, val: Split, *, machine: Machine, console: "Console | None" = None) -> None:
    """Fits a temperature for a run's best weights on its validation pictures, and keeps it with the weights.

    predictions.csv then holds the probabilities that `predict` will give. To be called by all processes; doing it again changes
    nothing.
    """
    file = run.weights("best")
    model = load_model(file)
    preprocess = Preprocess.from_json(model.preprocess)
    logits_NK = logits_of(model.network.to(machine.device), val, preprocess=preprocess, machine=machine)
    if not machine.main:
        return
    labels = torch.as_tensor(val.labels)
    temperature = choose_temperature(logits_NK, labels)
    found = scores(logits_NK, labels, classes=model.classes, paths=val.paths, temperature=temperature)
    if found.predictions:
        found.predictions.write(run.path / predictions.FILE)
    save_temperature(file, temperature)
    if console:
        report = report_calibration(logits_NK, labels, temperature=temperature, fitted_here=True)
        console.print(describe(report), highlight=False, markup=False, soft_wrap=True)


def save_temperature(weights: Path, temperature: float) -> None:
    """Writes the temperature into the metadata of a file of weights; the tensors stay the same to the bit."""
    checkpoint = files.read(weights)
    files.save(weights, checkpoint.tensors, meta={**checkpoint.meta, "temperature": temperature})
