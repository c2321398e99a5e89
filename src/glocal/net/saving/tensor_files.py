"""Safetensors files as glocal writes them: weights under our names, and beside them in the header their architecture, classes
and preprocessing. Any other bytes are an error that names the file."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from glocal.design import Architecture, cost, load
from glocal.errors import ArchitectureError, WeightError
from glocal.families import vocabulary
from glocal.files import write_whole

FORMAT = "1"
Made = TypeVar("Made", bound=nn.Module)


def read_model(path: Path, build: Callable[[Architecture], Made]) -> tuple[Made, dict[str, Any]]:
    """The network of a file that says all that glocal writes, made by `build`, and what the file says; WeightError for others."""
    tensors, meta = read_described(path)
    return filled_model(path, tensors, meta, build=build), meta


def filled_model(
    path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any], *, build: Callable[[Architecture], Made]
) -> Made:
    """The network that a file describes, with the file's tensors; it is built only where they are enough for it."""
    try:
        arch = load(meta["architecture"], vocabulary())
        if not isinstance(arch, Architecture):
            raise WeightError("describes no Architecture")
        check_number(tensors, name=arch.name, params=cost(arch).params)
        network = build(arch)
        fill(network, tensors, name=arch.name)
    except (ArchitectureError, WeightError) as error:
        raise WeightError(f"{path}: {error}") from None
    return network


def read_described(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a file that says all that glocal writes, and what it says; WeightError for any other."""
    tensors, meta = _read(path, tensors=True)
    if missing := [key for key in ("architecture", "classes", "preprocess") if key not in meta]:
        raise WeightError(
            f"{path} says nothing of its {' or '.join(missing)}; for the network alone: create_model(NAME, "
            f"weights={str(path)!r})"
        )
    return tensors, meta


def saved_architecture(path: Path) -> Architecture:
    """The architecture in a file of ours, whose tensors are not read; WeightError for any other file."""
    arch = None
    if said := read_meta(path).get("architecture"):
        try:
            arch = load(said, vocabulary())
        except ArchitectureError as error:
            raise WeightError(f"{path}: {error}") from None
    if not isinstance(arch, Architecture):
        raise WeightError(
            f"{path} says nothing of its architecture; name it: create_model(NAME, weights={str(path)!r})"
        )
    return arch


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of any safetensors file, on the CPU, and what glocal wrote beside them. WeightError for any other bytes."""
    return _read(path, tensors=True)


def read_meta(path: Path) -> dict[str, Any]:
    """What glocal wrote beside the tensors of a file, which are not read; nothing for a foreign file. WeightError as above."""
    return _read(path, tensors=False)[1]


def _read(path: Path, *, tensors: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors, where they are wanted, and what glocal wrote; a file that is no safetensors by name has none of it."""
    if not path.is_file():
        raise WeightError(f"{path}: no such file of weights")
    if path.suffix != ".safetensors":
        return {}, {}
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            found = {key: file.get_tensor(key) for key in file.keys()} if tensors else {}  # noqa: SIM118
        meta = json.loads(about.get("glocal", "{}"))
    except Exception as error:  # of whatever kind: the library, torch and json each raise their own
        raise WeightError(f"{path} is not a whole safetensors file ({_short(error)}); was it cut short?") from None
    if problem := _misshapen(meta):
        raise WeightError(f"{path} is not a whole safetensors file of glocal's: {problem}")
    if meta and meta.get("format") != FORMAT:
        raise WeightError(f"{path} has format {meta.get('format')} and this glocal reads {FORMAT}; use a newer glocal")
    return found, meta


def write_safetensors(path: str | Path, tensors: Mapping[str, Tensor], *, meta: Mapping[str, Any]) -> None:
    """Writes safetensors in one step: at any moment the path holds the old file or the new one, whole."""
    about = {"format": "pt", "glocal": json.dumps({"format": FORMAT, **meta}, sort_keys=True)}
    write_whole(path, tensor_bytes(tensors, about=about))


def tensor_bytes(tensors: Mapping[str, Tensor], *, about: dict[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file. MemoryError where there is no room for them; safetensors itself would panic there."""
    whole = {key: t.detach().cpu().contiguous() for key, t in tensors.items()}
    bytes(2 * sum(t.nbytes for t in whole.values()))  # it makes them twice; these are asked for and not written
    data: bytes = safetensors.torch.save(whole, metadata=about)
    return data


_KINDS: dict[str, tuple[type, ...]] = {
    "classes": (list,),
    "preprocess": (dict,),
    "multi_label": (bool,),
    "temperature": (float, int),
    "notes": (dict,),
}


_NUMBERS, _WORDS = ("size", "mean", "std", "crop_pct"), ("interpolation", "aspect")  # of `preprocess`


def _misshapen(meta: Any) -> str:
    """What is wrong with the part of a file that glocal wrote; nothing where all of it has the right kind."""
    if not isinstance(meta, dict):
        return "what it says of itself has no names"
    if wrong := [key for key, kinds in _KINDS.items() if key in meta and not isinstance(meta[key], kinds)]:
        return f"its {wrong[0]} is a {type(meta[wrong[0]]).__name__}"
    temperature = meta.get("temperature", 1.0)
    if isinstance(temperature, list) or not _real(temperature) or temperature <= 0:
        return f"its temperature is {temperature!r}"[:200]
    if not all(isinstance(name, str) for name in meta.get("classes", [])):
        return "some of its classes are no text"
    said = meta.get("preprocess", {})
    wrong = [key for key in _NUMBERS if key in said and not _real(said[key])]
    wrong += [key for key in _WORDS if key in said and not isinstance(said[key], str)]
    return f"its preprocessing has {said[wrong[0]]!r} for {wrong[0]}"[:200] if wrong else ""


def _real(x: Any) -> bool:
    """Whether x is a number, or a list of at least one."""
    numbers = x if isinstance(x, list) else [x]
    return bool(numbers) and all(type(n) in (int, float) and math.isfinite(n) for n in numbers)


def check_number(tensors: Mapping[str, Tensor], *, name: str, params: int) -> None:
    """WeightError where tensors are far too few for a network: a small file that describes a large one takes no memory."""
    there = sum(t.numel() for t in tensors.values())
    if params > 2 * there + 10_000_000:
        raise WeightError(f"holds {there:,} numbers, and {name} has {params:,} parameters")


def fill(network: nn.Module, tensors: Mapping[str, Tensor], *, name: str) -> None:
    """Loads tensors under a module's own names, all of them and no others; WeightError for those of another network."""
    own = network.state_dict()
    if own.keys() != tensors.keys():
        lines = [f"these are not the weights of {name}:"]
        for word, keys in (
            ("not the network's", tensors.keys() - own),
            ("not in the file", own.keys() - tensors.keys()),
        ):
            lines += [f"  {len(keys)} keys are {word}: {', '.join(sorted(keys))}"] if keys else []
        raise WeightError("\n".join(lines))
    check_tensors(tensors, own)
    if wrong := [key for key in own if tensors[key].shape != own[key].shape]:
        raise WeightError(f"{len(wrong)} tensors do not fit {name}, {wrong[0]} the first")
    network.load_state_dict(dict(tensors))


def check_tensors(given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    """WeightError that names the tensors whose numbers cannot be weights: of another kind than the network's own of the same
    key, or not finite."""
    for reason, wrong in (
        ("no real numbers, as weights are,", _alien),
        ("NaN or infinite numbers", _infinite),
    ):
        if bad := [key for key, t in given.items() if wrong(t, own[key])]:
            more = f" and {len(bad) - 3} more tensors" if len(bad) > 3 else ""
            raise WeightError(f"it holds {reason} in {', '.join(bad[:3])}{more}")


def _alien(t: Tensor, own: Tensor) -> bool:
    return own.is_floating_point() and not t.is_floating_point()


def _infinite(t: Tensor, own: Tensor) -> bool:
    return t.is_floating_point() and not bool(torch.isfinite(t if t.dtype.itemsize > 1 else t.float()).all())


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
