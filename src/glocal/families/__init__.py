"""The papers, one a file: their words, their sizes, their names. No torch."""

from glocal.families import (
    airbench,
    coatnet,
    coatnet_timm,
    compact,
    convmixer,
    convnext,
    glit,
    mixture,
    resnet,
    roadmap,
    vit,
)
from glocal.families.catalogue import architecture, list_models, vocabulary

__all__ = [
    "airbench",
    "architecture",
    "coatnet",
    "coatnet_timm",
    "compact",
    "convmixer",
    "convnext",
    "glit",
    "list_models",
    "mixture",
    "resnet",
    "roadmap",
    "vit",
    "vocabulary",
]
