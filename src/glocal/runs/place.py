"""Where a run computes and where its files are written: device, processes, folder. None of it is part of the recipe."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field

from glocal.errors import RecipeError
from glocal.settings import STRICT, Flag

if TYPE_CHECKING:
    from glocal.machine.processes import Machine

Parallel = Literal["ddp", "fsdp"]


class Place(BaseModel):
    """The device, the processes and the folder of a training run."""

    model_config = STRICT

    device: Annotated[str, Flag("auto, cpu, cuda, cuda:0 or mps.")] = "auto"
    parallel: Annotated[
        Parallel, Flag("Under torchrun: each process has a copy of the network (ddp), or a part of it (fsdp).")
    ] = "ddp"
    workers: Annotated[
        int | None,
        Field(ge=0),
        Flag("Processes that load pictures; by default threads load them, where that is faster."),
    ] = None
    checkpoint_s: Annotated[
        float, Field(ge=0), Flag("Seconds between the states saved within an epoch.", name="--checkpoint-seconds")
    ] = 60.0
    output: Annotated[Path, Flag("Folder in which the folder of the run is created.")] = Path("runs/train")
    name: Annotated[str | None, Flag("Name of the folder of the run; an existing one is never overwritten.")] = None
    mlflow: Annotated[
        str | None,
        Flag("MLflow store that gets the metrics: a folder, or a server's address.", env="MLFLOW_TRACKING_URI"),
    ] = None

    def machine(self) -> "Machine":
        """This process, alone or one of those that torchrun started. RecipeError for a device that the machine does not have."""
        from glocal.machine.processes import Machine

        machine = Machine.start(
            self.device, parallel=self.parallel, workers=self.workers, checkpoint_s=self.checkpoint_s
        )
        if self.parallel == "fsdp" and machine.processes == 1:
            raise RecipeError(
                "--parallel fsdp divides the network among processes, and there is one; start several: "
                "torchrun --nproc_per_node 2 -m glocal train ..."
            )
        return machine
