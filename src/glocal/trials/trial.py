"""A trial: what to run and what came of it, as plain data. This room does not know what either means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
"""An object of JSON: text, numbers, booleans, None, lists and such objects. Tuples come back from a table as lists."""

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Trial:
    """One run among many.

    key: the name of the trial, which no other trial of its table has: "coatnet_0, seed 3".
    settings: what to run. It is all that the worker gets.
    parameters: what Optuna's own tools show of the trial, a value for each of the table's `choices`. Workers do not see it.
    result: what came of it; None until the trial is finished.
    seconds: the time that the run took.
    worker: the name of the process that ran it.
    """

    key: str
    settings: Json
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    result: Json | None = None
    seconds: float = 0.0
    worker: str = ""

    def __str__(self) -> str:
        return f"trial {self.key!r}"
