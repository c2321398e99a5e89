"""The settings of an export."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from glocal.deploying.runtimes import Form, Precision
from glocal.settings import STRICT, Flag


class ExportSettings(BaseModel):
    """What is written, where, and what it may lose."""

    model_config = STRICT

    to: Annotated[Form, Flag("onnx, openvino, or torch for an archive of torch.export.")] = "onnx"
    precision: Annotated[Precision, Flag("fp32, bf16 (OpenVINO) or int8 (onnx and OpenVINO).")] = "fp32"
    output: Annotated[
        Path | None, Flag("Folder to write into; by default exports/FORM-PRECISION in the run's folder.")
    ] = None
    max_loss: Annotated[
        float,
        Field(ge=0, le=100),
        Flag("int8 and bf16: points of accuracy that may be lost at most, with 95 % confidence."),
    ] = 0.3
    pictures: Annotated[int, Field(ge=2), Flag("Held-out pictures to check the file on, at most.")] = 2000
    licence: Annotated[str | None, Flag("Licence of the weights, for the file and its card: apache-2.0.")] = None
