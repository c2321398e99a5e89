"""Keeping some of a classifier's classes: rows of its weights, named by the user's file or by the names of the classes."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch

from glocal.errors import WeightError
from glocal.files import file_bytes
from glocal.weights.networks.any_network import AnyNetwork


def read_rows(path: str | Path) -> tuple[int, ...]:
    """The row numbers, from 0, of a text or CSV file: one for each class that is wanted, in the order wanted."""
    try:
        words = re.split(r"[\s,;]+", file_bytes(path).decode().strip())
    except (OSError, UnicodeDecodeError) as error:
        raise WeightError(f"the rows of the classifier cannot be read from {path}: {error}") from None
    if strange := next((word for word in words if not word.isdecimal()), None):
        raise WeightError(
            f"{path}: {strange!r} is no row; give whole numbers from 0, one for each class that is wanted"
        )
    return tuple(map(int, words))


def rows_by_name(theirs: Sequence[str], ours: Sequence[str]) -> tuple[int, ...]:
    """The row of each of our classes among theirs. WeightError names the classes that are not there, or there twice."""
    if missing := [name for name in ours if name not in theirs]:
        raise WeightError(f"{len(missing)} of {len(ours)} classes are not in the file, the first {missing[0]!r}")
    if twice := [name for name in ours if [*theirs].count(name) > 1]:
        raise WeightError(
            f"the file has more than one class called {twice[0]!r}; name the rows in a file of their numbers"
        )
    return tuple(map([*theirs].index, ours))


def keep_rows(network: AnyNetwork, rows: Sequence[int]) -> None:
    """Puts in place of a network's classifier one of these of its rows. WeightError for a row that it does not have."""
    if not network.num_classes or not rows or not all(0 <= row < network.num_classes for row in rows):
        wrong = next((row for row in rows if not 0 <= row < network.num_classes), "none")
        raise WeightError(f"head_rows: row {wrong} of a classifier of {network.num_classes} classes")
    old, classes, taken = network.get_classifier().state_dict(), network.num_classes, torch.tensor(rows)
    network.reset_classifier(len(rows))
    network.get_classifier().load_state_dict(
        {name: values[taken] if values.ndim and len(values) == classes else values for name, values in old.items()}
    )
