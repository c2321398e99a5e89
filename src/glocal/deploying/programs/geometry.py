"""The graph in ONNX that makes a network's input of pictures of any size: resize, crop, grey, as `Preprocess` does in Pillow.

ONNX Runtime's antialiased resizing of uint8 is the algorithm of Pillow, with its rounding of the passes; on real pictures some
values differ by one grey level.
"""

import math
from typing import Any

import numpy as np

from glocal.data.batches.preprocess import Preprocess
from glocal.deploying.programs.program import LUMA
from glocal.deploying.programs.tracing import INPUT

PREPARED = "prepared"  # the graph's output: uint8 (batch, channels, height, width)
_RESIZE: dict[str, dict[str, Any]] = {
    "bicubic": {"mode": "cubic", "cubic_coeff_a": -0.5, "antialias": 1, "exclude_outside": 1},
    "bilinear": {"mode": "linear", "antialias": 1, "exclude_outside": 1},
    "nearest": {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
}


class Graph:
    """Nodes and constants of an ONNX graph while it is written. Values are named by the nodes that make them."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, op: str, *inputs: str | int | list[int], output: str = "", **attributes: Any) -> str:
        """The name of what a node gives; whole numbers and lists among its inputs become constants of int64."""
        from onnx import helper

        names = [value if isinstance(value, str) else self.constant(np.atleast_1d(value)) for value in inputs]
        output = output or f"prepare_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, names, [output], **attributes))
        return output

    def constant(self, value: np.ndarray) -> str:
        """The name of a constant."""
        from onnx import numpy_helper

        name = f"prepare_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name


def preparing_graph(preprocess: Preprocess, *, resizes: bool) -> Graph:
    """From `pictures`, uint8 (batch, height, width, 3), to `prepared`. All pictures of a batch have the same size.

    resizes: whether they may be of any size; otherwise they have that of `preprocess`.
    """
    graph = Graph()
    x = graph.add("Transpose", INPUT, perm=[0, 3, 1, 2])
    if preprocess.channels == 1:
        x = _grey(graph, x)
    if resizes:
        x = _centre(graph, _resized(graph, x, preprocess), preprocess.size)
    graph.add("Identity", x, output=PREPARED)
    return graph


def _grey(graph: Graph, x: str) -> str:
    from onnx import TensorProto

    weights = graph.constant(np.array(LUMA, dtype=np.int32)[None, :, None, None])
    half, whole = (graph.constant(np.array([n], dtype=np.int32)) for n in (32768, 65536))
    weighed = graph.add("Mul", graph.add("Cast", x, to=TensorProto.INT32), weights)
    total = graph.add("Add", graph.add("ReduceSum", weighed, 1, keepdims=1), half)
    return graph.add("Cast", graph.add("Div", total, whole), to=TensorProto.UINT8)


def _side(graph: Graph, x: str, axis: int) -> str:
    return graph.add("Shape", x, start=axis, end=axis + 1)


def _resized(graph: Graph, x: str, preprocess: Preprocess) -> str:
    H, W = (math.floor(side / preprocess.crop_pct) for side in preprocess.size)
    rows: str | int = H
    columns: str | int = W
    if preprocess.aspect == "crop":
        x = _without_line(graph, x, (H, W))
        h, w = _side(graph, x, 2), _side(graph, x, 3)
        upright = graph.add("LessOrEqual", graph.add("Mul", h, W), graph.add("Mul", w, H))
        # whole numbers are divided without a rest, which is `int(H * w / h)` of Preprocess
        wide = graph.add("Max", graph.add("Div", graph.add("Mul", w, H), h), W)
        high = graph.add("Max", graph.add("Div", graph.add("Mul", h, W), w), H)
        rows, columns = graph.add("Where", upright, H, high), graph.add("Where", upright, wide, W)
    else:
        rows, columns = (graph.constant(np.array([side])) for side in (H, W))
    sizes = graph.add("Concat", graph.add("Shape", x, start=0, end=2), rows, columns, axis=0)
    how = _RESIZE[preprocess.interpolation]
    return graph.add("Resize", x, "", "", sizes, coordinate_transformation_mode="half_pixel", **how)


def _without_line(graph: Graph, x: str, size: tuple[int, int]) -> str:
    """The middle of a picture more than 64 times as wide or high as the size, as `Preprocess` takes it."""
    h, w = _side(graph, x, 2), _side(graph, x, 3)
    for axis, here, other, (a, b) in ((2, h, w, size), (3, w, h, size[::-1])):
        scaled = graph.add("Mul", other, 64 * a)
        most = graph.add("Div", graph.add("Add", scaled, b - 1), b)
        cut = graph.add("Div", graph.add("Max", graph.add("Sub", here, most), 0), 2)
        x = graph.add("Slice", x, cut, graph.add("Sub", here, cut), axis)
    return x


def _centre(graph: Graph, x: str, size: tuple[int, int]) -> str:
    """The middle of the size; half a pixel goes to the even number, as Python's `round` takes it."""
    for axis, side in ((2, size[0]), (3, size[1])):
        over = graph.add("Sub", _side(graph, x, axis), side)
        odd = graph.add("Mod", graph.add("Div", over, 2), 2)
        first = graph.add("Div", graph.add("Add", over, odd), 2)
        x = graph.add("Slice", x, first, graph.add("Add", first, side), axis)
    return x
