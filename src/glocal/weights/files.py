"""Weights on disk: safetensors with architecture, classes and preprocessing inside, and what torch.save wrote.

Whose names the keys are is the business of `translate`.
"""

from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from glocal.errors import WeightError
from glocal.files import whole_file
from glocal.net.saving.tensor_files import FORMAT, read_safetensors
from glocal.net.saving.tensor_files import write_safetensors as save
from glocal.weights.torch_files import read_torch
from glocal.weights.wrappers import Held, bare

__all__ = ["FORMAT", "Checkpoint", "Held", "read", "save", "whole_file"]


class Checkpoint(NamedTuple):
    """Tensors by key, and what glocal wrote beside them: architecture, classes, preprocess; empty for foreign files.

    `held` is every place of the file with tensors in it, the likeliest first, whose names without their wrappers are `tensors`.
    """

    tensors: dict[str, Tensor]
    meta: dict[str, Any]
    held: tuple[Held, ...]


def read(path: str | Path) -> Checkpoint:
    """Reads .safetensors, or a .pth/.pt/.tar of torch, on the CPU. Raises WeightError; never executes code from the file."""
    path = Path(path)
    if not path.is_file():
        raise WeightError(f"{path}: no such file of weights")
    if path.suffix != ".safetensors":
        held = read_torch(path)
        return Checkpoint(bare(held[0]).tensors, {}, tuple(held))
    tensors, meta = read_safetensors(path)
    whole = Held(tensors)
    return Checkpoint(tensors if meta else bare(whole).tensors, meta, (whole,))
