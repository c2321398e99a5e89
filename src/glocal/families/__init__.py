"""The papers, one a file: their words, their sizes, their names. No torch."""

from glocal.families import compact, convmixer, vit
from glocal.families.catalogue import architecture, list_models, vocabulary

__all__ = ["architecture", "compact", "convmixer", "list_models", "vit", "vocabulary"]
