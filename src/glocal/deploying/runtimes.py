"""The runtimes that execute exported files, each as one function from a batch to what the network gives for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from glocal.data.checks.scan import cores
from glocal.errors import GlocalError, RunError
from glocal.extras import require
from glocal.files import reason_of

Form = Literal["onnx", "openvino", "torch"]
Precision = Literal["fp32", "bf16", "int8"]
Run = Callable[[np.ndarray], np.ndarray]

SUFFIXES: dict[str, Form] = {".onnx": "onnx", ".xml": "openvino", ".pt2": "torch"}


def suffix_of(form: Form) -> str:
    """The suffix of files of a form."""
    return next(suffix for suffix, each in SUFFIXES.items() if each == form)


def open_file(path: Path, *, threads: int | None = None, bf16: bool = False) -> Run:
    """The function that a file of ONNX, OpenVINO or torch.export computes, on the processor; RunError for any other file."""
    if (form := SUFFIXES.get(path.suffix)) is None:
        raise RunError(f"{path} is no exported file; those end in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise RunError(f"{path}: no such file")
    try:
        if form == "onnx":
            return open_onnx(str(path), threads=threads)
        if form == "openvino":
            return open_openvino(str(path), threads=threads, bf16=bf16)
        from glocal.deploying.programs.archive import load_program

        return _torch_run(load_program(path).module())
    except GlocalError:
        raise
    except Exception as error:  # the runtimes raise whatever a damaged graph leads to
        raise RunError(f"{path} cannot be read: {reason_of(error)}") from None


def open_onnx(model: str | bytes, *, threads: int | None = None) -> Run:
    """A path, or a model's bytes, in ONNX Runtime."""
    require("a file of ONNX", "export", "onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or cores()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(batch: np.ndarray) -> np.ndarray:
        found: np.ndarray = session.run(None, {name: batch})[0]
        return found

    return run


def open_openvino(model: Any, *, threads: int | None = None, bf16: bool = False) -> Run:
    """A path, or an `openvino.Model`, in OpenVINO, in float32 unless bfloat16 is asked for."""
    require("a file of OpenVINO", "openvino", "openvino")
    import openvino

    precision = openvino.Type.bf16 if bf16 else openvino.Type.f32
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads or cores(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(model, "CPU", settings)

    def run(batch: np.ndarray) -> np.ndarray:
        # a copy: the runtime writes the next result into the same memory
        found: np.ndarray = np.array(compiled([batch])[0])
        return found

    return run


def _torch_run(module: Any) -> Run:
    import torch

    def run(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            found: np.ndarray = module(torch.from_numpy(batch)).numpy()
        return found

    return run


def open_model(model: Any, form: Form, *, bf16: bool = False) -> Run:
    """The function that a model computes which has not been written yet: of ONNX, of OpenVINO, or a program of torch.export."""
    if form == "onnx":
        return open_onnx(model.SerializeToString())
    return open_openvino(model, bf16=bf16) if form == "openvino" else _torch_run(model.module())


def instructions() -> tuple[str, ...]:
    """The instructions of this processor that decide the speed of deployed networks; none where Linux does not name them."""
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "bf16")
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return ()
    return tuple(name for name in wanted if name in flags)


def has_bf16() -> bool:
    """Whether OpenVINO computes in bfloat16 on this processor; elsewhere it takes float32 instead."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def has_fast_int8() -> bool:
    """Whether the processor has instructions for products of eight bits (VNNI, AMX, or Arm's dot product)."""
    return any("vnni" in name or name in ("amx_int8", "asimddp") for name in instructions())
