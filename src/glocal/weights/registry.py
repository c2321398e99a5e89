"""Our architectures in timm's registry, for libraries that build their backbones by `timm.create_model`."""

import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from glocal.design import Architecture
from glocal.design.architecture import classifier
from glocal.errors import ArchitectureError, WeightError
from glocal.families import architecture, list_models
from glocal.net import Network
from glocal.net.pyramid import Pyramid, levels_of, reads_one_size
from glocal.weights import files
from glocal.weights.create import create_model

PREFIX = "glocal_"


def register_with_timm() -> list[str]:
    """Makes every named architecture known to timm as `glocal_<name>`, which shadows nothing of timm's; returns the names.

    `timm.create_model("glocal_convnext_tiny", ...)` takes num_classes, in_chans, img_size, drop_path_rate, weights (a file,
    as in `glocal.create_model`), features_only and out_indices. A second call changes nothing.
    """
    from timm.models import PretrainedCfg, generate_default_cfgs, is_model, register_model

    names = {PREFIX + name: name for name in list_models()}
    # timm writes every name into `__all__` of the module that a function says it is from, and reads its `default_cfgs`:
    # ours say they are from a module that holds nothing else. timm.list_models(module="glocal") lists them.
    home = sys.modules.setdefault(f"{__name__}.glocal", ModuleType(f"{__name__}.glocal"))
    fresh = [name for name in names if not is_model(name)]
    vars(home)["default_cfgs"] = generate_default_cfgs(
        {name: PretrainedCfg(**_card(architecture(names[name]))) for name in fresh}
    )
    for name in fresh:
        make = partial(_model_for_timm, names[name])
        vars(make).update(
            __name__=name, __qualname__=name, __module__=home.__name__, __doc__=f"glocal's {names[name]}."
        )
        vars(home)[name] = register_model(make)
    return list(names)


def _card(arch: Architecture, weights: str | Path | None = None) -> dict[str, Any]:
    """What timm's data pipeline asks of a model: of its file, where that says it; else timm's mean, deviation and crop."""
    last = classifier(arch)
    card: dict[str, Any] = {
        "input_size": tuple(arch.image),
        "num_classes": last.width if last else 0,
        "fixed_input_size": reads_one_size(arch),
    }
    said = files.read(weights).meta.get("preprocess") if weights is not None else None
    if said:
        card |= {"mean": tuple(said["mean"]), "std": tuple(said["std"]), "interpolation": said["interpolation"]}
        card |= {"crop_pct": said["crop_pct"], "crop_mode": {"crop": "center"}.get(said["aspect"], said["aspect"])}
    return card


def _model_for_timm(
    name: str,
    pretrained: bool = False,
    *,
    num_classes: int | None = None,
    in_chans: int | None = None,
    img_size: int | tuple[int, int] | None = None,
    drop_path_rate: float | None = None,
    weights: str | Path | None = None,
    features_only: bool = False,
    out_indices: int | tuple[int, ...] | None = None,
    drop_rate: float = 0.0,
    pretrained_cfg: Any = None,
    pretrained_cfg_overlay: dict[str, Any] | None = None,
    cache_dir: str | Path | None = None,
) -> nn.Module:
    """What timm calls. It hands the last three to every model; timm's scripts hand over a drop_rate of 0, too."""
    from timm.models import resolve_pretrained_cfg

    if pretrained:
        raise WeightError(f"{PREFIX}{name}: glocal ships no weights; give weights=FILE")
    for idle, given in (
        ("drop_rate (the dropout of a head is part of its architecture)", drop_rate),
        ("cache_dir (nothing is downloaded)", cache_dir),
        ("out_indices without features_only=True", out_indices is not None and not features_only),
    ):
        if given:
            raise ArchitectureError(f"{PREFIX}{name}: {idle} would have no effect")
    network = create_model(
        name,
        num_classes=0 if features_only else num_classes,
        in_chans=in_chans,
        img_size=img_size,
        drop_path_rate=drop_path_rate,
        weights=weights,
    )
    model = _maps(network, out_indices) if features_only else network
    card = _card(network.arch, weights) | (pretrained_cfg_overlay or {})
    card = resolve_pretrained_cfg(PREFIX + name, pretrained_cfg, card).to_dict()
    vars(model).update(pretrained_cfg=card, default_cfg=card)
    return model


def _maps(network: Network, out_indices: int | tuple[int, ...] | None) -> Pyramid:
    """The pyramid, with timm's description of all levels and of those that are chosen: by index, or the last few."""
    from timm.models import FeatureInfo

    pyramid = network.features(range(-out_indices, 0) if isinstance(out_indices, int) else out_indices)
    info = [{"num_chs": of.width, "reduction": of.stride, "module": of.path} for of in levels_of(network.arch)]
    vars(pyramid)["feature_info"] = FeatureInfo(info, pyramid.indices)
    return pyramid
