"""The errors a user of glocal can cause; the command line prints them without a traceback.

Every message says where, what was given, what is possible, and the command or argument that mends it.
"""

import signal


class GlocalError(Exception):
    """Something the person at the keyboard can put right; `exit_code` is what the command line ends with."""

    exit_code = 1


class ArchitectureError(GlocalError):
    """A name or description that is no architecture of the design space."""


class ShapeError(ArchitectureError):
    """An op was given a shape it cannot read."""


class WeightError(GlocalError):
    """A file of weights that is unreadable, or whose keys or shapes are not those of the architecture."""


class RecipeError(GlocalError):
    """A setting of training or of a search that is unknown, out of range, or without effect."""

    exit_code = 2


class DataError(GlocalError):
    """Pictures, labels or splits that cannot be trusted."""

    exit_code = 3


class RunError(GlocalError):
    """A run that cannot go on: a loss that is not finite, a full disk, a folder that is not a run."""


class SearchError(GlocalError):
    """A search that cannot begin or go on: limits that nothing meets, a table of another search, an evaluation that failed."""


class Stopped(GlocalError):  # noqa: N818 - nothing went wrong
    """A run that a signal ended, its state written; the exit code is the shell's, 128 and the number of the signal."""

    def __init__(self, number: int, where: str) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name} {where}")
        self.number = number
        self.exit_code = 128 + number
