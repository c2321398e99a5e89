"""Which names mean train, val or test. A name counts as a whole: `test_tube` is a class."""

import re
from functools import lru_cache
from typing import Literal

from glocal.data.sources.labels import plain

SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "val", "test")

CERTAIN = frozenset({"train", "val", "valid", "validation", "test"})
"""Names that always mean a split. The others in `_MEANING` are also words for what a picture shows, such as `training`."""

_MEANING: dict[str, SplitName] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "eval": "val",
    "evaluation": "val",
    "test": "test",
    "testing": "test",
}
_UNCLEAR = frozenset({"holdout", "heldout", "devel", "development", "validate", "trn", "tst"})
"""Names of a split that leave open which one it is, or that are too rare to be read without asking."""

_DIVISIONS = frozenset({"fold", "folds", "split", "splits"})
_BESIDE = frozenset(
    "set sets data dataset images image imgs img pictures photos files new old clean full final".split()
)
"""Words that stand beside the name of a split and change nothing of its meaning: `train_set`, `test_images`."""


@lru_cache(maxsize=1024)  # tables name a split in every row
def split_named(name: str) -> SplitName | None:
    """The split that a whole name means, in any case and with spaces around it; None for any other name."""
    return _MEANING.get(plain(name).casefold())


def resembles_split(name: str) -> bool:
    """Whether a name that means no split looks as if it should: `val1`, `train_set`, `hold-out`, but not `test_tube`."""
    words = re.findall(r"[^\W\d_]+", plain(name).casefold())
    divided = any(word in _DIVISIONS for word in words)
    left = "".join(_without_set(word) for word in words if word not in _BESIDE | _DIVISIONS)
    return left in _MEANING or left in _UNCLEAR or (divided and not left)


def divides_without_naming(name: str) -> bool:
    """Whether a name that resembles a split only counts parts, as `fold3` and `split_0` do."""
    words = set(re.findall(r"[^\W\d_]+", plain(name).casefold()))
    return bool(words) and words <= _DIVISIONS | _BESIDE


def _without_set(word: str) -> str:
    """`trainset` as `train`."""
    short = word.removesuffix("set")
    return short if short in _MEANING else word
