"""int8 by static calibration on training pictures: weights a channel at a time, activations a tensor at a time.

Weights keep seven bits: processors without VNNI add products of eight bits in sixteen, where they overflow.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from glocal.data import Split
from glocal.data.batches.preprocess import Preprocess
from glocal.deploying.programs.tracing import INPUT, quiet
from glocal.extras import require

CALIBRATION = 300  # training pictures; nncf's default, and ONNX Runtime's observers are flat by then


def _prepared(split: Split, preprocess: Preprocess) -> Iterator[np.ndarray]:
    for i in range(len(split)):
        yield preprocess.resize(split.picture(i))[None]


def quantise_onnx(network: Any, split: Split, preprocess: Preprocess) -> Any:
    """An `onnx.ModelProto` of `forms.core` with int8 convolutions and dense layers. Attention between activations stays float."""
    require("int8", "export", "onnx", "onnxruntime")
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches = _prepared(split, preprocess)

        def get_next(self) -> dict[str, np.ndarray] | None:
            """The next input, or None."""
            batch = next(self.batches, None)
            return None if batch is None else {INPUT: batch}

    with TemporaryDirectory() as folder, quiet(), _silent_root():
        before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        onnx.save(network, before)
        quantize_static(
            before,
            after,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
        return onnx.load(after)


def quantise_openvino(network: Any, split: Split, preprocess: Preprocess) -> Any:
    """An `openvino.Model` of `forms.core` in int8, by nncf."""
    require("int8 by OpenVINO", "openvino", "nncf", "openvino")
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    advanced = nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE)
    with quiet():
        return nncf.quantize(
            network,
            nncf.Dataset(list(_prepared(split, preprocess))),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(split),
            advanced_parameters=advanced,
        )


class _silent_root:  # noqa: N801 - used as a function
    """ONNX Runtime's quantiser warns through the root logger that it would like a model to be prepared, which ours is."""

    def __enter__(self) -> None:
        self.level = logging.root.level
        logging.root.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        logging.root.setLevel(self.level)
