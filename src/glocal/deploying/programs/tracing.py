"""From a network to a program of torch.export, and from there to ONNX, both for a batch of any size."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from glocal.errors import RunError
from glocal.extras import require
from glocal.files import reason_of

OPSET = 19  # of ONNX: the first whose Resize has antialiasing in all runtimes that glocal is tested with
INPUT, OUTPUT = "pictures", "probabilities"
EXAMPLE = 2  # pictures in the batch that is traced; torch takes a batch of one for a constant


def trace(module: nn.Module, example: torch.Tensor) -> torch.export.ExportedProgram:
    """The program of a module, whose first axis stays free. RunError where the module makes it a constant."""
    batch = {0: torch.export.Dim.DYNAMIC}
    # With gradients, torch traces attention whose memory order its own decomposition to ONNX does not keep.
    with torch.no_grad(), quiet():
        try:
            return torch.export.export(module.eval(), (example,), dynamic_shapes=(batch,))
        except (RuntimeError, ValueError, AssertionError) as error:  # what torch.export raises
            raise RunError(f"this network cannot be exported: {reason_of(error)}") from error


def to_onnx(program: torch.export.ExportedProgram) -> Any:
    """The program as an `onnx.ModelProto`, with one input `pictures` and one output `probabilities`.

    RunError where it has an operation that ONNX lacks.
    """
    require("export to ONNX", "export", "onnx", "onnxscript")
    with torch.no_grad(), quiet():
        try:
            converted = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                verbose=False,
                optimize=True,
            )
        except RuntimeError as error:  # of which torch.onnx's own errors derive
            raise RunError(f"this network cannot be exported to ONNX: {reason_of(error)}") from error
    assert converted is not None
    return converted.model_proto


@contextmanager
def quiet() -> Iterator[None]:
    """Silences the deprecations that torch's exporters print about their own code."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
