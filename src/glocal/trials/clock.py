"""The time of a budget, over all sessions of a command that is stopped and resumed."""

import json
import time
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, Field

from glocal.files import read_as, write_whole


def ending_s(budget_s: float | None) -> float:
    """What is kept of a budget for what comes after the last training: evaluating, writing and the page."""
    return 3.0 + 0.01 * budget_s if budget_s else 0.0


class _Spent(BaseModel):
    spent_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(eq=False)
class Clock:
    """What is spent of a budget, infinite where there is none. A kill loses what came after the last `save`.

    started: when the command began, by time.monotonic(). before_s: what earlier ones spent. end_s: for what comes after the
    last training.
    """

    path: Path
    budget_s: float
    started: float
    end_s: float = 0.0
    before_s: float = 0.0

    @classmethod
    def read(cls, path: Path, budget_s: float | None, *, started: float, end_s: float = 0.0) -> Self:
        """The clock of a folder, with what earlier sessions left in `path`."""
        before_s = read_as(_Spent, path).spent_s if path.is_file() else 0.0
        return cls(path, inf if budget_s is None else budget_s, started, end_s, before_s)

    @property
    def spent_s(self) -> float:
        """Since the first session started, without the breaks between sessions."""
        return self.before_s + time.monotonic() - self.started

    @property
    def left_s(self) -> float:
        """For trainings; what comes after them is taken off."""
        return self.budget_s - self.spent_s - self.end_s

    def save(self) -> None:
        """Notes the time spent, where there is a budget."""
        if self.budget_s < inf:
            write_whole(self.path, json.dumps({"spent_s": self.spent_s}).encode())
