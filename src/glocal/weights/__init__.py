"""Their names for our weights, and weights on disk."""

from glocal.weights.create import create_model
from glocal.weights.find import find_weights
from glocal.weights.networks.any_network import AnyArchitecture, AnyNetwork, build_network, cost_of, find_architecture
from glocal.weights.networks.model_files import Model, load_model, save_model
from glocal.weights.rows import rows_by_name
from glocal.weights.start import Loaded, load_timm_file, start_from
from glocal.weights.tables import SOURCES
from glocal.weights.translate import export, load_into

__all__ = [
    "SOURCES",
    "AnyArchitecture",
    "AnyNetwork",
    "Loaded",
    "Model",
    "build_network",
    "cost_of",
    "create_model",
    "export",
    "find_architecture",
    "find_weights",
    "load_into",
    "load_model",
    "load_timm_file",
    "rows_by_name",
    "save_model",
    "start_from",
]
