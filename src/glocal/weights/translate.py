"""Weights under other names: which source's they are, into our names, and back. Total in both directions.

Reading and writing files is in `files`; this room sees dictionaries of tensors.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from glocal.errors import WeightError
from glocal.net import Network
from glocal.net.layers import Position
from glocal.weights.tables import SOURCES, Source

Tensors = Mapping[str, Tensor]


class Names(NamedTuple):
    """A source's key for each of our keys; `computed` are of tables that a checkpoint may leave out."""

    source: str
    learned: dict[str, str]
    computed: dict[str, str]


def names(network: Network, source: Source) -> Names | None:
    """The keys of a network in a source's terms; None where the source has no row for some of them."""
    depth = sum(len(stage.blocks) for stage in network.arch.stages)
    learned = {key: _say(key, source.rows, depth) for key in network.state_dict()}
    computed = {f"{path}.table": "" for path, m in network.named_modules() if isinstance(m, Position)}
    computed = {key: _say(key, source.computed, depth) for key in computed.keys() - learned.keys()}
    if not all(learned.values()):
        return None
    return Names(source.name, learned, {ours: theirs for ours, theirs in computed.items() if theirs})


def _say(key: str, rows: Mapping[str, str], depth: int) -> str:
    for ours, theirs in rows.items():
        pattern = re.sub(r"\\\{(\w)\\\}", r"(?P<\1>\\d+)", re.escape(ours))
        if m := re.fullmatch(rf"{pattern}(?P<leaf>\..+)?", key):
            numbers = {**{k: int(v) for k, v in m.groupdict().items() if k != "leaf"}, "depth": depth}
            return _number(theirs, numbers) + (m["leaf"] or "")
    return ""


def _number(template: str, numbers: Mapping[str, int]) -> str:
    return re.sub(r"\{(\w+?)([+-]\d+)?\}", lambda n: str(numbers[n[1]] + int(n[2] or 0)), template)


def recognise(keys: Iterable[str], network: Network) -> Names:
    """The names that a checkpoint's keys are written in: those of the source that shares most keys with them.

    Raises WeightError that lists every key of theirs without a row and every weight of ours that stays empty.
    """
    keys = set(keys)
    known = [said for source in SOURCES if (said := names(network, source))]
    best = max(known, key=lambda said: len(keys & set(said.learned.values())))
    unread = sorted(keys - set(best.learned.values()) - set(best.computed.values()))
    empty = sorted(theirs for theirs in best.learned.values() if theirs not in keys)
    if unread or empty:
        lines = [f"these are not the weights of {network.arch.name} (read with the names of {best.source}):"]
        lines += [f"  {len(unread)} of the file's keys have no row: {', '.join(unread)}"] if unread else []
        lines += [f"  {len(empty)} of the network's weights are not in it: {', '.join(empty)}"] if empty else []
        raise WeightError("\n".join(lines))
    return best


def load_into(network: Network, theirs: Tensors, *, grid: tuple[int, int] | None = None) -> str:
    """Fills a network with a checkpoint's tensors, whatever source named them, and returns the source's name.

    Learned positions are carried to the network's grid; `grid` (h, w) is that of the checkpoint, a square where None.
    Raises WeightError that lists every misfit; the network is then unchanged.
    """
    said = recognise(theirs, network)
    own = network.state_dict()
    loaded, misfits = {}, []
    for ours, key in said.learned.items():
        layer = network.get_submodule(_module(ours))
        tensor = resize_positions(theirs[key], layer, grid=grid) if isinstance(layer, Position) else theirs[key]
        if tensor.shape != own[ours].shape:
            misfits.append(f"{key} is {tuple(tensor.shape)}, {ours} is {tuple(own[ours].shape)}")
        loaded[ours] = tensor
    for ours, key in said.computed.items():
        if key in theirs and (problem := _disagrees(_position(network, ours), theirs[key], key)):
            misfits.append(problem)
    if misfits:
        raise WeightError(
            f"{len(misfits)} tensors of this checkpoint do not fit {network.arch.name}:\n  "
            + "\n  ".join(sorted(misfits))
        )
    network.load_state_dict(loaded)
    return said.source


def export(network: Network, source: Source) -> dict[str, Tensor]:
    """A network's weights under a source's names; WeightError where the source has no name for some of them."""
    if (said := names(network, source)) is None:
        raise WeightError(f"{source.name} has no names for the weights of {network.arch.name}")
    own = network.state_dict()
    tables = {key: _position(network, ours).table for ours, key in said.computed.items()}
    return {key: own[ours] for ours, key in said.learned.items()} | tables


def resize_positions(table_1NC: Tensor, layer: Position, *, grid: tuple[int, int] | None) -> Tensor:
    """A checkpoint's positions on a layer's grid: rows of class tokens stay, the grid's are interpolated.

    `grid` is the checkpoint's; where it says none, a square if the number of places allows one, or else the layer's own.
    A table that already fits is returned as it is. Raises WeightError where the checkpoint's grid is unknown.
    """
    if table_1NC.ndim != 3 or table_1NC.shape[2] != layer.table.shape[2]:
        return table_1NC
    extra = layer.table.shape[1] - math.prod(layer.grid)
    n = table_1NC.shape[1] - extra
    side = math.isqrt(n)
    h, w = grid or ((side, side) if side**2 == n else layer.grid)
    if h * w != n:
        raise WeightError(f"the checkpoint has positions for {n} places, which is no square grid; name it: grid=(h, w)")
    if (h, w) == layer.grid:
        return table_1NC
    map_1CHW = table_1NC[:, extra:].mT.unflatten(2, (h, w))
    resized = nn.functional.interpolate(map_1CHW.float(), layer.grid, mode=layer.resize, align_corners=False)
    return torch.cat((table_1NC[:, :extra], resized.flatten(2).mT.to(table_1NC.dtype)), 1)


def _disagrees(layer: Position, theirs: Tensor, key: str) -> str | None:
    """A computed table is the same function at every length, so the rows that both have must agree."""
    if theirs.ndim != 3 or theirs.shape[2] != layer.table.shape[2]:
        return f"{key} is {tuple(theirs.shape)}, and the network's is {tuple(layer.table.shape)}"
    rows = min(layer.table.shape[1], theirs.shape[1])
    if torch.allclose(layer.table[:, :rows].double(), theirs[:, :rows].double(), rtol=0, atol=1e-5):
        return None
    return f"{key} is not the sinusoid; a learned table? The authors' code makes one in its CCT and CVT named _sine"


def _position(network: Network, key: str) -> Position:
    layer = network.get_submodule(_module(key))
    assert isinstance(layer, Position)
    return layer


def _module(key: str) -> str:
    return key.rpartition(".")[0]
