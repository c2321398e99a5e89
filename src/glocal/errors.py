"""The errors a user of glocal can cause; the command line prints them without a traceback.

Every message says where the error is, what was given, what is possible, and the command or argument that corrects it.
"""

import signal


class GlocalError(Exception):
    """An error that the user can correct; `exit_code` is the exit code of the command line."""

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
    """A run that cannot continue: a loss that is not finite, a full disk, a folder or file that is not a run's."""


class DivergedError(RunError):
    """A training whose loss or weights are not finite any more: begun again, it would end so again."""


class TrialError(GlocalError):
    """Trials that cannot start or continue: a table that is lost or holds other trials, a worker that failed, a short budget."""


class SearchError(GlocalError):
    """A search that cannot start or continue: limits that nothing meets, a table of another search, an evaluation that failed."""


class ComparisonError(GlocalError):
    """Arms that cannot be compared: other seeds, other pictures, or values that are not numbers."""


class MissingPackage(GlocalError):  # noqa: N818 - it names what to install
    """A package that an extra of glocal brings is not installed."""


class Stopped(GlocalError):  # noqa: N818 - nothing went wrong
    """A run that a signal stopped, with its state saved; the exit code is the shell's, 128 plus the number of the signal."""

    def __init__(self, number: int, where: str) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name} {where}")
        self.number = number
        self.exit_code = 128 + number
