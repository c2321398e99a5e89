"""The state of a run between two steps. Its files are in `state_files`; weights for use are saved by `weights`."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from glocal.errors import DivergedError, RunError, WeightError
from glocal.machine.processes import Machine
from glocal.recipes.schema import Recipe
from glocal.training.optimizer import optimizer
from glocal.training.state_files import divided_like, flatten, local_part, read_state, unflatten, write_state
from glocal.weights import AnyNetwork


@dataclass
class State:
    """All that the next step depends on, except the pictures. `step` counts the steps done."""

    network: AnyNetwork
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    evaluates_average: bool = True
    step: int = 0
    loss_sum: float = 0.0  # of the epoch so far
    seconds: float = 0.0  # spent training and validating
    rows: list[dict[str, float]] = field(default_factory=list)  # one an epoch: metrics.csv
    counted: float = field(default_factory=time.monotonic)  # when `seconds` was last brought up to date

    @classmethod
    def start(cls, network: AnyNetwork, recipe: Recipe, machine: Machine) -> "State":
        """The state before the first step."""
        average = AveragedModel(network, multi_avg_fn=_ema(recipe.ema)) if recipe.ema else None
        machine.shard(network)
        if average is not None:
            average.module.requires_grad_(False)
            machine.shard(average.module)  # type: ignore[arg-type]
        return cls(network, average, optimizer(network, recipe), evaluates_average=recipe.evaluated == "average")

    @property
    def evaluated(self) -> AnyNetwork:
        """The network that is evaluated and saved: the average, where there is one and the recipe does not say otherwise."""
        if self.average is None or not self.evaluates_average:
            return self.network
        assert isinstance(self.average.module, AnyNetwork)
        return self.average.module

    @property
    def best(self) -> float:
        """Highest `Scores.chief` of the validations so far; -1 before the first."""
        return max((row.get("val_map", row["val_top1"]) for row in self.rows), default=-1.0)

    def count_time(self) -> None:
        """Brings `seconds` up to date."""
        now = time.monotonic()
        self.seconds, self.counted = self.seconds + now - self.counted, now

    def require_finite(self, path: Path, machine: Machine) -> None:
        """DivergedError where weights are not finite, with the state that `path` names."""
        finite = all(bool(torch.isfinite(local_part(p)).all()) for p in self.network.parameters())
        if machine.mean(float(finite))[0] < 1:
            raise DivergedError(f"weights are not finite after step {self.step}; the last good state is {path}")

    def save(self, path: Path, machine: Machine) -> None:
        """Writes the state beside `path` and then lets `path` name it. DivergedError where weights are not finite, RunError
        where the disk is full; what `path` named before is then still there."""
        self.require_finite(path, machine)
        self.count_time()
        tensors = {f"{name}.{key}": t for name, module in self._modules() for key, t in module.state_dict().items()}
        numbers = {
            "loss_sum": self.loss_sum,
            "seconds": self.seconds,
            "rows": self.rows,
            "optimizer": self._flat_optimizer(tensors),
        }
        write_state(path, numbers, tensors, step=self.step, machine=machine)

    def load(self, path: Path) -> None:
        """Takes over a saved state; WeightError for files that are not whole, or are the state of another network."""
        saved, tensors = read_state(path)
        try:
            for name, module in self._modules():
                own = module.state_dict()
                module.load_state_dict({key: divided_like(tensors[f"{name}.{key}"], t) for key, t in own.items()})
            self._load_optimizer(unflatten(saved["optimizer"], tensors))
            self.step, self.loss_sum = saved["step"], saved["loss_sum"]
            self.seconds, self.rows, self.counted = saved["seconds"], saved["rows"], time.monotonic()
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise WeightError(f"{path} is the state of another network or optimiser ({error})") from None

    def restart_optimizer(self, recipe: Recipe) -> None:
        """Discards the moments of the optimiser, as at a warm restart. Weights and their average stay."""
        self.optimizer.load_state_dict(optimizer(self.network, recipe).state_dict())

    def _modules(self) -> Iterator[tuple[str, torch.nn.Module]]:
        yield "network", self.network
        if self.average is not None:
            yield "average", self.average

    def _flat_optimizer(self, tensors: dict[str, Tensor]) -> Any:
        """The state of the optimiser as JSON: of its groups the plain values and the tensors, such as LAMB's count of steps; all
        of the rest, such as the state of a generator."""
        saved = self.optimizer.state_dict()
        groups = [{key: v for key, v in group.items() if _is_plain(v)} for group in saved["param_groups"]]
        try:
            return flatten({**saved, "param_groups": groups}, "optimizer", tensors)
        except TypeError as error:
            raise RunError(f"the state of {type(self.optimizer).__name__} cannot be saved: {error}") from None

    def _load_optimizer(self, saved: Mapping[str, Any]) -> None:
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        own = self.optimizer.state_dict()
        state = {
            i: {key: _divided_as_parameter(v, parameters[i]) for key, v in moments.items()}
            for i, moments in saved["state"].items()
        }
        groups = [{**ours, **theirs} for ours, theirs in zip(own["param_groups"], saved["param_groups"], strict=True)]
        self.optimizer.load_state_dict({**saved, "state": state, "param_groups": groups})


_ema: Callable[[float], Any] = get_ema_multi_avg_fn


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float | str | Tensor)


def _divided_as_parameter(value: Any, parameter: Tensor) -> Any:
    """A value of an optimiser's state; divided among the processes as its parameter is, where it has the same shape."""
    if isinstance(value, Tensor) and value.shape == parameter.shape:
        return divided_like(value, parameter)
    return value
