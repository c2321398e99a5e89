"""The settings of a pick: the budget, what the network may cost, and how the race is run."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from glocal.comparing.racing.rules import LEVEL, PLACES
from glocal.comparing.statistics.compare import MARGIN
from glocal.quantities import Amount, Bytes, Milliseconds, Seconds
from glocal.settings import STRICT, Flag, Help

_LIMITS, _EFFORT, _CANDIDATES = "What the network may cost", "How much", "Which networks"
Count = Annotated[int, Field(ge=1)]
DeployedForm = Literal["pytorch", "onnx", "openvino"]


class PickSettings(BaseModel):
    """Everything that decides what is picked, beside the pictures and the recipe."""

    model_config = STRICT

    budget_s: Annotated[Seconds, Flag("Time for everything: 1h, 90m.", _EFFORT, "--budget")] = 3600.0
    epochs: Annotated[
        Count | None, Flag("Epochs of a training in full; as many as the budget allows by default.", _EFFORT)
    ] = None
    seeds: Annotated[Count, Flag("Seeds of each finalist.", _EFFORT)] = 3
    finalists: Annotated[Count, Flag("Networks that are trained in full, at most.", _EFFORT)] = PLACES
    margin: Annotated[
        float,
        Field(ge=0, lt=100),
        Flag("Difference in points of accuracy that does not matter.", _EFFORT),
    ] = 100 * MARGIN
    level: Annotated[float, Field(gt=0, lt=1), Help("Level of the intervals of the race.")] = LEVEL

    max_latency_ms: Annotated[
        Milliseconds | None,
        Flag("Most latency of one picture, the median measured on this device: 20ms.", _LIMITS, "--max-latency"),
    ] = None
    form: Annotated[
        DeployedForm, Flag("Form in which latency and memory are measured: pytorch, onnx or openvino.", _LIMITS)
    ] = "pytorch"
    max_params: Annotated[Amount | None, Flag("Most parameters: 5M.", _LIMITS)] = None
    max_macs: Annotated[Amount | None, Flag("Most multiply-adds: 0.3G, 1300M.", _LIMITS)] = None
    max_memory_bytes: Annotated[
        Bytes | None,
        Flag(
            "Most memory: weights and activations of one picture, or of an exported file what a process takes for it: 40MB.",
            _LIMITS,
            "--max-memory",
        ),
    ] = None
    max_file_bytes: Annotated[
        Bytes | None, Flag("Largest exported file, with --form onnx or openvino: 10MB.", _LIMITS, "--max-file")
    ] = None

    candidates: Annotated[
        str | None,
        Flag(
            "Names and wildcards, such as 'convnext*,cct*@cifar'; by default all families at a few sizes.", _CANDIDATES
        ),
    ] = None
    weights_dir: Annotated[
        Path | None,
        Flag("Folder of weights, a file a candidate: NAME.safetensors; its training starts from them.", _CANDIDATES),
    ] = None
    recipe: Annotated[
        str | None, Flag("Recipe of all candidates; by default the one that suits the pictures.", _CANDIDATES)
    ] = None

    seed: Annotated[int, Field(ge=0), Flag("Of the split into training and held-out pictures.", "The pictures")] = 0
    open_test: Annotated[
        bool,
        Flag(
            "At the end, once, evaluate the finalists on the test split too; each opening is counted.", "The pictures"
        ),
    ] = False
