"""A network with what belongs to it, in one file from which the same network is made again, to the bit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from glocal.errors import ArchitectureError, WeightError
from glocal.net.network import Network
from glocal.net.saving.hub import Description
from glocal.net.saving.tensor_files import check_number, fill, filled_model, read_described, write_safetensors
from glocal.weights.networks.any_network import AnyNetwork, describes_timm, to_plain
from glocal.weights.networks.timm_architecture import TimmArchitecture
from glocal.weights.networks.timm_creation import timm_cost
from glocal.weights.networks.timm_network import TimmNetwork


class Model(NamedTuple):
    """A network with what its file says of it: the class names in the order of the logits, the preprocessing, whether a
    picture may be of several classes or of none, so that each logit stands for itself, and the temperature that logits are
    divided by before they become probabilities (docs/evaluating.md)."""

    network: AnyNetwork
    classes: tuple[str, ...]
    preprocess: dict[str, Any]
    multi_label: bool = False
    temperature: float = 1.0


def load_model(path: str | Path) -> Model:
    """The network, and what belongs to it, of a file that `save_model` wrote; WeightError for any other."""
    path = Path(path)
    tensors, meta = read_described(path)
    network: AnyNetwork
    if describes_timm(meta["architecture"]):
        try:
            network = _timm_network(TimmArchitecture.from_json(meta["architecture"]), tensors)
        except (ArchitectureError, WeightError) as error:
            raise WeightError(f"{path}: {error}") from None
    else:
        network = filled_model(path, tensors, meta, build=Network)
    network.description = found = Description.of(meta)
    return Model(network, found.labels, meta["preprocess"], found.multi_label, found.temperature)


def _timm_network(arch: TimmArchitecture, tensors: Mapping[str, Any]) -> TimmNetwork:
    check_number(tensors, name=arch.name, params=timm_cost(arch).params)
    network = TimmNetwork(arch)
    fill(network.model, tensors, name=arch.name)
    return network


def save_model(path: str | Path, model: Model, *, notes: Mapping[str, Any] | None = None) -> None:
    """Writes one safetensors file from which `load_model` makes the same network, to the bit. The tensors of a network of timm
    have timm's names."""
    network, classes, preprocess, multi_label, temperature = model
    about = Description(tuple(classes), preprocess, multi_label, temperature)
    meta = about.beside(to_plain(network.arch), notes=notes or {})
    tensors = network.model.state_dict() if isinstance(network, TimmNetwork) else network.state_dict()
    write_safetensors(path, tensors, meta=meta)
