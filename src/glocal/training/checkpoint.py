"""The state of a run between two steps: written whole, read back to the same bits. Weights for use are saved by `weights`.

state/step-120/1-of-2.safetensors   what process 1 of 2 holds: weights, averages, moments
state/last.json                     names the newest whole step, with the numbers; it takes its place last

Reading it runs no code, and any number of processes reads what any other number wrote.
"""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from glocal.errors import RunError, WeightError
from glocal.net import Network
from glocal.training.engine import Machine, is_divided
from glocal.training.optim import optimizer
from glocal.training.recipe import Recipe
from glocal.weights.files import whole_file


@dataclass
class State:
    """All that the next step depends on, but for the pictures. `step` counts the steps done."""

    network: Network
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    judges_average: bool = True
    step: int = 0
    loss_sum: float = 0.0  # of the epoch so far
    seconds: float = 0.0  # spent training and validating
    rows: list[dict[str, float]] = field(default_factory=list)  # one an epoch: metrics.csv
    counted: float = field(default_factory=time.monotonic)  # when `seconds` was last brought up to date

    @classmethod
    def start(cls, network: Network, recipe: Recipe, machine: Machine) -> "State":
        """A run that has done nothing."""
        average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema)) if recipe.ema else None
        machine.shard(network)
        if average is not None:
            average.module.requires_grad_(False)
            machine.shard(average.module)  # type: ignore[arg-type]
        return cls(network, average, optimizer(network, recipe), judges_average=recipe.judged == "average")

    @property
    def judged(self) -> Network:
        """The network that is evaluated and kept: the average, where there is one and the recipe does not say otherwise."""
        if self.average is None or not self.judges_average:
            return self.network
        assert isinstance(self.average.module, Network)
        return self.average.module

    @property
    def best(self) -> float:
        """Highest `Scores.chief` of the validations so far; -1 before the first."""
        return max((row.get("val_map", row["val_top1"]) for row in self.rows), default=-1.0)

    def count_time(self) -> None:
        """Brings `seconds` up to date."""
        now = time.monotonic()
        self.seconds, self.counted = self.seconds + now - self.counted, now

    def save(self, path: Path, machine: Machine) -> None:
        """Writes the state beside `path` and then lets `path` name it. RunError where weights are not finite, or the disk is
        full; what `path` named before is then still there."""
        finite = all(bool(torch.isfinite(_local(p)).all()) for p in self.network.parameters())
        if machine.mean(float(finite))[0] < 1:
            raise RunError(f"weights are not finite after step {self.step}; the last good state is {path}")
        self.count_time()
        folder = path.parent / f"step-{self.step}"
        writers = machine.processes if machine.sharded else 1
        tensors = dict(self._tensors())
        if machine.rank < writers:
            data = safetensors.torch.save({key: _local(t).detach().cpu().contiguous() for key, t in tensors.items()})
            with whole_file(folder / f"{machine.rank}-of-{writers}.safetensors") as file:
                file.write(data)
        machine.gathered(None)  # all parts are there before they are named
        if machine.main:
            numbers = {
                "step": self.step,
                "loss_sum": self.loss_sum,
                "seconds": self.seconds,
                "rows": self.rows,
                "groups": self._numbers(),
                "folder": folder.name,
                "parts": writers,
                "divided": sorted(key for key, t in tensors.items() if is_divided(t)),
            }
            with whole_file(path) as file:
                file.write(json.dumps(numbers).encode())
            for old in path.parent.glob("step-*"):
                if old != folder:
                    shutil.rmtree(old)

    def load(self, path: Path) -> None:
        """Takes over a saved state; WeightError for files that are not whole."""
        try:
            saved = json.loads(path.read_text())
            folder, parts = path.parent / saved["folder"], saved["parts"]
            files = [folder / f"{i}-of-{parts}.safetensors" for i in range(parts)]
            tensors = _joined([safetensors.torch.load_file(file) for file in files], divided=set(saved["divided"]))
        except (OSError, KeyError, json.JSONDecodeError, safetensors.SafetensorError) as error:
            raise WeightError(f"{path} is not a whole state of a run ({error})") from None
        for name, module in self._modules():
            mine = module.state_dict()
            module.load_state_dict({key: _divided_as(tensors[f"{name}.{key}"], t) for key, t in mine.items()})
        self._load_optimizer(tensors, saved["groups"])
        self.step, self.loss_sum = saved["step"], saved["loss_sum"]
        self.seconds, self.rows, self.counted = saved["seconds"], saved["rows"], time.monotonic()

    def _modules(self) -> Iterator[tuple[str, torch.nn.Module]]:
        yield "network", self.network
        if self.average is not None:
            yield "average", self.average

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for name, module in self._modules():
            yield from ((f"{name}.{key}", t) for key, t in module.state_dict().items())
        for i, moments in self.optimizer.state_dict()["state"].items():
            yield from ((f"optimizer.{i}.{key}", t) for key, t in moments.items() if isinstance(t, Tensor))

    def _numbers(self) -> list[dict[str, Any]]:
        """What the optimiser keeps for its groups beside tensors, such as timm's count of steps."""
        groups = self.optimizer.state_dict()["param_groups"]
        return [{k: v for k, v in group.items() if isinstance(v, int | float | str)} for group in groups]

    def _load_optimizer(self, tensors: Mapping[str, Tensor], numbers: list[dict[str, Any]]) -> None:
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        mine = self.optimizer.state_dict()
        mine["state"] = {}
        for key in (key for key in tensors if key.startswith("optimizer.")):
            _, i, name = key.split(".", 2)
            p, t = parameters[int(i)], tensors[key]
            mine["state"].setdefault(int(i), {})[name] = _divided_as(t, p) if t.shape == p.shape else t
        mine["param_groups"] = [{**a, **b} for a, b in zip(mine["param_groups"], numbers, strict=True)]
        self.optimizer.load_state_dict(mine)


def _local(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds."""
    return tensor.to_local() if is_divided(tensor) else tensor


def _joined(parts: list[dict[str, Tensor]], *, divided: set[str]) -> dict[str, Tensor]:
    """Whole tensors from those of each process; FSDP2 divides along the first axis."""
    return {key: torch.cat([part[key] for part in parts]) if key in divided else t for key, t in parts[0].items()}


def _divided_as(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, divided among the processes as another is."""
    if not is_divided(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)
