"""Pictures on disk to batches: checked, split, decoded, augmented. Knows no model and, but for batches, no torch."""

from typing import TYPE_CHECKING, Any

from glocal.data.batches.augment import Augment
from glocal.data.batches.preprocess import Preprocess
from glocal.data.checking import Report, check
from glocal.data.dataset import Data, Split
from glocal.data.faults import Fault
from glocal.data.manifest import Manifest
from glocal.data.pictures import decode
from glocal.data.sharding import Written, write_shards
from glocal.data.sources.folders import pictures_below

if TYPE_CHECKING:
    from glocal.data.batches.loader import Batches

__all__ = [
    "Augment",
    "Batches",
    "Data",
    "Fault",
    "Manifest",
    "Preprocess",
    "Report",
    "Split",
    "Written",
    "check",
    "decode",
    "pictures_below",
    "write_shards",
]


def __getattr__(name: str) -> Any:
    if name == "Batches":  # imports torch
        from glocal.data.batches.loader import Batches

        return Batches
    raise AttributeError(f"module 'glocal.data' has no attribute {name!r}")
