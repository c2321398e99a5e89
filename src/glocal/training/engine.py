"""One process, or one of several that torchrun started: its device, its share of the work, and what all of them agree on.

Accelerate sets several processes up; one alone needs nothing of it (decision 0013). What is computed stands in `loop`.
"""

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeGuard, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from glocal.errors import RecipeError
from glocal.net import Network
from glocal.training.device import pick_device

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

Parallel = Literal["ddp", "fsdp"]
T = TypeVar("T")


@dataclass(frozen=True)
class Machine:
    """Where and how a run computes. On one kind of device, only `amp` and `processes` touch the result."""

    device: torch.device
    workers: int | None = None  # processes that load pictures; None: threads where they pay (`Batches`)
    checkpoint_s: float = 60.0  # seconds between the states written within an epoch
    amp: bool = False  # autocast to bfloat16
    rank: int = 0
    processes: int = 1
    sharded: bool = False  # weights and moments are divided among the processes (FSDP2), not copied to each (DDP)

    @classmethod
    def start(
        cls, device: str, *, parallel: Parallel = "ddp", workers: int | None = None, checkpoint_s: float = 60.0
    ) -> "Machine":
        """This process's place: alone, or among those that torchrun started. RecipeError where there is no such place."""
        processes = int(os.environ.get("WORLD_SIZE", "1"))
        if processes == 1:
            return cls(pick_device(device), workers, checkpoint_s)
        if device not in ("auto", "cpu", "cuda"):
            raise RecipeError(f"--device {device}: with several processes each takes its own; auto, cpu or cuda")
        from accelerate import PartialState  # takes a second or two

        state = PartialState(cpu=pick_device(device).type == "cpu")
        atexit.register(state.destroy_process_group)
        place = torch.device("cpu") if state.device.type == "cpu" else state.device
        return cls(
            place, workers, checkpoint_s, rank=state.process_index, processes=processes, sharded=parallel == "fsdp"
        )

    @property
    def main(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    def shard(self, network: Network) -> None:
        """Divides the weights of a network among the processes, block by block, in place; nothing where they are copied."""
        if not self.sharded:
            return
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self.device.type, (self.processes,))
        for block in (block for stage in network.stages for block in stage.blocks):  # type: ignore[union-attr]
            fully_shard(block, mesh=mesh)
        fully_shard(network, mesh=mesh)

    def trained(self, network: Network) -> nn.Module:
        """What the forward pass of a step is called on; its backward pass leaves every process the mean gradient. To be
        asked again when other weights of the network learn."""
        if self.processes == 1 or self.sharded:
            return network
        return DistributedDataParallel(network, device_ids=[self.device] if self.device.index is not None else None)

    def adding(self, trained: nn.Module, *, last: bool) -> AbstractContextManager[None]:
        """Around the passes of one part of a batch: gradients are exchanged once, with the `last` part."""
        if isinstance(trained, DistributedDataParallel):
            return nullcontext() if last else trained.no_sync()
        if self.sharded:
            trained.set_requires_gradient_sync(last)  # type: ignore[operator]
        return nullcontext()

    def exchange(self, network: nn.Module) -> None:
        """Leaves every process the mean of the gradients that there are; for paths of a supernet, which are other weights
        at every step, the same in all processes."""
        there = [p.grad for p in network.parameters() if p.grad is not None] if self.processes > 1 else []
        if there:
            flat = torch.cat([gradient.flatten() for gradient in there])
            dist.all_reduce(flat)
            for gradient, mean in zip(there, flat.div_(self.processes).split([g.numel() for g in there]), strict=True):
                gradient.copy_(mean.view_as(gradient))

    def mean(self, *values: float) -> list[float]:
        """The mean of each value over the processes, the same in all of them."""
        if self.processes == 1:
            return list(values)
        told = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(told)
        return (told / self.processes).tolist()

    def gathered(self, part: T) -> list[T]:
        """The part of each process, by rank, in all of them."""
        if self.processes == 1:
            return [part]
        parts: list[T | None] = [None] * self.processes
        dist.all_gather_object(parts, part)
        return parts  # type: ignore[return-value]

    def told(self, value: T) -> T:
        """What the main process says."""
        return self.gathered(value)[0]

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """The main process goes through while the others wait; they then find what it has kept."""
        if not self.main:
            self.gathered(None)
        try:
            yield
        finally:
            if self.main:
                self.gathered(None)

    def level_buffers(self, network: nn.Module) -> None:
        """Gives all processes the running statistics of the main one. DDP does so itself in each step."""
        if self.sharded:
            for buffer in network.buffers():
                dist.broadcast(buffer, src=0)

    def whole(self, network: Network) -> Network:
        """The network in one piece; a copy on the CPU where its weights are divided. To be called by all processes."""
        if not self.sharded:
            return network
        copy = Network(network.arch)
        copy.load_state_dict({key: whole_tensor(t).cpu() for key, t in network.state_dict().items()})
        return copy


def is_divided(tensor: torch.Tensor) -> "TypeGuard[DTensor]":
    """Whether the processes hold parts of it. Its type's module takes a second to import, and is there if it is."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def whole_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor with the parts that the other processes hold; to be called by all of them."""
    return tensor.full_tensor() if is_divided(tensor) else tensor
