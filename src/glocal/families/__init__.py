"""The papers, one a file: their words, their sizes, their names. `catalogue` lists the files. No torch."""

from glocal.families.catalogue import architecture, list_models, vocabulary

__all__ = ["architecture", "list_models", "vocabulary"]
