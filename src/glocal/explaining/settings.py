"""The settings of an explanation."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from glocal.settings import STRICT, Flag

MethodName = Literal["auto", "all", "gradcam", "attention", "seqpool", "occlusion", "features"]


class ExplainSettings(BaseModel):
    """What is explained and how it is checked."""

    model_config = STRICT

    method: Annotated[
        MethodName, Flag("The kind of map: auto reads which fits from the network; all shows every one.")
    ] = "auto"
    target: Annotated[
        str | None, Flag("Name of the class whose score is explained; by default the one predicted for each picture.")
    ] = None
    no_checks: Annotated[bool, Flag("Leave out the checks of each method on this network (docs/explain.md).")] = False
    pastes: Annotated[
        int, Field(ge=1, le=1000), Flag("Pasted pictures of the pointing game, for methods of few passes.")
    ] = 16
    seed: Annotated[int, Field(ge=0), Flag("Of the pastes, the random map and the randomised weights.")] = 0
    output: Annotated[Path | None, Flag("Folder to write; by default `explain` in the run's folder.")] = None
