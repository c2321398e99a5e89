"""A network that starts from weights of any source, and a report of what was made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, overload

import torch
from torch import Tensor

from glocal.design import Architecture, adapt, load
from glocal.design.architecture import classifier
from glocal.errors import ArchitectureError, WeightError
from glocal.families import vocabulary
from glocal.net import Network
from glocal.net.card import classifier_path, first_convolution, spread
from glocal.net.saving.hub import Description
from glocal.weights import files
from glocal.weights.channels import carried_filters, filters_sentence
from glocal.weights.find import card_of_file, find_weights, timm_card
from glocal.weights.networks.any_network import AnyArchitecture, AnyNetwork, describes_timm
from glocal.weights.networks.model_files import Model
from glocal.weights.networks.timm_architecture import TimmArchitecture, weights_file, without_file
from glocal.weights.networks.timm_network import TimmNetwork
from glocal.weights.networks.timm_weights import fill_timm
from glocal.weights.rows import keep_rows, read_rows, rows_by_name
from glocal.weights.translate import Names, find_tensors, load_into


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
    place: str = ""  # where in the file they lie, as a sentence, where it holds more than they or wraps their names
    channels: str = ""  # what became of the first convolution for pictures of other channels, as a sentence

    def __str__(self) -> str:
        lines = [f"{self.source}: {self.tensors} tensors, named as by {self.names}", self.place, self.channels]
        lines = [line for line in (*lines, self.classifier) if line]
        if n := len(self.resized):
            lines.append(f"{n} table{'s' * (n > 1)} of positions or offsets interpolated: {_some(self.resized)}")
        return "\n".join(lines)


@overload
def start_from(
    arch: Architecture,
    weights: str | Path,
    *,
    classes: Sequence[str] | None = None,
    num_classes: int | None = None,
    head_rows: str | Path | Sequence[int] | None = None,
    head_init_scale: float = 1.0,
    echo: Callable[[str], None] = ...,
) -> tuple[Network, Loaded]: ...
@overload
def start_from(
    arch: TimmArchitecture,
    weights: str | Path,
    *,
    classes: Sequence[str] | None = None,
    num_classes: int | None = None,
    head_rows: str | Path | Sequence[int] | None = None,
    head_init_scale: float = 1.0,
    echo: Callable[[str], None] = ...,
) -> tuple[TimmNetwork, Loaded]: ...
def start_from(
    arch: AnyArchitecture,
    weights: str | Path,
    *,
    classes: Sequence[str] | None = None,
    num_classes: int | None = None,
    head_rows: str | Path | Sequence[int] | None = None,
    head_init_scale: float = 1.0,
    echo: Callable[[str], None] = lambda line: None,
) -> tuple[AnyNetwork, Loaded]:
    """A network with weights of any source, and what was made of them.

    classes: the names in the order of the logits wanted. Where the file names its classes too, rows of its classifier are
    taken by name, never by position; where it lacks one of them, the classifier starts fresh. A file without names keeps
    its classifier if it has as many classes. num_classes, head_rows and head_init_scale as in `create_model`.
    """
    file = find_weights(weights, echo=echo)
    checkpoint = files.read(file)
    meta = checkpoint.meta
    wanted = num_classes if classes is None else len(classes)
    try:
        network, filled = (
            _filled_timm(arch, checkpoint) if isinstance(arch, TimmArchitecture) else _filled(arch, checkpoint)
        )
        theirs = tuple(meta.get("classes") or _imagenet(str(weights), network.num_classes))
        if head_rows is not None:
            head = _chosen_rows(network, head_rows, wanted, theirs=theirs)
        else:
            head = _classify(network, wanted, theirs=theirs, ours=classes)
    except WeightError as error:
        raise WeightError(f"{weights}: {error}") from None
    if head.fresh:
        scale_classifier(network, head_init_scale)
    network.description = _description(network, head, meta, source=str(weights), theirs=theirs)
    preprocess = meta.get("preprocess") or None
    return network, Loaded(
        str(weights),
        filled.source,
        filled.tensors,
        head.sentence,
        head.fresh,
        filled.resized,
        preprocess,
        filled.place,
        filled.channels,
    )


class _Head(NamedTuple):
    """What became of the classifier, as a sentence; whether it starts fresh; the names of its classes, where they are known."""

    sentence: str
    fresh: bool
    labels: tuple[str, ...]


def _description(
    network: AnyNetwork, head: _Head, meta: Mapping[str, Any], *, source: str, theirs: tuple[str, ...]
) -> Description:
    """What is known of a network that started from weights. meta: what their file says. theirs: its classes."""
    preprocess = meta.get("preprocess") or _card_of(source)
    return Description(
        head.labels if len(head.labels) == network.num_classes else (),
        _adapted(preprocess, network) if preprocess else {},
        not head.fresh and meta.get("multi_label", False),
        meta.get("temperature", 1.0) if head.labels == theirs else 1.0,
    )


def _chosen_rows(
    network: AnyNetwork, head_rows: str | Path | Sequence[int], wanted: int | None, *, theirs: Sequence[str]
) -> _Head:
    """Turns the file's classifier into some of its rows."""
    labels = theirs if len(theirs) == network.num_classes else ()
    rows = read_rows(head_rows) if isinstance(head_rows, str | Path) else head_rows
    keep_rows(network, rows)
    n = network.num_classes
    if wanted not in (None, n):
        raise WeightError(f"head_rows names {n} rows for {wanted} classes")
    kept = tuple(labels[row] for row in rows) if labels else ()
    return _Head(f"the classifier is {n} rows of the file's, as head_rows names them", False, kept)


def _classify(network: AnyNetwork, wanted: int | None, *, theirs: tuple[str, ...], ours: Sequence[str] | None) -> _Head:
    """Turns the file's classifier into the one that is wanted."""
    if wanted is None:
        return _Head("the classifier is the file's", False, theirs)
    sentence, fresh = _classifier_of(network, wanted, theirs=theirs, ours=ours)
    return _Head(sentence, fresh, tuple(ours or (() if fresh else theirs)))


def _card_of(weights: str) -> dict[str, Any]:
    """How timm's pretrained weights read pictures, where they are timm's."""
    if weights_file(weights):
        return card_of_file(weights).preprocess
    return timm_card(weights.removeprefix("timm:")).preprocess if weights.startswith("timm:") else {}


def _adapted(preprocess: Mapping[str, Any], network: AnyNetwork) -> dict[str, Any]:
    """A file's preprocessing for a network of perhaps another picture size and other channels."""
    _, *size = network.arch.image
    colours = {
        key: list(spread(tuple(preprocess[key]), network.in_chans)) for key in ("mean", "std") if key in preprocess
    }
    return {**preprocess, "size": size, **colours}


def _imagenet(weights: str, n: int) -> tuple[str, ...]:
    """The n classes of timm's pretrained weights, where timm knows them."""
    if not weights.startswith("timm:"):
        return ()
    card = card_of_file(weights) if weights_file(weights) else timm_card(weights.removeprefix("timm:"))
    return card.classes if len(card.classes) == n else ()


def _classifier_of(
    network: AnyNetwork, wanted: int, *, theirs: Sequence[str], ours: Sequence[str] | None
) -> tuple[str, bool]:
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


def scale_classifier(network: AnyNetwork, factor: float) -> None:
    """Multiplies the classifier's weights and biases."""
    with torch.no_grad():
        for p in network.get_classifier().parameters():
            p.mul_(factor)


class _Filled(NamedTuple):
    """Whose names the tensors bear, how many they are, our keys of tables that were interpolated, and two sentences: where in
    the file they lie, and what became of its first convolution."""

    source: str
    tensors: int
    resized: tuple[str, ...]
    place: str
    channels: str


def _filled(arch: Architecture, checkpoint: files.Checkpoint) -> tuple[AnyNetwork, _Filled]:
    """A network with a checkpoint's tensors, and its classes."""
    network, theirs = Network(arch), None
    if said := checkpoint.meta.get("architecture"):
        theirs = _same_layers(said, network.arch)
        if not classifier(theirs):
            network.reset_classifier(0)
    found = find_tensors(checkpoint.held, network)
    names, tensors = found.names, found.tensors
    if network.num_classes:
        key = names.learned[f"{classifier_path(network.arch)}.weight"]
        network.reset_classifier(len(tensors[key]))
    tensors, channels = _for_channels(tensors, names, network)
    source = load_into(network, tensors, made_for=theirs)
    own = network.state_dict()
    tables = [key for key in names.learned if key.endswith(".table")]
    given = {key: names.ours(key, tensors[names.learned[key]], network) for key in tables}
    resized = tuple(key for key in tables if not torch.equal(given[key].to(own[key].dtype), own[key]))
    return network, _Filled(source, len(tensors), resized, found.place, channels)


def _filled_timm(arch: TimmArchitecture, checkpoint: files.Checkpoint) -> tuple[AnyNetwork, _Filled]:
    """A network of timm with a checkpoint's tensors, and its classes."""
    said = checkpoint.meta.get("architecture")
    found = fill_timm(arch, checkpoint.tensors, described=said)
    given, channels = found.channels, arch.image.c
    of_channels = filters_sentence(given, channels) if given != channels else ""
    return found.network, _Filled("timm", len(checkpoint.tensors), found.resized, "", of_channels)


def load_timm_file(source: str) -> Model:
    """The network of `timm:NAME@FILE` as its weights are, with the classes and the preprocessing that the file or timm says.

    WeightError where neither says how pictures are prepared.
    """
    network, _ = start_from(TimmArchitecture.read(without_file(source)), source)
    about = network.description
    if not about.preprocess:
        raise WeightError(f"{source} does not say how pictures are prepared for it; fine-tune it: glocal train")
    return Model(network, about.labels, dict(about.preprocess), about.multi_label, about.temperature)


def _same_layers(said: Any, ours: Architecture) -> Architecture:
    """The architecture that a file says it holds; WeightError where its layers are not ours."""
    if describes_timm(said):
        raise WeightError(f"holds a network of timm, and {ours.name} is one of the design space")
    try:
        theirs = load(said, vocabulary())
        if not isinstance(theirs, Architecture):
            raise WeightError("describes no Architecture")
        one, two = (adapt(a, classes=0, attention_dropout=0.0) for a in (theirs, ours))
    except ArchitectureError as error:
        raise WeightError(f"its architecture cannot be read: {error}") from None
    if (one.stem, one.stages, one.head) != (two.stem, two.stages, two.head):
        raise WeightError(f"holds weights of {theirs.name}, whose layers are not those of {ours.name}")
    return theirs


def _for_channels(tensors: dict[str, Tensor], names: Names, network: Network) -> tuple[dict[str, Tensor], str]:
    """The tensors with the first convolution's filters for the network's channels, and a sentence where that changed them."""
    ours = f"{first_convolution(network.arch)}.weight"
    theirs = names.learned.get(ours)
    if theirs is None:
        return tensors, ""
    filters = names.ours(ours, tensors[theirs], network)
    given, channels = (filters.shape[1] if filters.ndim > 1 else network.in_chans), network.in_chans
    if given == channels:
        return tensors, ""
    carried = names.theirs(ours, carried_filters(filters, channels), network)
    return {**tensors, theirs: carried}, filters_sentence(given, channels)
