"""What one picture takes on a device: latency measured in the form that will be deployed, memory counted."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import torch

from glocal.data import Preprocess
from glocal.deploying.export import build
from glocal.deploying.runtimes import Form
from glocal.deploying.settings import ExportSettings
from glocal.design.memory import memory_bytes
from glocal.errors import RecipeError
from glocal.net import Network
from glocal.net.timing.latency import measure, measure_calls
from glocal.picking.candidates import Candidate
from glocal.picking.measuring.limits import Footprint, Measure
from glocal.picking.settings import DeployedForm
from glocal.weights import Model

ROUNDS = 30
Shape = tuple[int, int, int]


def measure_in(form: DeployedForm) -> Measure:
    """The function that measures candidates in a form, float32, one picture at a time, those of one picture size in turns."""
    return _measure_pytorch if form == "pytorch" else partial(_measure_exported, form=form)


def _measure_pytorch(candidates: Sequence[Candidate], device: torch.device) -> Mapping[str, Footprint]:
    found: dict[str, Footprint] = {}
    for shape, alike in _by_shape(candidates):
        networks = {each.name: Network(each.architecture) for each in alike}
        timings = measure(networks, shape, batch_size=1, device=device, rounds=ROUNDS, warmup=2)
        for each in alike:
            timing = timings[each.name]
            found[each.name] = Footprint(timing.p50_ms, timing.p95_ms, memory_bytes(each.architecture))
    return found


def _measure_exported(
    candidates: Sequence[Candidate], device: torch.device, *, form: DeployedForm
) -> Mapping[str, Footprint]:
    assert form != "pytorch"
    if device.type != "cpu":
        raise RecipeError(
            f"--form {form} is measured on the processor; give --device cpu, or --form pytorch for {device}"
        )
    found: dict[str, Footprint] = {}
    for _, alike in _by_shape(candidates):
        calls = {each.name: _exported_call(each, form) for each in alike}
        taken = measure_calls(calls, device=device, rounds=ROUNDS, warmup=3, bf16=False)
        for each in alike:
            p50, p95 = statistics.median(taken[each.name]), statistics.quantiles(taken[each.name], n=20)[-1]
            found[each.name] = Footprint(p50, p95, memory_bytes(each.architecture))
    return found


def _exported_call(candidate: Candidate, form: Form) -> Callable[[], object]:
    """One picture through what `glocal export` would write, preparation included; its values do not change the time."""
    image = candidate.architecture.image
    grey = (0.5,) * image.c
    preprocess = Preprocess((image.h, image.w), mean=grey, std=grey)
    model = Model(Network(candidate.architecture), (), preprocess.to_json())
    exported = build(model, ExportSettings(to=form), resizes=form == "onnx").exported
    picture = exported.resize(np.zeros((*preprocess.size, 3), np.uint8))
    return partial(exported.run, picture[None])


def _by_shape(candidates: Sequence[Candidate]) -> Iterator[tuple[Shape, list[Candidate]]]:
    for image in {each.architecture.image for each in candidates}:
        yield (image.c, image.h, image.w), [each for each in candidates if each.architecture.image == image]
