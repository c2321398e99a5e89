"""What weights say about how to use them: their network, its picture size and its preprocessing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glocal.design import Architecture, adapt
from glocal.errors import ArchitectureError
from glocal.families import architecture
from glocal.net.saving.tensor_files import read_meta
from glocal.weights.find import card_of_file, find_weights, timm_card
from glocal.weights.networks.any_network import from_plain
from glocal.weights.networks.timm_architecture import weights_file, without_file

_PREPROCESSING = ("mean", "std", "interpolation", "crop_pct", "aspect")


def pretrained_settings(weights: str | Path) -> dict[str, Any]:
    """The settings of a recipe that weights of any source imply: `model`, `img_size` and their preprocessing.

    Empty for a file that says neither. WeightError where the weights are not found.
    """
    if weights_file(weights):
        return {"model": without_file(str(weights)), **_of_timm_file(str(weights))}
    if str(weights).startswith("timm:"):
        card = timm_card(str(weights).removeprefix("timm:"))
        size = tuple(card.preprocess["size"])
        return {"model": card.architecture, "img_size": size, **_preprocessing(card.preprocess)}
    file = find_weights(weights)
    meta = read_meta(file)
    found = _preprocessing(meta.get("preprocess") or {})
    if description := meta.get("architecture"):
        arch = from_plain(description)
        found |= {"img_size": (arch.image.h, arch.image.w)}
        if not isinstance(arch, Architecture):
            return found | {"model": arch.name}
        try:
            named = adapt(architecture(arch.name), classes=0, attention_dropout=0.0)
        except ArchitectureError:
            named = None
        bare = adapt(arch, classes=0, attention_dropout=0.0)
        described = file.parent.parent / "architecture.yaml"
        if named and (named.stem, named.stages, named.head) == (bare.stem, bare.stages, bare.head):
            found |= {"model": arch.name}
        elif described.is_file():
            found |= {"model": str(described.resolve())}
    return found


def _of_timm_file(weights: str) -> dict[str, Any]:
    """The picture size and preprocessing of `timm:NAME@FILE`: those that the file says, or else timm's of that network."""
    said = read_meta(find_weights(weights)).get("preprocess") or card_of_file(weights).preprocess
    return {"img_size": tuple(said["size"]), **_preprocessing(said)} if said else {}


def _preprocessing(preprocess: Mapping[str, Any]) -> dict[str, Any]:
    return {name: preprocess[name] for name in _PREPROCESSING if name in preprocess}
