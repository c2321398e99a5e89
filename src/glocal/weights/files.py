"""Weights on disk: safetensors with architecture, classes and preprocessing inside, and .pth files read without running code.

Whose names the keys are is the business of `translate`.
"""

import argparse
import contextlib
import json
import os
import pickle
import re
import struct
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from glocal.errors import RunError, WeightError

FORMAT = "1"


class Checkpoint(NamedTuple):
    """Tensors by key, and what glocal wrote beside them: architecture, classes, preprocess; empty for foreign files."""

    tensors: dict[str, Tensor]
    meta: dict[str, Any]


def read(path: str | Path) -> Checkpoint:
    """Reads .safetensors, or a .pth/.pt/.tar of torch, on the CPU. Raises WeightError; never executes code from the file."""
    path = Path(path)
    if not path.is_file():
        raise WeightError(f"{path}: no such file of weights")
    return _read_safetensors(path) if path.suffix == ".safetensors" else Checkpoint(_read_torch(path), {})


def save(path: str | Path, tensors: Mapping[str, Tensor], *, meta: Mapping[str, Any]) -> None:
    """Writes safetensors in one step: at any moment the path holds the old file or the new one, whole."""
    about = {"format": "pt", "glocal": json.dumps({"format": FORMAT, **meta}, sort_keys=True)}
    data = safetensors.torch.save({key: t.detach().contiguous() for key, t in tensors.items()}, metadata=about)
    with whole_file(path) as file:
        file.write(data)


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Any]:
    """A binary file that takes its place only when it is complete and on the disk. RunError where it cannot be written."""
    path = Path(path)
    part = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            part = file.name
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        before = "; the file that stood there before is untouched" if path.exists() else ""
        raise RunError(f"{path} could not be written: {error.strerror or error}{before}") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            if part:
                os.unlink(part)


def _read_safetensors(path: Path) -> Checkpoint:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        meta = json.loads(about.get("glocal", "{}"))
    except (safetensors.SafetensorError, json.JSONDecodeError, struct.error, OSError) as error:
        raise WeightError(f"{path} is not a whole safetensors file ({error}); was it cut short?") from None
    if meta and meta.get("format") != FORMAT:
        raise WeightError(f"{path} has format {meta.get('format')} and this glocal reads {FORMAT}; use a newer glocal")
    return Checkpoint(tensors, meta)


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # timm's training script stores its arguments
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found_code = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it holds a {found_code[1]}" if found_code else "it is no dictionary of tensors"
        raise WeightError(f"{path} was not read, because that could run code stored in it: {reason}") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise WeightError(f"{path} is not a whole file of torch weights ({error}); was it cut short?") from None
    for name in ("state_dict", "model", "state_dict_ema"):
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
            break
    tensors = (
        {key: t for key, t in found.items() if isinstance(key, str) and isinstance(t, Tensor)}
        if isinstance(found, dict)
        else {}
    )
    if not tensors:
        raise WeightError(f"{path} holds no tensors by name")
    for prefix in ("module.", "_orig_mod."):  # left by DataParallel and by torch.compile
        if all(key.startswith(prefix) for key in tensors):
            tensors = {key.removeprefix(prefix): t for key, t in tensors.items()}
    return tensors
