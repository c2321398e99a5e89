"""The settings of a study: how large its networks are, how often they are trained, and how long it may take."""

from typing import Annotated

from pydantic import BaseModel, Field

from glocal.comparing.study import Scale
from glocal.quantities import Seconds
from glocal.settings import STRICT, Flag

_EFFORT = "How much"


class StudySettings(BaseModel):
    """Everything that decides what a study finds, beside the study itself, the pictures and the recipe."""

    model_config = STRICT

    scale: Annotated[
        Scale, Flag("How large the networks are: as in the paper, or smaller by one rule (docs/studies.md).", _EFFORT)
    ] = "tiny"
    epochs: Annotated[int | None, Field(ge=1), Flag("Epochs of every training; the recipe's by default.", _EFFORT)] = (
        None
    )
    seeds: Annotated[
        int | None,
        Field(ge=1),
        Flag(
            "Seeds of an arm at most; 3 by default, which --resume DIR --seeds 5 adds to, and 12 with a budget. Seeds are "
            "added where an answer is nearest.",
            _EFFORT,
        ),
    ] = None
    budget_s: Annotated[
        Seconds | None,
        Flag("Time for everything: 2h, 90m; epochs that are not given are made to fit.", _EFFORT, "--budget"),
    ] = None
    margin: Annotated[
        float | None,
        Field(gt=0, lt=100),
        Flag("Difference in points of accuracy that does not matter; the study's by default.", _EFFORT),
    ] = None
    seed: Annotated[int, Field(ge=0), Flag("Of the split into training and held-out pictures.", "The pictures")] = 0
    pretrain_on: Annotated[str | None, Flag("Pictures of the first stage, in studies of transfer.", "The pictures")] = (
        None
    )
    open_test: Annotated[
        bool,
        Flag(
            "At the end, once, evaluate every network on the test split too; each opening is counted.", "The pictures"
        ),
    ] = False

    @property
    def most_seeds(self) -> int:
        """Seeds of an arm at most."""
        return self.seeds or (3 if self.budget_s is None else 12)
