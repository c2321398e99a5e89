"""Our architectures in timm's registry, for libraries that build their backbones by `timm.create_model`."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from glocal.errors import ArchitectureError, WeightError
from glocal.families import architecture, list_models
from glocal.net import Network
from glocal.net.card import card
from glocal.net.pyramid import Pyramid, levels_of
from glocal.weights.create import create_model

PREFIX = "glocal_"


def register_with_timm() -> list[str]:
    """Makes every named architecture known to timm as `glocal_<name>`, which shadows nothing of timm's; returns the names.

    `timm.create_model("glocal_convnext_tiny", ...)` takes num_classes, in_chans, img_size, drop_path_rate, weights (a file,
    as in `glocal.create_model`), global_pool, features_only and out_indices. A second call changes nothing.
    """
    from timm.models import PretrainedCfg, generate_default_cfgs, is_model, register_model

    names = {PREFIX + name: name for name in list_models()}
    # timm writes every name into `__all__` of the module that a function says it is from, and reads its `default_cfgs`:
    # ours say they are from a module that holds nothing else. timm.list_models(module="glocal") lists them.
    home = sys.modules.setdefault(f"{__name__}.glocal", ModuleType(f"{__name__}.glocal"))
    fresh = [name for name in names if not is_model(name)]
    vars(home)["default_cfgs"] = generate_default_cfgs(
        {name: PretrainedCfg(**card(architecture(names[name]), preprocess={})) for name in fresh}
    )
    for name in fresh:
        make = partial(_model_for_timm, names[name])
        vars(make).update(
            __name__=name, __qualname__=name, __module__=home.__name__, __doc__=f"glocal's {names[name]}."
        )
        vars(home)[name] = register_model(make)
    return list(names)


@dataclass(frozen=True)
class Asked:
    """What timm hands to a model: `glocal.create_model`'s arguments, timm's own of the same meaning, and some that it hands to
    every model."""

    pretrained: bool = False
    num_classes: int | None = None
    in_chans: int | None = None
    img_size: int | tuple[int, int] | None = None
    drop_path_rate: float | None = None
    weights: str | Path | None = None
    features_only: bool = False
    out_indices: int | tuple[int, ...] | None = None
    global_pool: str | None = None
    drop_rate: float = 0.0
    pretrained_cfg: Any = None
    pretrained_cfg_overlay: dict[str, Any] | None = None
    cache_dir: str | Path | None = None


def _model_for_timm(name: str, **asked: Any) -> nn.Module:
    """What timm calls."""
    return _made(name, Asked(**asked))


def _made(name: str, asked: Asked) -> nn.Module:
    from timm.models import resolve_pretrained_cfg

    if asked.pretrained:
        raise WeightError(f"{PREFIX}{name}: glocal ships no weights; give weights=FILE")
    if isinstance(asked.pretrained_cfg, str):
        resolve_pretrained_cfg(PREFIX + name, asked.pretrained_cfg)  # timm's own error for a tag that is not there
    if asked.pretrained_cfg or asked.pretrained_cfg_overlay:
        raise ArchitectureError(
            f"{PREFIX}{name}: pretrained_cfg_overlay and pretrained_cfg name weights and their preprocessing, and here a file "
            "of weights says its own: give weights=FILE; timm.data.resolve_data_config(args, model=model) changes how "
            "pictures are prepared"
        )
    for idle, given in (
        ("drop_rate (the dropout of a head is part of its architecture)", asked.drop_rate),
        ("cache_dir (nothing is downloaded)", asked.cache_dir),
        ("out_indices without features_only=True", asked.out_indices is not None and not asked.features_only),
        ("global_pool with features_only=True (maps are not pooled)", asked.global_pool and asked.features_only),
    ):
        if given:
            raise ArchitectureError(f"{PREFIX}{name}: {idle} would have no effect")
    network = create_model(
        name,
        num_classes=0 if asked.features_only else asked.num_classes,
        in_chans=asked.in_chans,
        img_size=asked.img_size,
        drop_path_rate=asked.drop_path_rate,
        weights=asked.weights,
    )
    if asked.features_only:
        return _maps(network, asked.out_indices)
    if asked.global_pool is not None:
        network.set_pooling(asked.global_pool)
    return network


def _maps(network: Network, out_indices: int | tuple[int, ...] | None) -> Pyramid:
    """The pyramid, with timm's description of all levels and of those that are chosen: by index, or the last few."""
    from timm.models import FeatureInfo

    pyramid = network.features(range(-out_indices, 0) if isinstance(out_indices, int) else out_indices)
    info = [{"num_chs": of.width, "reduction": of.stride, "module": of.path} for of in levels_of(network.arch)]
    told = network.pretrained_cfg
    vars(pyramid).update(feature_info=FeatureInfo(info, pyramid.indices), pretrained_cfg=told, default_cfg=told)
    return pyramid
