"""Exported files: a network with its preprocessing in front, as a model of ONNX or OpenVINO or an archive of torch.export."""

import io
import json
from pathlib import Path
from typing import Any

import torch

from glocal.data.batches.preprocess import Preprocess
from glocal.deploying.about import KEY, About
from glocal.deploying.programs.archive import ABOUT
from glocal.deploying.programs.geometry import PREPARED, Graph, preparing_graph
from glocal.deploying.programs.program import Deployed, FixedSize
from glocal.deploying.programs.tracing import EXAMPLE, INPUT, OPSET, OUTPUT, to_onnx, trace
from glocal.errors import RunError
from glocal.extras import require
from glocal.net import Network
from glocal.net.fuse import fuse
from glocal.weights import Model

_SIDES = ("batch", "height", "width", 3)


def core(model: Model, preprocess: Preprocess) -> Any:
    """The network without resizing, as an `onnx.ModelProto`: uint8 (batch, channels, height, width) to probabilities."""
    return to_onnx(trace(_deployed(model, preprocess), _example(preprocess)))


def torch_program(model: Model, preprocess: Preprocess) -> torch.export.ExportedProgram:
    """The network for pictures of its size, uint8 (batch, height, width, 3)."""
    module = FixedSize(_deployed(model, preprocess), channels=preprocess.channels)
    return trace(module, torch.zeros(EXAMPLE, *preprocess.size, 3, dtype=torch.uint8))


def _deployed(model: Model, preprocess: Preprocess) -> Deployed:
    network = model.network.cpu().eval()
    return Deployed(fuse(network) if isinstance(network, Network) else network, model, preprocess)


def _example(preprocess: Preprocess) -> torch.Tensor:
    return torch.zeros(EXAMPLE, preprocess.channels, *preprocess.size, dtype=torch.uint8)


def preparing_onnx(preprocess: Preprocess, *, resizes: bool) -> Any:
    """The preprocessing alone, as an `onnx.ModelProto`."""
    from onnx import TensorProto, helper

    graph = preparing_graph(preprocess, resizes=resizes)
    made = [helper.make_tensor_value_info(PREPARED, TensorProto.UINT8, None)]
    whole = helper.make_graph(graph.nodes, PREPARED, [_pictures(preprocess, resizes)], made, graph.constants)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


def _pictures(preprocess: Preprocess, resizes: bool) -> Any:
    from onnx import TensorProto, helper

    sides = list(_SIDES) if resizes else ["batch", *preprocess.size, 3]
    return helper.make_tensor_value_info(INPUT, TensorProto.UINT8, sides)


def with_preparation(network: Any, preprocess: Preprocess, *, resizes: bool) -> Any:
    """A model of ONNX that takes pictures: the preprocessing in front of `core`."""
    import onnx

    whole = onnx.ModelProto()
    whole.CopyFrom(network)
    graph: Graph = preparing_graph(preprocess, resizes=resizes)
    for node in whole.graph.node:
        node.input[:] = [PREPARED if name == INPUT else name for name in node.input]
    behind = list(whole.graph.node)
    del whole.graph.node[:]
    whole.graph.node.extend([*graph.nodes, *behind])
    whole.graph.initializer.extend(graph.constants)
    whole.graph.input[0].CopyFrom(_pictures(preprocess, resizes))
    onnx.checker.check_model(whole)
    return whole


def openvino_core(network: Any) -> Any:
    """A model of ONNX as an `openvino.Model`."""
    require("export to OpenVINO", "openvino", "openvino")
    import io

    import openvino

    return openvino.convert_model(io.BytesIO(network.SerializeToString()))


def openvino_with_preparation(network: Any, preprocess: Preprocess) -> Any:
    """An `openvino.Model` that takes pictures of the network's size. It changes `network`, of which it is made."""
    import openvino

    prepare = openvino_core(preparing_onnx(preprocess, resizes=False))
    made = prepare.get_results()[0].input_value(0)
    for target in network.inputs[0].get_target_inputs():
        target.replace_source_output(made)
    whole = openvino.Model(network.get_results(), prepare.get_parameters(), "glocal")
    whole.inputs[0].get_tensor().set_names({INPUT})
    whole.outputs[0].get_tensor().set_names({OUTPUT})
    whole.validate_nodes_and_infer_types()
    return whole


def write(model: Any, path: Path, about: About) -> None:
    """Writes a model of the form in `about`, with its metadata inside: the same bytes for the same network. RunError where it
    cannot be written."""
    properties = about.to_properties()
    try:
        if about.form == "onnx":
            import onnx

            onnx.helper.set_model_props(model, properties)
            onnx.save(model, path)
        elif about.form == "openvino":
            import openvino

            model.set_rt_info(json.dumps(properties, ensure_ascii=False), [KEY])
            openvino.save_model(model, path, compress_to_fp16=False)
        else:
            whole = io.BytesIO()  # to a path, torch writes the name of the file into it
            torch.export.save(model, whole, extra_files={ABOUT: json.dumps(properties, ensure_ascii=False)})
            path.write_bytes(whole.getbuffer())
    except OSError as error:
        raise RunError(f"{path} could not be written: {error.strerror or error}") from None
