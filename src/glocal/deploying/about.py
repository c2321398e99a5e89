"""What an exported file says of itself, and how that is written into and read from a file of each form."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from glocal.data.batches.preprocess import Preprocess
from glocal.deploying.runtimes import SUFFIXES, Form, Precision
from glocal.errors import DataError, RunError
from glocal.extras import require
from glocal.files import reason_of

KEY = "glocal"  # of OpenVINO's rt_info


@dataclass(frozen=True)
class Accuracy:
    """Share of held-out pictures that the exported file classifies correctly, with Wilson's 95 % interval."""

    top1: float
    interval: tuple[float, float]
    n: int
    pictures: str  # which they are


@dataclass(frozen=True)
class About:
    """The metadata of an exported file.

    classes: names in the order of the probabilities. resizes: whether the file takes pictures of any size; otherwise they must
    have the size of `preprocess`. temperature: what the file divides the logits by. multi_label: whether each probability
    stands for itself. agreement: how it differed from PyTorch on real pictures, as sentences.
    """

    name: str
    architecture: Any  # plain data, as `design.dump` makes it
    classes: tuple[str, ...]
    preprocess: Mapping[str, Any]
    form: Form
    precision: Precision
    resizes: bool
    temperature: float
    multi_label: bool
    licence: str | None
    accuracy: Accuracy | None
    agreement: tuple[str, ...]
    glocal_version: str

    @property
    def recipe(self) -> Preprocess:
        """How a picture becomes the network's input."""
        return Preprocess.from_json(self.preprocess)

    def to_properties(self) -> dict[str, str]:
        """Each field as JSON: ONNX's metadata_props are pairs of texts."""
        return {name: json.dumps(value, ensure_ascii=False) for name, value in asdict(self).items()}

    @classmethod
    def from_properties(cls, values: Mapping[str, str], *, path: Path) -> "About":
        """The inverse of `to_properties`; RunError where a field is missing, so that the file is not glocal's."""
        names = [field.name for field in fields(cls)]
        if missing := [name for name in names if name not in values]:
            raise RunError(f"{path} was not written by `glocal export`: it does not say its {missing[0]}")
        try:
            about = TypeAdapter(cls).validate_python({name: json.loads(values[name]) for name in names})
            Preprocess.from_json(about.preprocess)
        except (DataError, RecursionError, TypeError, ValueError) as error:
            raise RunError(f"{path} is not whole: its metadata are damaged: {reason_of(error)}") from None
        return about


def read_about(path: Path) -> About:
    """The metadata of an exported file of any form; RunError where it has none."""
    form = SUFFIXES.get(path.suffix)
    try:
        values = _READ[form](path) if form else {}
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {reason_of(error)}") from None
    return About.from_properties(values, path=path)


def _of_onnx(path: Path) -> dict[str, str]:
    require("a file of ONNX", "export", "onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()  # without optimisations, which take longest: nothing is computed
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # ONNX Runtime's own errors derive from Exception, each from none of the others.
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ValueError(str(error)) from None
    found: dict[str, str] = session.get_modelmeta().custom_metadata_map
    return found


def _of_openvino(path: Path) -> dict[str, str]:
    require("a file of OpenVINO", "openvino", "openvino")
    import openvino

    model = openvino.Core().read_model(path)
    if not model.has_rt_info([KEY]):
        return {}
    found: dict[str, str] = json.loads(model.get_rt_info([KEY]).astype(str))
    return found


def _of_torch(path: Path) -> dict[str, str]:
    from glocal.deploying.programs.archive import archive_metadata

    return archive_metadata(path)


_READ = {"onnx": _of_onnx, "openvino": _of_openvino, "torch": _of_torch}
