"""How fast a network is in the form in which it is deployed, and what file and memory it needs there."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import torch
from torch import nn

from glocal.data.checks.scan import cores
from glocal.deploying.exported import load_exported
from glocal.deploying.programs.tracing import EXAMPLE, to_onnx, trace
from glocal.deploying.runtimes import Run, open_file
from glocal.errors import RunError
from glocal.extras import require
from glocal.net.timing.latency import Timing, measure_calls

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Speed:
    """One network in one runtime: milliseconds of a pass at a batch size, and what it needs.

    peak_memory_bytes: what loading the file and three passes add to the peak resident memory of a process that has only the
    runtime and numpy in it. None where the operating system does not say (it is read on Linux alone).
    """

    form: str
    batch_size: int
    threads: int
    p50_ms: float
    p95_ms: float
    file_bytes: int
    peak_memory_bytes: int | None

    @property
    def images_per_s(self) -> float:
        """Throughput at the median."""
        return 1000 * self.batch_size / self.p50_ms


def deployed_speed(
    network: nn.Module,
    shape: Shape,
    *,
    batch_size: int = 1,
    threads: int | None = None,
    form: Literal["onnx", "openvino"] = "onnx",
    rounds: int = 15,
    memory: bool = True,
) -> Speed:
    """Exports a network in float32 and measures it in its runtime on the processor.

    shape: (channels, height, width) of the pictures. threads: of the runtime; None for one a core. rounds: passes that are timed,
    after three that are not. memory: whether peak memory is measured too, which starts another process.
    Exporting takes some seconds to a minute. RunError where the network cannot be exported or the runtime is not installed.
    """
    with TemporaryDirectory() as folder:
        path = write_network(network, shape, Path(folder), form=form)
        return speeds({form: path}, shape, batch_size=batch_size, threads=threads, rounds=rounds, memory=memory)[form]


def write_network(network: nn.Module, shape: Shape, folder: Path, *, form: Literal["onnx", "openvino"]) -> Path:
    """Writes a network without preprocessing, in float32, for normalised pictures (batch, *shape) of any number."""
    require("export to ONNX", "export", "onnx", "onnxscript")
    import onnx

    model = to_onnx(trace(network.cpu().eval(), torch.randn(EXAMPLE, *shape)))
    path = folder / "network.onnx"
    onnx.save(model, path)
    if form == "onnx":
        return path
    require("export to OpenVINO", "openvino", "openvino")
    import openvino

    other = folder / "network.xml"
    openvino.save_model(openvino.convert_model(path), other, compress_to_fp16=False)
    return other


def speeds(
    files: Mapping[str, Path],
    shape: Shape,
    *,
    batch_size: int,
    threads: int | None = None,
    rounds: int = 15,
    memory: bool = True,
) -> dict[str, Speed]:
    """Measures files that `write_network` wrote, in turns, so that other work on the machine slows all of them alike."""
    n = threads or cores()
    batch = np.random.default_rng(0).standard_normal((batch_size, *shape)).astype(np.float32)
    runs: dict[str, Run] = {name: open_file(path, threads=n) for name, path in files.items()}
    calls = {name: partial(run, batch) for name, run in runs.items()}
    taken = measure_calls(calls, device=torch.device("cpu"), rounds=rounds, warmup=3, bf16=False)
    return {
        name: Speed(
            form=name,
            batch_size=batch_size,
            threads=n,
            p50_ms=(timing := Timing.of(ms, batch_size)).p50_ms,
            p95_ms=timing.p95_ms,
            file_bytes=file_bytes(files[name]),
            peak_memory_bytes=peak_memory(files[name], batch.shape, threads=n) if memory else None,
        )
        for name, ms in taken.items()
    }


def exported_timing(path: Path, *, batch_size: int, threads: int | None = None, rounds: int = 30) -> Timing:
    """Speed of a file that `glocal export` wrote, on pictures that have its network's size already, preprocessing included."""
    exported = load_exported(path, threads=threads)
    picture = exported.resize(np.zeros((*exported.preprocess.size, 3), np.uint8))
    batch = np.random.default_rng(0).integers(0, 256, (batch_size, *picture.shape), np.uint8)
    calls = {"": partial(exported.run, batch)}
    ms = measure_calls(calls, device=torch.device("cpu"), rounds=rounds, warmup=5, bf16=False)[""]
    return Timing.of(ms, batch_size)


def file_bytes(path: Path) -> int:
    """Bytes of a file and of the weights beside it."""
    beside = [path.with_suffix(".bin"), path.with_name(f"{path.name}.data")]
    return sum(each.stat().st_size for each in (path, *beside) if each.is_file())


# A process of its own: the peak of this one is that of torch, and of whatever ran before.
_MEMORY = """
import json, sys
import numpy as np
path, shape, dtype, threads = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], int(sys.argv[4])
batch = np.zeros(shape, dtype)
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
if path.endswith(".onnx"):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    before = peak()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    call = lambda: session.run(None, {name: batch})
else:
    import openvino
    core = openvino.Core()
    before = peak()
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": openvino.Type.f32,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = core.compile_model(path, "CPU", settings)
    call = lambda: compiled([batch])
for _ in range(3):
    call()
print(peak() - before)
"""


def peak_memory(path: Path, shape: tuple[int, ...], *, threads: int, dtype: str = "float32") -> int | None:
    """Bytes that loading a file and three passes of a batch add to the peak resident memory of a process with the runtime and
    numpy in it; None where the operating system does not say."""
    if not sys.platform.startswith("linux"):
        return None
    call = [sys.executable, "-c", _MEMORY, str(path), json.dumps(shape), dtype, str(threads)]
    try:
        return int(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().rpartition("\n")[2]
        raise RunError(f"{path} could not be computed by a process of its own: {reason}") from None
