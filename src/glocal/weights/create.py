"""From a name or a file to a network with weights, and from a network to a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from warnings import warn

import torch

from glocal.design import Architecture, adapt, dump, load
from glocal.design.architecture import classifier
from glocal.errors import WeightError
from glocal.families import architecture, vocabulary
from glocal.net import Network
from glocal.weights import files
from glocal.weights.find import find_weights, timm_card
from glocal.weights.rows import keep_rows, read_rows, rows_by_name
from glocal.weights.translate import load_into, recognise


def create_model(
    name_or_architecture: str | Architecture,
    *,
    num_classes: int | None = None,
    in_chans: int | None = None,
    img_size: int | tuple[int, int] | None = None,
    drop_path_rate: float | None = None,
    weights: str | Path | None = None,
    head_rows: str | Path | Sequence[int] | None = None,
    head_init_scale: float = 1.0,
) -> Network:
    """A network by name or from an architecture, with its paper's initial values or with `weights` from a file.

    num_classes: None takes the file's, or else the architecture's; 0 leaves the classifier away. Another number than the
    file's puts a fresh classifier in, and warns. img_size: one side or (height, width) in pixels; learned positions follow.
    weights: of any source of `find_weights`; the names in it ours, the authors' or timm's. head_rows: rows of the file's
    classifier, from 0, that become ours, or a file of their numbers. head_init_scale: factor on a fresh classifier (ConvNeXt's
    fine-tuning: 0.001). Raises ArchitectureError, ShapeError or WeightError.
    """
    if head_rows is not None and weights is None:
        raise WeightError("head_rows names rows of a classifier in a file; give the file: weights=")
    arch = architecture(name_or_architecture) if isinstance(name_or_architecture, str) else name_or_architecture
    arch = adapt(arch, channels=in_chans, size=img_size, drop_path=drop_path_rate)
    if weights is None:
        return _scaled(Network(adapt(arch, classes=num_classes)), head_init_scale)
    network, loaded = start_from(
        arch, weights, num_classes=num_classes, head_rows=head_rows, head_init_scale=head_init_scale
    )
    if loaded.fresh:
        warn(f"{weights}: {loaded.classifier}", stacklevel=2)
    return network


@dataclass(frozen=True)
class Loaded:
    """What became of a file of weights in a network; as text, the lines that a person should read."""

    source: str  # as it was asked for
    names: str  # whose names its tensors bear
    tensors: int
    classifier: str  # what became of the classifier, as a sentence
    fresh: bool  # whether the classifier has nothing of the file
    resized: tuple[str, ...]  # tables of positions and offsets carried to another grid
    preprocess: dict[str, Any] | None  # the file's own, where it says

    def __str__(self) -> str:
        lines = [f"{self.source}: {self.tensors} tensors, named as by {self.names}", self.classifier]
        if n := len(self.resized):
            lines.append(f"{n} table{'s' * (n > 1)} of positions or offsets interpolated: {_some(self.resized)}")
        return "\n".join(lines)


def start_from(
    arch: Architecture,
    weights: str | Path,
    *,
    classes: Sequence[str] | None = None,
    num_classes: int | None = None,
    head_rows: str | Path | Sequence[int] | None = None,
    head_init_scale: float = 1.0,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[Network, Loaded]:
    """A network with weights of any source, and what was made of them.

    classes: the names in the order of the logits wanted. Where the file names its classes too, rows of its classifier are
    taken by name, never by position; where it lacks one of them, the classifier starts fresh. A file without names keeps
    its classifier if it has as many classes. num_classes, head_rows and head_init_scale as in `create_model`.
    """
    file = find_weights(weights, tell=tell)
    network, checkpoint = Network(arch), files.read(file)
    try:
        said, resized = _fill(network, checkpoint)
        theirs = checkpoint.meta.get("classes") or _imagenet(str(weights))
        wanted = num_classes if classes is None else len(classes)
        classifier, fresh = "the classifier is the file's", False
        if head_rows is not None:
            keep_rows(network, read_rows(head_rows) if isinstance(head_rows, str | Path) else head_rows)
            if wanted not in (None, network.num_classes):
                raise WeightError(f"head_rows names {network.num_classes} rows for {wanted} classes")
            classifier = f"the classifier is {network.num_classes} rows of the file's, as head_rows names them"
        elif wanted is not None:
            classifier, fresh = _classify(network, wanted, theirs=theirs, ours=classes)
    except WeightError as error:
        raise WeightError(f"{weights}: {error}") from None
    if fresh:
        _scaled(network, head_init_scale)
    preprocess = checkpoint.meta.get("preprocess") or None
    return network, Loaded(str(weights), said, len(checkpoint.tensors), classifier, fresh, resized, preprocess)


def _imagenet(weights: str) -> tuple[str, ...]:
    """The classes of timm's pretrained weights, where timm knows them."""
    return timm_card(weights.removeprefix("timm:")).classes if weights.startswith("timm:") else ()


def _classify(network: Network, wanted: int, *, theirs: Sequence[str], ours: Sequence[str] | None) -> tuple[str, bool]:
    """Turns the file's classifier into the one that is wanted. Returns a sentence, and whether it starts fresh."""
    found = network.num_classes
    if found and ours and theirs and set(ours) <= set(theirs):
        if [*ours] == [*theirs]:
            return f"the classifier is the file's: the same {found} classes in the same order", False
        keep_rows(network, rows_by_name(theirs, ours))
        rest = "" if wanted == found else f", {found - wanted} others left out"
        return f"the classifier is the file's, its rows put in the order of our {wanted} classes by name{rest}", False
    if wanted == found and not (ours and theirs):
        trust = ": the file names no classes, so their order is taken on trust" if ours and found else ""
        return f"the classifier of {found} classes is the file's{trust}", False
    network.reset_classifier(wanted)
    if not wanted:
        return f"the file's classifier of {found} classes is left away", False
    missing = [name for name in ours or () if name not in theirs] if theirs else []
    reason = f", which lack {len(missing)} of these {wanted}: {_some(missing)}" if missing else ""
    return f"the file has {found} classes{reason}; the classifier of {wanted} starts from fresh values", True


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _scaled(network: Network, factor: float) -> Network:
    """The network with its classifier's weights and biases multiplied."""
    with torch.no_grad():
        for p in network.get_classifier().parameters():
            p.mul_(factor)
    return network


def _fill(network: Network, checkpoint: files.Checkpoint) -> tuple[str, tuple[str, ...]]:
    """Loads a checkpoint into a network whose classifier takes the checkpoint's size.

    Returns whose names its tensors bear, and our keys of the tables that were interpolated.
    """
    theirs = None
    if said := checkpoint.meta.get("architecture"):
        theirs = load(said, vocabulary())
        one, two = (adapt(a, classes=0, attention_dropout=0.0) for a in (theirs, network.arch))
        if (one.stem, one.stages, one.head) != (two.stem, two.stages, two.head):
            raise WeightError(f"holds weights of {theirs.name}, whose layers are not those of {network.arch.name}")
        if not classifier(theirs):
            network.reset_classifier(0)
    names = recognise(checkpoint.tensors, network)
    if network.num_classes:
        key = names.learned[f"head.{[*network.head.named_children()][-1][0]}.weight"]
        network.reset_classifier(len(checkpoint.tensors[key]))
    source = load_into(network, checkpoint.tensors, made_for=theirs)
    own = network.state_dict()
    tables = [key for key in names.learned if key.endswith(".table")]
    given = {key: names.ours(key, checkpoint.tensors[names.learned[key]], network) for key in tables}
    return source, tuple(key for key in tables if not torch.equal(given[key].to(own[key].dtype), own[key]))


class Model(NamedTuple):
    """A network with what its file says of it: the class names in the order of the logits, the preprocessing, and whether a
    picture may be of several classes or of none, so that each logit stands for itself."""

    network: Network
    classes: tuple[str, ...]
    preprocess: dict[str, Any]
    multi_label: bool = False


def load_model(path: str | Path) -> Model:
    """The network, and what belongs to it, of a file that `save_model` wrote; WeightError for any other."""
    checkpoint = files.read(path)
    if missing := [key for key in ("architecture", "classes", "preprocess") if key not in checkpoint.meta]:
        raise WeightError(
            f"{path} says nothing of its {' or '.join(missing)}; for the network alone: create_model(NAME, "
            f"weights={str(path)!r})"
        )
    if bad := [key for key, t in checkpoint.tensors.items() if not bool(t.isfinite().all())]:
        raise WeightError(f"{path}: {len(bad)} of its tensors hold numbers that are not finite, {bad[0]} the first")
    network = Network(load(checkpoint.meta["architecture"], vocabulary()))
    try:
        load_into(network, checkpoint.tensors, made_for=network.arch)
    except WeightError as error:
        raise WeightError(f"{path}: {error}") from None
    meta = checkpoint.meta
    return Model(network, tuple(meta["classes"]), meta["preprocess"], meta.get("multi_label", False))


def save_model(path: str | Path, model: Model, *, notes: Mapping[str, Any] | None = None) -> None:
    """Writes one safetensors file from which `load_model` makes the same network, to the bit."""
    meta = {
        "architecture": dump(model.network.arch),
        "classes": list(model.classes),
        "preprocess": model.preprocess,
        "multi_label": model.multi_label,
        "notes": notes or {},
    }
    files.save(path, model.network.state_dict(), meta=meta)
