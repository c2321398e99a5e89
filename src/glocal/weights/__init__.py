"""Their names for our weights, and weights on disk."""

from glocal.weights.create import Loaded, Model, create_model, load_model, save_model, start_from
from glocal.weights.find import find_weights
from glocal.weights.rows import rows_by_name
from glocal.weights.tables import SOURCES
from glocal.weights.translate import export, load_into

__all__ = [
    "SOURCES",
    "Loaded",
    "Model",
    "create_model",
    "export",
    "find_weights",
    "load_into",
    "load_model",
    "rows_by_name",
    "save_model",
    "start_from",
]
