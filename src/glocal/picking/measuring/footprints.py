"""What one picture takes on a device: latency measured in the form that will be deployed, memory counted."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from glocal.deploying.speed import speeds, write_network
from glocal.design.memory import memory_bytes
from glocal.errors import RecipeError
from glocal.net import Network
from glocal.net.timing.latency import measure
from glocal.picking.candidates import Candidate
from glocal.picking.measuring.limits import Footprint, Measure
from glocal.picking.settings import DeployedForm

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
    for shape, alike in _by_shape(candidates):
        with TemporaryDirectory() as folder:
            files = {}
            for i, each in enumerate(alike):
                (own := Path(folder) / str(i)).mkdir()
                files[each.name] = write_network(Network(each.architecture), shape, own, form=form)
            timings = speeds(files, shape, batch_size=1, rounds=ROUNDS, memory=False)
        for each in alike:
            timing = timings[each.name]
            found[each.name] = Footprint(timing.p50_ms, timing.p95_ms, memory_bytes(each.architecture))
    return found


def _by_shape(candidates: Sequence[Candidate]) -> Iterator[tuple[Shape, list[Candidate]]]:
    for image in {each.architecture.image for each in candidates}:
        yield (image.c, image.h, image.w), [each for each in candidates if each.architecture.image == image]
