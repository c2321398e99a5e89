"""What a network tells code written for timm about itself: the entries of timm's `pretrained_cfg`."""

from collections.abc import Mapping, Sequence
from typing import Any

from glocal.design import Architecture, Conv, Patches, parts
from glocal.design.architecture import classifier, head_split
from glocal.design.cost import ops
from glocal.design.op import steps
from glocal.errors import ArchitectureError

# timm's defaults, which it takes from torchvision
MEAN, STD, CROP_PCT, INTERPOLATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 0.875, "bicubic"


def card(arch: Architecture, *, preprocess: Mapping[str, Any], labels: Sequence[str] = ()) -> dict[str, Any]:
    """The fields of timm's PretrainedCfg that an architecture has.

    preprocess: how the network's pictures were prepared, as a file of weights says it; where it says nothing, timm's mean,
    deviation and crop, averaged over the colours for a network of one channel or of more than three. labels: the names of
    the classes in the order of the logits.
    """
    last = classifier(arch)
    mean, std = (tuple(preprocess.get(name) or usual) for name, usual in (("mean", MEAN), ("std", STD)))
    found: dict[str, Any] = {
        "architecture": arch.name,
        "input_size": tuple(arch.image),
        "fixed_input_size": fixed_size(arch),
        "mean": spread(mean, arch.image.c),
        "std": spread(std, arch.image.c),
        "interpolation": preprocess.get("interpolation", INTERPOLATION),
        "crop_pct": preprocess.get("crop_pct", CROP_PCT),
        "crop_mode": "squash" if preprocess.get("aspect") == "squash" else "center",
        "num_classes": last.width if last else 0,
        "pool_size": None,
        "first_conv": first_convolution(arch),
        "classifier": classifier_path(arch),
    }
    return found | ({"label_names": tuple(labels)} if labels else {})


def fixed_size(arch: Architecture) -> bool:
    """Whether a network must be built for the picture size that it reads (`create_model(..., img_size=)`)."""
    return any(op.sizes != "any" for _, op, _ in ops(arch))


def classifier_path(arch: Architecture) -> str | None:
    """The path of the layer that makes the logits; None without one."""
    *_, (_, head) = parts(arch)
    *_, (name, _, _) = steps(arch.head, head.given)
    return f"head.{name}" if classifier(arch) else None


def spread(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """A mean or deviation of each colour for another number of channels: their average for each of them."""
    return values if len(values) == channels else (round(sum(values) / len(values), 6),) * channels


def first_convolution(arch: Architecture) -> str | None:
    """The path of the layer that reads the picture, where that is a convolution of all its channels."""
    name, op, _ = next(steps(arch.stem, arch.image), ("", None, None))
    dense = isinstance(op, Patches) or (isinstance(op, Conv) and op.groups == 1)
    return f"stem.{name}" if dense else None


def pooling(arch: Architecture) -> str:
    """timm's word for how a head pools: "avg" for the mean, "token" for the class token; ours for what timm does not have."""
    op = arch.head[head_split(arch)]
    return {"Mean": "avg", "First": "token"}.get(type(op).__name__, "sequence")


def checked_pooling(arch: Architecture, asked: str, num_classes: int) -> str:
    """A pooling that a network of these classes can have, or ArchitectureError that says why not."""
    own = pooling(arch)
    if asked == own or (not asked and not num_classes):
        return asked
    if not asked:
        raise ArchitectureError(
            f"{arch.name}: global_pool='' gives features without pooling, which no classifier reads; add num_classes=0"
        )
    raise ArchitectureError(
        f"{arch.name} pools by {own!r}, and global_pool={asked!r} would need another head; possible are {own!r}, and '' with "
        "num_classes=0"
    )
