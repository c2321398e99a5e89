"""The files of a state: written whole, read back to the same bits, and refused where a bit is not as it was written.

state/step-120/1-of-2.safetensors   the tensors that process 1 of 2 holds
state/last.json                     names the newest whole step, with the numbers; it takes its place last

Reading them runs no code, and any number of processes reads what any other number wrote.
"""

import json
import re
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from glocal.errors import WeightError
from glocal.files import reason_of, write_whole
from glocal.machine.processes import Machine, is_divided
from glocal.net.saving.tensor_files import tensor_bytes

FORMAT = 1
"""Of a state; another one when what this version writes can no longer be read, or what an earlier one wrote."""

_FAULTS = (OSError, KeyError, TypeError, ValueError, RuntimeError, RecursionError, safetensors.SafetensorError)


def write_state(
    path: Path, numbers: Mapping[str, Any], tensors: Mapping[str, Tensor], *, step: int, machine: Machine
) -> None:
    """Writes the tensors of all processes into a folder beside `path`, and then lets `path` name it. To be called by all
    processes. RunError where the disk is full; what `path` named before is then still there."""
    folder = path.parent / f"step-{step}"
    writers = machine.processes if machine.sharded else 1
    checksum = 0
    if machine.rank < writers:
        data = tensor_bytes({key: local_part(t) for key, t in tensors.items()})
        checksum = zlib.crc32(data)
        write_whole(folder / f"{machine.rank}-of-{writers}.safetensors", data)
    checksums = machine.gathered(checksum)  # all parts are there before they are named
    if machine.main:
        saved = {
            "format": FORMAT,
            "step": step,
            **numbers,
            "folder": folder.name,
            "parts": writers,
            "checksums": checksums[:writers],
            "divided": sorted(key for key, t in tensors.items() if is_divided(t)),
        }
        write_whole(path, json.dumps({**saved, "checksum": _checksum(saved)}).encode())
        for old in path.parent.glob("step-*"):
            if old != folder:
                shutil.rmtree(old)


def read_numbers(path: Path) -> dict[str, Any]:
    """The numbers of the state that `path` names, such as its step. WeightError for a file that is not as it was written."""
    try:
        saved: dict[str, Any] = json.loads(path.read_bytes())
        if saved["checksum"] != _checksum({key: value for key, value in saved.items() if key != "checksum"}):
            raise ValueError("its checksum is that of other text")
        if not re.fullmatch(r"step-\d+", saved["folder"]):
            raise ValueError(f"it names the folder {saved['folder']}")
    except _FAULTS as error:
        raise WeightError(f"{path} is not a whole state of a run ({reason_of(error)})") from None
    if (written := saved.get("format", 1)) != FORMAT:
        raise WeightError(
            f"{path} is a state of format {written}, and this version of glocal reads format {FORMAT}; resume the run with the "
            "version that started it, which its run.yaml names"
        )
    return saved


def read_state(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The numbers of the state that `path` names, and its whole tensors. WeightError for files that are not as written."""
    saved = read_numbers(path)
    try:
        parts = []
        for i, checksum in enumerate(saved["checksums"]):
            file = path.parent / saved["folder"] / f"{i}-of-{saved['parts']}.safetensors"
            if _file_checksum(file) != checksum:
                raise ValueError(f"{file} has changed since it was written")
            parts.append(safetensors.torch.load_file(file))
        return saved, _joined(parts, divided=set(saved["divided"]))
    except _FAULTS as error:
        raise WeightError(f"{path} is not a whole state of a run ({reason_of(error)})") from None


def _checksum(saved: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(saved).encode())


def _file_checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 24):
            checksum = zlib.crc32(chunk, checksum)
    return checksum


def local_part(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds."""
    return tensor.to_local() if is_divided(tensor) else tensor


def divided_like(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, divided among the processes as another is."""
    if not is_divided(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)


def _joined(parts: list[dict[str, Tensor]], *, divided: set[str]) -> dict[str, Tensor]:
    """Whole tensors from those of each process; FSDP2 divides along the first axis."""
    return {key: torch.cat([part[key] for part in parts]) if key in divided else t for key, t in parts[0].items()}


# ---------------------------------------------------------------------------------- trees of tensors and plain values


def flatten(tree: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """A tree of dictionaries, lists, tuples, tensors and plain values as JSON; its tensors go to `tensors` by their path.

    TypeError for anything else in it.
    """
    if isinstance(tree, Tensor):
        tensors[path] = tree
        return {"tensor": path}
    if isinstance(tree, Mapping):
        return {"dict": [[key, flatten(value, f"{path}.{key}", tensors)] for key, value in tree.items()]}
    if isinstance(tree, list | tuple):
        kind = "list" if isinstance(tree, list) else "tuple"
        return {kind: [flatten(value, f"{path}.{i}", tensors) for i, value in enumerate(tree)]}
    if tree is None or isinstance(tree, bool | int | float | str):
        return tree
    raise TypeError(f"{path} is a {type(tree).__name__}")


def unflatten(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The tree that `flatten` was given. KeyError, TypeError or ValueError for JSON that it did not return."""
    if not isinstance(tree, dict):
        return tree
    ((kind, value),) = tree.items()
    if kind == "tensor":
        return tensors[value]
    if kind == "dict":
        return {key: unflatten(item, tensors) for key, item in value}
    return {"list": list, "tuple": tuple}[kind](unflatten(item, tensors) for item in value)
