"""What one picture takes on a device, measured in the form that will be deployed; in PyTorch the memory is counted."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch

from glocal.data import Preprocess
from glocal.data.checks.scan import cores
from glocal.deploying import forms
from glocal.deploying.export import build
from glocal.deploying.runtimes import Form, Run, suffix_of
from glocal.deploying.settings import ExportSettings
from glocal.deploying.speed import file_bytes, peak_memory
from glocal.design.memory import memory_bytes
from glocal.errors import RecipeError
from glocal.files import unique_name
from glocal.net import Network
from glocal.net.timing.latency import Timing, measure, measure_calls
from glocal.picking.candidates import Candidate
from glocal.picking.measuring.limits import Footprint, Measure
from glocal.picking.settings import DeployedForm
from glocal.weights import Model

ROUNDS = 30
LEAST_S = 5.0
"""That candidates of one picture size are measured where latency is limited: a shared processor is slow for seconds at a time."""
Shape = tuple[int, int, int]


def measure_in(form: DeployedForm, *, limited: bool = False) -> Measure:
    """The function that measures candidates in a form, float32, one picture at a time, those of one picture size in turns.

    limited: whether latency has a limit, for which `LEAST_S` seconds are measured.
    """
    least_s = LEAST_S if limited else 0.0
    if form == "pytorch":
        return partial(_measure_pytorch, least_s=least_s)
    return partial(_measure_exported, form=form, least_s=least_s)


def _measure_pytorch(
    candidates: Sequence[Candidate], device: torch.device, *, least_s: float
) -> Mapping[str, Footprint]:
    found: dict[str, Footprint] = {}
    for shape, alike in _by_shape(candidates):
        networks = {each.name: Network(each.architecture) for each in alike}
        timings = measure(networks, shape, batch_size=1, device=device, rounds=ROUNDS, least_s=least_s, warmup=2)
        for each in alike:
            timing = timings[each.name]
            found[each.name] = Footprint(timing.p50_ms, timing.p75_ms, memory_bytes(each.architecture))
    return found


def _measure_exported(
    candidates: Sequence[Candidate], device: torch.device, *, form: Form, least_s: float
) -> Mapping[str, Footprint]:
    if device.type != "cpu":
        raise RecipeError(
            f"--form {form} is measured on the processor; give --device cpu, or --form pytorch for {device}"
        )
    found: dict[str, Footprint] = {}
    with TemporaryDirectory() as folder:
        for _, alike in _by_shape(candidates):
            files = {each.name: _write(each, form, Path(folder)) for each in alike}
            calls = {name: partial(file.run, file.batch) for name, file in files.items()}
            taken = measure_calls(calls, device=device, rounds=ROUNDS, least_s=least_s, warmup=3, bf16=False)
            for each in alike:
                file, timing = files[each.name], Timing.of(taken[each.name], 1)
                memory = peak_memory(file.path, file.batch.shape, threads=cores(), dtype="uint8")
                memory = memory or memory_bytes(each.architecture)  # not every system says what a process takes
                found[each.name] = Footprint(timing.p50_ms, timing.p75_ms, memory, file_bytes(file.path))
    return found


class _File(NamedTuple):
    path: Path
    run: Run
    batch: np.ndarray  # one picture as it reads it


def _write(candidate: Candidate, form: Form, folder: Path) -> _File:
    """The file that `glocal export` would write, preparation included; the values of its weights change neither time nor size."""
    image = candidate.architecture.image
    grey = (0.5,) * image.c
    preprocess = Preprocess((image.h, image.w), mean=grey, std=grey)
    model = Model(Network(candidate.architecture), (), preprocess.to_json())
    draft = build(model, ExportSettings(to=form), resizes=form == "onnx")
    path = folder / f"{unique_name(candidate.name)}{suffix_of(form)}"
    forms.write(draft.model, path, draft.exported.about)
    picture = draft.exported.resize(np.zeros((*preprocess.size, 3), np.uint8))
    return _File(path, draft.exported.run, picture[None])


def _by_shape(candidates: Sequence[Candidate]) -> Iterator[tuple[Shape, list[Candidate]]]:
    for image in {each.architecture.image for each in candidates}:
        yield (image.c, image.h, image.w), [each for each in candidates if each.architecture.image == image]
