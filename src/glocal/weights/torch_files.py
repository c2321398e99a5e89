"""Files that torch.save wrote, read without running code stored in them, and in no more memory than they promise."""

import argparse
import mmap
import pickle
import re
import warnings
import zipfile
import zlib
from pathlib import Path

import torch
from torch import Tensor, nn

from glocal.errors import WeightError
from glocal.weights.wrappers import Held, dictionaries

_SPARE = 1 << 20  # bytes by which the parts of a file may exceed its size on disk
_CLASSES = (Tensor, nn.Parameter)


def read_torch(path: Path) -> list[Held]:
    """Every dictionary of tensors in a .pth, .pt, .tar, .bin or .ckpt, on the CPU; WeightError for any other bytes."""
    _check_size(path)
    try:
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            # timm's training script stores its arguments; what torch says of odd files comes as an error too
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found_code = re.search(r"GLOBAL ([\w.]{1,100})\s", str(error))
        reason = f"it holds a {found_code[1]}" if found_code else "it is no dictionary of tensors"
        raise WeightError(f"{path} was not read, because that could run code stored in it: {reason}") from None
    except Exception as error:  # of whatever kind: torch lets through what its unpickler stumbles over
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise WeightError(f"{path} is not a whole file of torch weights ({said}); was it cut short?") from None
    held = dictionaries(found)
    if not held:
        raise WeightError(f"{path} holds no tensors by name")
    _check_tensors(path, held)
    return held


def _check_size(path: Path) -> None:
    """Refuses what would unpack to more than its size on disk (torch writes its archives uncompressed), and the one builtin
    among those that torch calls whose size a few bytes can name."""
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    try:
        if not zipped:
            pickled = _mentions_bytearray(path)
        else:
            with zipfile.ZipFile(path) as archive:
                parts = archive.infolist()
                if sum(part.file_size for part in parts) > path.stat().st_size + _SPARE:
                    raise WeightError(f"{path} was not read, because it would unpack to more than its size on disk")
                pickled = any(b"bytearray" in archive.read(part) for part in parts if part.filename.endswith(".pkl"))
    except (
        zipfile.BadZipFile,
        OSError,
        ValueError,
        NotImplementedError,
        ArithmeticError,
        EOFError,
        zlib.error,
    ) as error:
        raise WeightError(f"{path} is not a whole file of torch weights ({error}); was it cut short?") from None
    if pickled:
        raise WeightError(f"{path} was not read: it holds a bytearray, which no file of weights does")


def _mentions_bytearray(path: Path) -> bool:
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(b"bytearray") >= 0


def _check_tensors(path: Path, held: list[Held]) -> None:
    """Refuses tensors that are no rows of numbers in the file: a few bytes can stand for a tensor larger than any memory."""
    storages: dict[int, int] = {}
    for name, t in ((name, t) for place in held for name, t in place.tensors.items()):
        plain = t.layout == torch.strided and t.device.type == "cpu" and not t.is_quantized and type(t) in _CLASSES
        if not plain or t.numel() * t.element_size() > t.untyped_storage().nbytes():
            raise WeightError(f"{path}: {name} is no plain tensor whose numbers are all in the file")
        storages[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
    if sum(storages.values()) > path.stat().st_size + _SPARE:
        raise WeightError(f"{path} was not read: its tensors are larger than the file")
