"""One design space for vision backbones between convolution and attention, and the tool that trains, compares and ships them.

Importing glocal imports no torch; the names below load what they need when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from glocal import errors, families
from glocal.design import Architecture, Cost, cost
from glocal.families import architecture, list_models

if TYPE_CHECKING:
    from glocal.data import check
    from glocal.net.fuse import fuse
    from glocal.training.rerun import rerun
    from glocal.training.run import resume, train
    from glocal.training.transfer import fine_tune
    from glocal.training.use import evaluate, predict
    from glocal.weights import create_model
    from glocal.weights.registry import register_with_timm

__version__ = "0.1.0"
__all__ = [
    "Architecture",
    "Cost",
    "architecture",
    "check",
    "cost",
    "create_model",
    "errors",
    "evaluate",
    "families",
    "fine_tune",
    "fuse",
    "list_models",
    "predict",
    "register_with_timm",
    "rerun",
    "resume",
    "train",
]

_LATER = {
    "check": "glocal.data",
    "create_model": "glocal.weights",
    "fuse": "glocal.net.fuse",
    "evaluate": "glocal.training.use",
    "fine_tune": "glocal.training.transfer",
    "predict": "glocal.training.use",
    "register_with_timm": "glocal.weights.registry",
    "rerun": "glocal.training.rerun",
    "resume": "glocal.training.run",
    "train": "glocal.training.run",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'glocal' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
