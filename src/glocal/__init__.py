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
    from glocal.comparing.run_study import resume_study, study
    from glocal.comparing.runs import compare_runs
    from glocal.comparing.tables import list_studies
    from glocal.data import check
    from glocal.deploying.classifiers import evaluate, predict
    from glocal.deploying.export import export
    from glocal.deploying.exported import load_exported
    from glocal.explaining.explain import explain
    from glocal.explaining.networks.explanation import explain_network
    from glocal.net.fuse import fuse
    from glocal.picking.run_pick import pick, resume_pick
    from glocal.reporting import write_report
    from glocal.runs.rerun import rerun
    from glocal.runs.resume import resume
    from glocal.runs.train import train
    from glocal.searching.ranking.rank import rank_supernet
    from glocal.searching.search import resume as resume_search
    from glocal.searching.search import search
    from glocal.serving.serve import serve
    from glocal.weights import create_model
    from glocal.weights.registry import register_with_timm

__version__ = "0.1.0"
__all__ = [
    "Architecture",
    "Cost",
    "architecture",
    "check",
    "compare_runs",
    "cost",
    "create_model",
    "errors",
    "evaluate",
    "explain",
    "explain_network",
    "export",
    "families",
    "fuse",
    "list_models",
    "list_spaces",
    "list_studies",
    "load_exported",
    "pick",
    "predict",
    "rank_supernet",
    "register_with_timm",
    "rerun",
    "resume",
    "resume_pick",
    "resume_search",
    "resume_study",
    "search",
    "serve",
    "space",
    "study",
    "train",
    "write_report",
]

_LATER = {
    "check": "glocal.data:check",
    "compare_runs": "glocal.comparing.runs:compare_runs",
    "list_studies": "glocal.comparing.tables:list_studies",
    "resume_study": "glocal.comparing.run_study:resume_study",
    "study": "glocal.comparing.run_study:study",
    "create_model": "glocal.weights:create_model",
    "fuse": "glocal.net.fuse:fuse",
    "evaluate": "glocal.deploying.classifiers:evaluate",
    "export": "glocal.deploying.export:export",
    "load_exported": "glocal.deploying.exported:load_exported",
    "explain": "glocal.explaining.explain:explain",
    "explain_network": "glocal.explaining.networks.explanation:explain_network",
    "pick": "glocal.picking.run_pick:pick",
    "resume_pick": "glocal.picking.run_pick:resume_pick",
    "predict": "glocal.deploying.classifiers:predict",
    "rank_supernet": "glocal.searching.ranking.rank:rank_supernet",
    "register_with_timm": "glocal.weights.registry:register_with_timm",
    "rerun": "glocal.runs.rerun:rerun",
    "resume": "glocal.runs.resume:resume",
    "resume_search": "glocal.searching.search:resume",
    "search": "glocal.searching.search:search",
    "serve": "glocal.serving.serve:serve",
    "train": "glocal.runs.train:train",
    "write_report": "glocal.reporting:write_report",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'glocal' has no attribute {name!r}")
    module, _, at = _LATER[name].partition(":")
    return getattr(import_module(module), at)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
