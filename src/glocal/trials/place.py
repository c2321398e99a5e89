"""Where many runs compute and where they are written: device, workers, storage, folder."""

import os
import secrets
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from glocal.machine.device import pick_device
from glocal.settings import STRICT, Flag
from glocal.trials.storage import open_storage, public, remember_password
from glocal.trials.workers.pool import Engine
from glocal.trials.workers.ray_tasks import require_ray


class TrialPlace(BaseModel):
    """The device, the workers, the table and the folder of many runs."""

    model_config = STRICT

    device: Annotated[str, Flag("auto, cpu, cuda, cuda:0 or mps.")] = "auto"
    workers: Annotated[
        int | None,
        Field(ge=1),
        Flag("Processes that work at the same time; by default one for each core, up to 8, or one for a GPU."),
    ] = None
    engine: Annotated[Engine, Flag("Workers on this machine, or on a Ray cluster.")] = "processes"
    storage: Annotated[
        str | None, Flag("Table of trials: postgresql://USER@HOST/DATABASE, journal:PATH or a path.")
    ] = None
    output: Annotated[Path | None, Flag("Folder in which the new folder is made; by default below runs/.")] = None
    name: Annotated[str | None, Flag("Name of the new folder; an existing one is never overwritten.")] = None

    def worker_count(self) -> int:
        """The workers, or as many as the machine keeps busy. More than 8 would each hold the pictures in memory."""
        if self.workers is not None:
            return self.workers
        return min(8, os.cpu_count() or 1) if pick_device(self.device).type == "cpu" else 1

    def thread_count(self) -> int:
        """Threads of torch of each worker; several workers have one each. Their number touches the last bits of a training."""
        import torch

        return torch.get_num_threads() if self.worker_count() == 1 else 1

    def check(self) -> None:
        """MissingPackage or TrialError now, and not after an hour, where a package or the table's server is missing."""
        remember_password(self.storage)
        open_storage(self.storage).close()
        if self.engine == "ray":
            require_ray()

    def record(self) -> "PlaceRecord":
        """What a folder must have to go on in the same place."""
        return PlaceRecord(
            device=self.device,
            workers=self.worker_count(),
            threads=self.thread_count(),
            engine=self.engine,
            storage=public(self.storage) if self.storage else None,
            table=secrets.token_hex(4),
        )


class PlaceRecord(BaseModel):
    """A place as a folder keeps it. table: what tells its table from those of other folders of the same name in one storage."""

    device: str
    workers: Annotated[int, Field(ge=1)]
    threads: Annotated[int, Field(ge=1)]
    engine: Engine
    storage: str | None
    table: str = ""


def table_name(folder: Path, mark: str) -> str:
    """The name of a folder's table in its storage. mark: of its record."""
    name = folder.resolve().name
    return f"{name}-{mark}" if mark else name
