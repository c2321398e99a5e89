"""Whether what `glocal pick` keeps within limits stays within them, exported and in a process of its own.

    python -m benchmarks.limits [--limits 20] [--seed 0] [--every 2]

Of the networks that a pick begins with, for digits, every second one is measured as `glocal pick --form onnx` does. Then limits
are drawn at random on latency, memory and the file, each between the lower quartile and the most of the networks. Of the
networks that hold all three the one with most multiply-adds is exported as `glocal export` does, and measured again in a process
that has the runtime and numpy alone: the median latency of one picture, what it adds to the peak resident memory, and the bytes
of the file. No network is trained.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import glocal
from glocal.data import check
from glocal.data.checks.scan import cores
from glocal.deploying.exported import load_exported
from glocal.net import Network
from glocal.picking.candidates import SMALL_NETWORKS, Candidate, build_all
from glocal.picking.measuring.footprints import measure_in
from glocal.picking.measuring.limits import Footprint, within_measured
from glocal.picking.settings import PickSettings
from glocal.recipes import recipe, suggest
from glocal.weights import Model, save_model

PROCESSES = 5  # that measure a file, one after the other: other work slows some of them by half
# What a device has: the runtime, numpy and the file.
FRESH = """
import json, sys, time
import numpy as np, onnxruntime
path, shape, threads = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
batch = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
before = peak()
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
name, ms = session.get_inputs()[0].name, []
for _ in range(35):
    started = time.perf_counter()
    session.run(None, {name: batch})
    ms.append(1000 * (time.perf_counter() - started))
used = peak() - before
print(json.dumps([float(np.median(ms[5:])), used]))
"""


@dataclass(frozen=True)
class Measured:
    """A file on the device."""

    p50_ms: float
    memory_bytes: int
    file_bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limits", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=2)
    settings = parser.parse_args()
    of_pictures = recipe(suggest("digits", (8, 8)))
    names = SMALL_NETWORKS[:: settings.every]
    candidates, _ = build_all(names, classes=10, channels=len(of_pictures.mean), size=of_pictures.img_size)
    footprints = measure_in("onnx", limited=True)(candidates, torch.device("cpu"))
    rng = random.Random(settings.seed)
    rows: list[tuple[bool, bool, bool]] = []
    with tempfile.TemporaryDirectory() as folder:
        while len(rows) < settings.limits:
            limits = drawn(candidates, footprints, rng)
            if (chosen := largest(candidates, footprints, limits)) is None:
                continue
            rows.append(held(chosen, footprints[chosen.name], limits, measured(chosen, Path(folder))))
    print(f"load {os.getloadavg()[0]:.1f}, {cores()} threads, {len(candidates)} networks")
    for i, what in enumerate(("latency", "memory", "size")):
        print(f"{what} holds: {sum(row[i] for row in rows)} of {len(rows)}")
    print(f"all hold: {sum(all(row) for row in rows)} of {len(rows)}")


def drawn(candidates: Sequence[Candidate], footprints: Mapping[str, Footprint], rng: random.Random) -> PickSettings:
    """Limits that some network may hold."""

    def limit(values: Sequence[float]) -> float:
        return float(np.quantile(values, rng.uniform(0.25, 1)))

    return PickSettings(
        form="onnx",
        max_latency_ms=limit([footprints[each.name].p50_ms for each in candidates]),
        max_memory_bytes=int(limit([footprints[each.name].memory_bytes for each in candidates])),
        max_file_bytes=int(limit([footprints[each.name].file_bytes or 0 for each in candidates])),
    )


def largest(
    candidates: Sequence[Candidate], footprints: Mapping[str, Footprint], limits: PickSettings
) -> Candidate | None:
    """The network with most multiply-adds of those that hold the limits, None where none does."""
    kept, _ = within_measured(candidates, footprints, limits)
    return max(kept, key=lambda each: each.cost.macs, default=None)


def fresh(file: Path, shape: Sequence[int]) -> tuple[float, int]:
    """Milliseconds of a picture and bytes of memory, in a process that has done nothing else."""
    call = [sys.executable, "-c", FRESH, str(file), json.dumps(shape), str(cores())]
    ms, memory = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
    return ms, memory


def measured(chosen: Candidate, folder: Path) -> Measured:
    """Measures the exported file of a network, which is written once."""
    of_pictures, place = recipe(suggest("digits", (8, 8))), folder / chosen.name
    if not place.exists():
        torch.manual_seed(0)
        network, image = Network(chosen.architecture).eval(), chosen.architecture.image
        preprocess = of_pictures.preprocess((image.h, image.w)).to_json()
        classes = check("digits").require_data().classes
        save_model(folder / f"{chosen.name}.safetensors", Model(network, tuple(classes), preprocess))
        glocal.export(folder / f"{chosen.name}.safetensors", "digits", output=place, pictures=50)
    file = next(place.glob("*.onnx"))
    how = load_exported(file)
    shape = [1, *how.resize(np.zeros((*how.preprocess.size, 3), np.uint8)).shape]
    ms, memory = zip(*(fresh(file, shape) for _ in range(PROCESSES)), strict=True)
    return Measured(float(np.median(ms)), max(memory), file.stat().st_size)


def held(chosen: Candidate, before: Footprint, limits: PickSettings, now: Measured) -> tuple[bool, bool, bool]:
    """Whether latency, memory and size hold; prints a line."""
    latency, memory, size = limits.max_latency_ms, limits.max_memory_bytes, limits.max_file_bytes
    assert latency is not None
    assert memory is not None
    assert size is not None
    rows = (now.p50_ms <= latency, now.memory_bytes <= memory, now.file_bytes <= size)
    print(
        f"{time.strftime('%H:%M')} {chosen.name:<32} {now.p50_ms:6.2f} of {latency:6.2f} ms (was {before.p50_ms:.2f})  "
        f"{now.memory_bytes / 1e6:6.1f} of {memory / 1e6:6.1f} MB (was {before.memory_bytes / 1e6:.1f})  "
        f"{now.file_bytes / 1e6:6.2f} of {size / 1e6:6.2f} MB  " + ", ".join("ok" if ok else "over" for ok in rows),
        flush=True,
    )
    return rows


if __name__ == "__main__":
    main()
