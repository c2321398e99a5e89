"""From a name, a file or a folder to a network."""

from collections.abc import Sequence
from pathlib import Path
from warnings import warn

from glocal.design import Architecture, adapt
from glocal.errors import ArchitectureError, WeightError
from glocal.families import architecture
from glocal.net import Network
from glocal.net.saving.tensor_files import saved_architecture
from glocal.weights.find import find_weights
from glocal.weights.start import scale_classifier, start_from


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

    In place of a name, `hf:OWNER/REPO` or the path of a folder (a run's, or one that `save_pretrained` or `write_hub_folder`
    wrote) gives the network that lies there, with its weights.
    num_classes: None takes the file's, or else the architecture's; 0 leaves the classifier away. Another number than the
    file's puts a fresh classifier in, and warns. img_size: one side or (height, width) in pixels; learned positions follow.
    weights: of any source of `find_weights`; the names in it ours, the authors' or timm's. head_rows: rows of the file's
    classifier, from 0, that become ours, or a file of their numbers. head_init_scale: factor on a fresh classifier (ConvNeXt's
    fine-tuning: 0.001). Raises ArchitectureError, ShapeError or WeightError.
    """
    if head_rows is not None and weights is None:
        raise WeightError("head_rows names rows of a classifier in a file; give the file: weights=")
    if isinstance(name_or_architecture, Architecture):
        arch = name_or_architecture
    elif not _names_weights(name_or_architecture):
        arch = architecture(name_or_architecture)
    elif weights is None:
        weights = name_or_architecture
        arch = saved_architecture(find_weights(weights))
    else:
        raise WeightError(
            f"{name_or_architecture} has weights of its own; give an architecture's name to take {weights}"
        )
    arch = adapt(arch, channels=in_chans, size=img_size, drop_path=drop_path_rate)
    if weights is None:
        network = Network(adapt(arch, classes=num_classes))
        scale_classifier(network, head_init_scale)
        return network
    network, loaded = start_from(
        arch, weights, num_classes=num_classes, head_rows=head_rows, head_init_scale=head_init_scale
    )
    if loaded.fresh:
        warn(f"{weights}: {loaded.classifier}", stacklevel=2)
    return network


def _names_weights(name: str) -> bool:
    """Whether a name is a place where weights lie: the hub's, or a folder's that is no name of an architecture."""
    if name.startswith("hf:"):
        return True
    if name.endswith((".yaml", ".yml")) or not Path(name).is_dir():
        return False
    try:
        architecture(name)
    except ArchitectureError:
        return True
    return False
