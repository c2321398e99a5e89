"""One design space for vision backbones between convolution and attention, and the tool that trains, compares and ships them.

Importing glocal imports no torch; the names below load what they need when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from glocal import errors, families
from glocal.design import Architecture, Cost, cost
from glocal.families import architecture, list_models
from glocal.families.spaces import list_spaces, space

if TYPE_CHECKING:
    from glocal.data import check
    from glocal.net.fuse import fuse
    from glocal.reporting import write_report
    from glocal.searching.ranking import rank_supernet
    from glocal.searching.run import resume as resume_search
    from glocal.searching.run import search
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
    "list_spaces",
    "predict",
    "rank_supernet",
    "register_with_timm",
    "rerun",
    "resume",
    "resume_search",
    "search",
    "space",
    "train",
    "write_report",
]

_LATER = {
    "check": "glocal.data:check",
    "create_model": "glocal.weights:create_model",
    "fuse": "glocal.net.fuse:fuse",
    "evaluate": "glocal.training.use:evaluate",
    "fine_tune": "glocal.training.transfer:fine_tune",
    "predict": "glocal.training.use:predict",
    "rank_supernet": "glocal.searching.ranking:rank_supernet",
    "register_with_timm": "glocal.weights.registry:register_with_timm",
    "rerun": "glocal.training.rerun:rerun",
    "resume": "glocal.training.run:resume",
    "resume_search": "glocal.searching.run:resume",
    "search": "glocal.searching.run:search",
    "train": "glocal.training.run:train",
    "write_report": "glocal.reporting:write_report",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'glocal' has no attribute {name!r}")
    module, _, at = _LATER[name].partition(":")
    return getattr(import_module(module), at)
