"""What the engine costs: the steps of `glocal train` against a bare loop of torch, with the same network, pictures and batches.

    python benchmarks/engine.py FOLDER [MODEL] [--steps 40] [--rounds 5] [--batch-size 128]

Both read the same `Batches`; the bare loop normalises, goes forward and back, clips and steps AdamW, and does nothing else.
Rounds of one and of the other take turns; the figure is the median of the ratios of neighbours.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

import glocal
from glocal.artifacts.run_folder import RunFolder
from glocal.machine.device import keep_memory
from glocal.machine.processes import Machine
from glocal.machine.signals import Stop
from glocal.monitoring.log import Log
from glocal.net import Network
from glocal.recipes import recipe
from glocal.training import loop
from glocal.training.optimizer import optimizer
from glocal.training.state import State


def bare(job: loop.Job, network: Network, steps: int) -> float:
    """Seconds a step of a plain loop."""
    stepper, longest = optimizer(network, job.recipe), job.recipe.clip_grad
    assert longest is not None
    network.train()
    began = time.perf_counter()
    for x, y in loop._batches(job, epoch=0, start=0):
        value = functional.cross_entropy(network(job.preprocess.normalise(x)), y, label_smoothing=job.recipe.smoothing)
        value.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), longest)
        stepper.step()
        stepper.zero_grad()
        value.item()
    return (time.perf_counter() - began) / steps


def ours(job: loop.Job, network: Network, steps: int) -> float:
    """Seconds a step of `glocal train`."""
    state = State.start(network, job.recipe, job.machine)
    began = time.perf_counter()
    loop.train_epoch(state, job, epoch=0, start=0, steps=steps)
    return (time.perf_counter() - began) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("model", nargs="?", default="cct_2_3x2_32")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128, help="small batches show the engine's milliseconds")
    told = parser.parse_args()
    keep_memory(torch.device("cpu"))  # for both
    chosen = recipe("small").but({"model": told.model, "batch_size": told.batch_size})
    data = glocal.check(told.folder).require_data()
    data = replace(data, train=data.train.taken(np.arange(len(data.train))[: told.steps * chosen.batch_size]))
    times: dict[str, list[float]] = {"bare": [], "ours": []}
    with tempfile.TemporaryDirectory() as folder, Stop().listening() as stop:
        run = RunFolder(Path(folder))
        log = Log(run, epochs=1, val=data.val, console=None)
        arch = glocal.architecture(told.model)
        job = loop.Job(
            data, chosen, chosen.preprocess((arch.image.h, arch.image.w)), Machine.start("cpu"), run, log, stop
        )
        steps = loop.steps_per_epoch(job)
        for _ in range(told.rounds + 1):
            for name, measured in (("bare", bare), ("ours", ours)):
                torch.manual_seed(0)
                network = glocal.create_model(told.model, num_classes=len(data.classes))
                times[name].append(measured(job, network, steps))
    ratios = [b / a for a, b in zip(times["bare"][1:], times["ours"][1:], strict=True)]  # the first round warms up
    print(f"{told.model}, batches of {chosen.batch_size}, {steps} steps a round, {torch.get_num_threads()} threads")
    for name, seconds in times.items():
        print(f"{name}: {1e3 * statistics.median(seconds[1:]):.1f} ms a step")
    print(f"ours / bare: {statistics.median(ratios):.4f} ({min(ratios):.4f} to {max(ratios):.4f})")
    apart = [1e3 * (b - a) for a, b in zip(times["bare"][1:], times["ours"][1:], strict=True)]
    print(f"ours - bare: {statistics.median(apart):.2f} ms a step ({min(apart):.2f} to {max(apart):.2f})")


if __name__ == "__main__":
    main()
