"""Networks as they are deployed, beside timm's in PyTorch: `python benchmarks/deployed.py [--small] [name ...]`.

Prints for each network and batch size the median milliseconds of a pass of timm eager in float32 (ours where timm has no such
network), and how many times as fast the others are: ours eager, ONNX Runtime, OpenVINO in float32, bf16 and int8. All take turns.
Int8 is calibrated on random pictures: its speed is meant, not its accuracy. "most" is how many times as fast a runtime could be
whose multiply-adds all ran at the rate of a large product of matrices in PyTorch, in float32 and in bf16. No runtime gets far
beyond it, whatever another processor makes of the same network.

`--processor-time` counts what the process computes and not what passes, for machines that other work shares; give `--threads 1`
with it, since threads that wait for one another also compute. `--output FILE` keeps each row, so that a table that was stopped
goes on where it was.
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import glocal
from glocal.data.checks.scan import cores
from glocal.deploying.runtimes import has_bf16, instructions, open_file, open_openvino
from glocal.deploying.speed import write_network
from glocal.design import cost
from glocal.families.catalogue import timm_arguments
from glocal.net import Network
from glocal.net.timing.latency import measure_calls, processor

NETWORKS = ("coatnet_0", "convnext_tiny", "convmixer_768_32", "deit_tiny", "cct_14_7x2_224", "glit_tiny")
COLUMNS = ("ours", "onnx", "openvino", "bf16", "int8", "most", "most bf16")
PRODUCT = 1024  # the side of the matrices


def quantised(path: Path, shape: tuple[int, int, int]) -> object:
    """The model of a file in int8, calibrated on ten random pictures."""
    import nncf
    import openvino

    pictures = [np.random.default_rng(i).standard_normal((1, *shape)).astype(np.float32) for i in range(10)]
    model = openvino.Core().read_model(path)
    fix = nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE)
    return nncf.quantize(
        model, nncf.Dataset(pictures), model_type=nncf.ModelType.TRANSFORMER, subset_size=10, advanced_parameters=fix
    )


def calls_of(ours: Network, folder: Path, *, threads: int, small: bool) -> dict[str, Callable[[Tensor], object]]:
    """What is measured of a network, by its column; "timm" or "ours" is what the others are compared with."""
    shape = (ours.arch.image.c, ours.arch.image.h, ours.arch.image.w)
    onnx, xml = (write_network(ours, shape, folder, form=form) for form in ("onnx", "openvino"))
    calls: dict[str, Callable[[Tensor], object]] = {"ours": ours}
    if not small and (arguments := timm_arguments(ours.arch.name)) is not None:
        import timm

        calls["timm"] = timm.create_model(**arguments).eval()
    runs = {"onnx": open_file(onnx, threads=threads), "openvino": open_file(xml, threads=threads)}
    square = torch.randn(PRODUCT, PRODUCT)
    calls["most"] = lambda x: square @ square
    if has_bf16():
        runs["bf16"] = open_file(xml, threads=threads, bf16=True)
        low = square.bfloat16()
        calls["most bf16"] = lambda x: low @ low
    runs["int8"] = open_openvino(quantised(xml, shape), threads=threads)
    return calls | {column: partial(_run, run) for column, run in runs.items()}


def _run(run: Callable[[np.ndarray], np.ndarray], x: Tensor) -> np.ndarray:
    return run(x.numpy())


def rows_of(name: str, given: argparse.Namespace) -> dict[int, dict[str, float]]:
    """Median milliseconds of each column, by batch size; for "most" those of all multiply-adds at that rate."""
    found = {}
    clock = time.process_time if given.processor_time else time.perf_counter
    torch.manual_seed(0)
    network = glocal.create_model(name, img_size=32 if given.small else None).eval()
    with tempfile.TemporaryDirectory() as folder:
        calls = calls_of(network, Path(folder), threads=given.threads, small=given.small)
        for batch_size in given.batch_size:
            x = torch.randn(batch_size, *network.arch.image)
            timed = {column: partial(call, x) for column, call in calls.items()}
            taken = measure_calls(
                timed, device=torch.device("cpu"), rounds=given.rounds, warmup=2, bf16=False, clock=clock
            )
            found[batch_size] = {column: statistics.median(ms) for column, ms in taken.items()}
            products = batch_size * cost(network.arch).macs / PRODUCT**3
            for column in ("most", "most bf16"):
                if column in taken:
                    found[batch_size][column] *= products
    return found


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=NETWORKS)
    parser.add_argument("--batch-size", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--processor-time", action="store_true")
    parser.add_argument("--output", type=Path, help="file of rows that are done; they are not measured again")
    parser.add_argument("--small", action="store_true", help="pictures of 32 x 32, without timm: a test of the script")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(given.threads)
    clock = "processor time" if given.processor_time else "time"
    print(f"{processor()}: {', '.join(instructions())}; {given.threads} threads, torch {torch.__version__}, {clock}")
    if not has_bf16():
        print("bf16 is left out: this processor has none, and OpenVINO would compute in float32")
    print(f"{'network':<18} {'batch':>5} {'base':>5} {'base ms':>9}" + "".join(f"{column:>10}" for column in COLUMNS))
    done = json.loads(given.output.read_text()) if given.output and given.output.exists() else {}
    for name in given.names:
        if name not in done:
            done[name] = {str(batch_size): ms for batch_size, ms in rows_of(name, given).items()}
            if given.output:
                given.output.write_text(json.dumps(done, indent=1))
        for batch_size, ms in done[name].items():
            base = "timm" if "timm" in ms else "ours"
            cells = "".join(f"{ms[base] / ms[c]:>10.2f}" if c in ms else f"{'-':>10}" for c in COLUMNS)
            print(f"{name:<18} {batch_size:>5} {base:>5} {ms[base]:>9.1f}{cells}", flush=True)


if __name__ == "__main__":
    main()
