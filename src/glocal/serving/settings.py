"""The settings of a server: where it listens, how it groups pictures into batches, and what it refuses."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from glocal.quantities import Bytes, Milliseconds, Seconds
from glocal.settings import STRICT, Flag

_BATCHES, _LIMITS = "Batches", "Limits"


class ServeSettings(BaseModel):
    """Everything about a server but its model."""

    model_config = STRICT

    host: Annotated[str, Flag("Address to listen on; 0.0.0.0 for every one of this machine's.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535), Flag("Port to listen on; 0 takes a free one.")] = 8000
    name: Annotated[
        str | None,
        Field(pattern=r"^[A-Za-z0-9][\w.-]*$"),
        Flag("Name of the model in /v2/models/NAME; by default that of its folder."),
    ] = None
    threshold: Annotated[
        str | None, Flag("Leave predictions open that are less probable than this, as `glocal predict` does.")
    ] = None
    device: Annotated[str, Flag("auto, cpu, cuda, cuda:0 or mps.")] = "auto"
    cors_origin: Annotated[
        str | None, Flag("A site whose pages may read the answers, such as https://example.org; none by default.")
    ] = None
    max_batch: Annotated[
        int, Field(ge=1), Flag("Pictures that pass through the network together, at most.", _BATCHES)
    ] = 16
    max_wait_ms: Annotated[
        Milliseconds, Flag("How long a picture waits for others before a batch that is not full starts.", _BATCHES)
    ] = 5.0
    threads: Annotated[
        int | None, Field(ge=1), Flag("Threads of the network's arithmetic; PyTorch's own choice by default.", _BATCHES)
    ] = None
    decoders: Annotated[int, Field(ge=1), Flag("Threads that decode pictures.", _BATCHES)] = 2
    max_queue: Annotated[
        int, Field(ge=1), Flag("Pictures in the server at a time; requests with more get 429 and Retry-After.", _LIMITS)
    ] = 512
    max_memory: Annotated[Bytes, Flag("Bytes of the bodies of all requests together; more get 429.", _LIMITS)] = 256e6
    max_bytes: Annotated[Bytes, Flag("Bytes of the body of a request.", _LIMITS)] = 20e6
    max_pixels: Annotated[int, Field(ge=1), Flag("Pixels of a picture, by its header.", _LIMITS)] = 50_000_000
    max_pictures: Annotated[int, Field(ge=1), Flag("Pictures of a request.", _LIMITS)] = 64
    timeout_s: Annotated[
        Seconds,
        Flag("Time for the body of a request to arrive, and the same again for its headers.", _LIMITS, "--timeout"),
    ] = 30.0

    @model_validator(mode="after")
    def _requests_fit(self) -> Self:
        if self.max_pictures > self.max_queue:
            raise ValueError(
                f"--max-pictures {self.max_pictures} is more than --max-queue {self.max_queue}: "
                "such a request would always be refused"
            )
        if self.max_bytes > self.max_memory:
            raise ValueError(
                f"--max-bytes {self.max_bytes:,.0f} is more than --max-memory {self.max_memory:,.0f}: "
                "such a request would always be refused"
            )
        return self
