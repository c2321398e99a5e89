"""Their names for our weights, and weights on disk."""

from glocal.weights.create import Model, create_model, load_model, save_model
from glocal.weights.tables import SOURCES
from glocal.weights.translate import export, load_into

__all__ = ["SOURCES", "Model", "create_model", "export", "load_into", "load_model", "save_model"]
