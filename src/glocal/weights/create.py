"""From a name or a file to a network with weights, and from a network to a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from warnings import warn

from glocal.design import Architecture, adapt, dump, load
from glocal.design.architecture import classifier
from glocal.errors import WeightError
from glocal.families import architecture, vocabulary
from glocal.net import Network
from glocal.weights import files
from glocal.weights.translate import load_into, recognise


def create_model(
    name_or_architecture: str | Architecture,
    *,
    num_classes: int | None = None,
    in_chans: int | None = None,
    img_size: int | tuple[int, int] | None = None,
    drop_path_rate: float | None = None,
    weights: str | Path | None = None,
) -> Network:
    """A network by name or from an architecture, with its paper's initial values or with `weights` from a file.

    num_classes: None takes the file's, or else the architecture's; 0 leaves the classifier away. Another number than the
    file's puts a fresh classifier in, and warns. img_size: one side or (height, width) in pixels; learned positions follow.
    weights: ours, the authors' or timm's, .safetensors or .pth. Raises ArchitectureError, ShapeError or WeightError.
    """
    arch = architecture(name_or_architecture) if isinstance(name_or_architecture, str) else name_or_architecture
    arch = adapt(arch, channels=in_chans, size=img_size, drop_path=drop_path_rate)
    if weights is None:
        return Network(adapt(arch, classes=num_classes))
    network = Network(arch)
    try:
        found = fill(network, files.read(weights))
    except WeightError as error:
        raise WeightError(f"{weights}: {error}") from None
    if num_classes not in (None, found):
        network.reset_classifier(num_classes)
        if num_classes:
            warn(
                f"{weights} has {found} classes; the classifier of {num_classes} starts from fresh values", stacklevel=2
            )
    return network


def fill(network: Network, checkpoint: files.Checkpoint) -> int:
    """Loads a checkpoint into a network whose classifier takes the checkpoint's size; returns the number of classes."""
    theirs = None
    if said := checkpoint.meta.get("architecture"):
        theirs = load(said, vocabulary())
        one, two = (adapt(a, classes=0, attention_dropout=0.0) for a in (theirs, network.arch))
        if (one.stem, one.stages, one.head) != (two.stem, two.stages, two.head):
            raise WeightError(f"holds weights of {theirs.name}, whose layers are not those of {network.arch.name}")
        if not classifier(theirs):
            network.reset_classifier(0)
    if network.num_classes:
        key = recognise(checkpoint.tensors, network).learned[f"head.{[*network.head.named_children()][-1][0]}.weight"]
        network.reset_classifier(len(checkpoint.tensors[key]))
    load_into(network, checkpoint.tensors, made_for=theirs)
    return network.num_classes


class Model(NamedTuple):
    """A network with what its file says of it: the class names in the order of the logits, and the preprocessing."""

    network: Network
    classes: tuple[str, ...]
    preprocess: dict[str, Any]


def load_model(path: str | Path) -> Model:
    """The network, classes and preprocessing of a file that `save_model` wrote; WeightError for any other."""
    checkpoint = files.read(path)
    if missing := [key for key in ("architecture", "classes", "preprocess") if key not in checkpoint.meta]:
        raise WeightError(
            f"{path} says nothing of its {' or '.join(missing)}; for the network alone: create_model(NAME, "
            f"weights={str(path)!r})"
        )
    network = Network(load(checkpoint.meta["architecture"], vocabulary()))
    try:
        load_into(network, checkpoint.tensors, made_for=network.arch)
    except WeightError as error:
        raise WeightError(f"{path}: {error}") from None
    return Model(network, tuple(checkpoint.meta["classes"]), checkpoint.meta["preprocess"])


def save_model(path: str | Path, model: Model, *, notes: Mapping[str, Any] | None = None) -> None:
    """Writes one safetensors file from which `load_model` makes the same network, to the bit."""
    network, classes, preprocess = model
    meta = {
        "architecture": dump(network.arch),
        "classes": list(classes),
        "preprocess": preprocess,
        "notes": notes or {},
    }
    files.save(path, network.state_dict(), meta=meta)
