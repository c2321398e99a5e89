"""A process, alone or one of several that torchrun started: its device, its share of the work, and exchange with the others.

Accelerate sets up several processes; a single one does not load it (decision 0013).
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
from glocal.machine.device import pick_device
from glocal.net import Network
from glocal.weights.networks.any_network import AnyNetwork, build_network

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

Parallel = Literal["ddp", "fsdp"]
T = TypeVar("T")


@dataclass(frozen=True)
class Machine:
    """Where and how a run computes. On one kind of device, only `amp` and `processes` change the result."""

    device: torch.device
    workers: int | None = None  # processes that load pictures; None: threads where they are faster (`Batches`)
    checkpoint_s: float = 60.0  # seconds between the states saved within an epoch
    amp: bool = False  # autocast to bfloat16
    rank: int = 0
    processes: int = 1
    sharded: bool = False  # weights and moments are divided among the processes (FSDP2), not copied to each (DDP)

    @classmethod
    def start(
        cls, device: str, *, parallel: Parallel = "ddp", workers: int | None = None, checkpoint_s: float = 60.0
    ) -> "Machine":
        """This process, alone or one of those that torchrun started. RecipeError for a device that the machine does not have."""
        processes = int(os.environ.get("WORLD_SIZE", "1"))
        if processes == 1:
            return cls(pick_device(device), workers, checkpoint_s)
        if device not in ("auto", "cpu", "cuda"):
            raise RecipeError(
                f"--device {device}: each of several processes has a device of its own; give auto, cpu or cuda"
            )
        from accelerate import PartialState  # takes a second or two

        state = PartialState(cpu=pick_device(device).type == "cpu")
        atexit.register(state.destroy_process_group)
        place = torch.device("cpu") if state.device.type == "cpu" else state.device
        return cls(
            place, workers, checkpoint_s, rank=state.process_index, processes=processes, sharded=parallel == "fsdp"
        )

    @property
    def main(self) -> bool:
        """Whether this process writes files and prints for all."""
        return self.rank == 0

    def shard(self, network: AnyNetwork) -> None:
        """Divides the weights of a network among the processes, block by block (one of timm as a whole), in place. Does nothing
        where each has a copy."""
        if not self.sharded:
            return
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self.device.type, (self.processes,))
        stages = network.stages if isinstance(network, Network) else ()
        for block in (block for stage in stages for block in stage.blocks):  # type: ignore[union-attr]
            fully_shard(block, mesh=mesh)
        fully_shard(network, mesh=mesh)

    def trained(self, network: AnyNetwork) -> nn.Module:
        """The module whose forward pass a step calls; its backward pass gives every process the mean gradient. To be called
        again when other weights of the network learn."""
        if self.processes == 1 or self.sharded:
            return network
        return DistributedDataParallel(network, device_ids=[self.device] if self.device.index is not None else None)

    def adding(self, trained: nn.Module, *, last: bool) -> AbstractContextManager[None]:
        """A context for the passes of one part of a batch: gradients are exchanged once, with the `last` part."""
        if isinstance(trained, DistributedDataParallel):
            return nullcontext() if last else trained.no_sync()
        if self.sharded:
            trained.set_requires_gradient_sync(last)  # type: ignore[operator]
        return nullcontext()

    def exchange(self, network: nn.Module) -> None:
        """Gives every process the mean gradients, of the weights that have one. For the paths of a supernet, which use other
        weights at every step, the same in all processes."""
        gradients = [p.grad for p in network.parameters() if p.grad is not None] if self.processes > 1 else []
        if gradients:
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            dist.all_reduce(flat)
            means = torch.split(flat.div_(self.processes), [gradient.numel() for gradient in gradients])
            for gradient, mean in zip(gradients, means, strict=True):
                gradient.copy_(mean.view_as(gradient))

    def mean(self, *values: float) -> list[float]:
        """The mean of each value over the processes, the same in all of them."""
        if self.processes == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(sums)
        return (sums / self.processes).tolist()

    def gathered(self, value: T) -> list[T]:
        """The values of all processes, by rank, in each of them."""
        if self.processes == 1:
            return [value]
        values: list[T | None] = [None] * self.processes
        dist.all_gather_object(values, value)
        return values  # type: ignore[return-value]

    def broadcast(self, value: T) -> T:
        """The value of the main process, in all of them."""
        return self.gathered(value)[0]

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """The main process runs the block first, while the others wait; they then find what it has cached."""
        if not self.main:
            self.gathered(None)
        try:
            yield
        finally:
            if self.main:
                self.gathered(None)

    def level_buffers(self, network: nn.Module) -> None:
        """Gives all processes the running statistics of the main one, whose weights are saved."""
        if self.processes > 1:
            for buffer in network.buffers():
                dist.broadcast(buffer, src=0)

    def whole(self, network: AnyNetwork) -> AnyNetwork:
        """The whole network; a copy on the CPU where its weights are divided. To be called by all processes."""
        if not self.sharded:
            return network
        copy = build_network(network.arch)
        copy.load_state_dict({key: whole_tensor(t).cpu() for key, t in network.state_dict().items()})
        return copy


def is_divided(tensor: torch.Tensor) -> "TypeGuard[DTensor]":
    """Whether each process has a part of a tensor. The module of its type takes a second to import, and is loaded if it is."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def whole_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor with the parts of the other processes; to be called by all of them."""
    return tensor.full_tensor() if is_divided(tensor) else tensor
