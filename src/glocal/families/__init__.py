"""The papers, one a file: their words, their sizes, their names. `catalogue` lists the files. No torch."""

from glocal.families.catalogue import architecture, described, list_models, vocabulary

__all__ = ["architecture", "described", "list_models", "vocabulary"]
