"""The state of a run between two steps: written whole, read back to the same bits. Weights for use are saved by `weights`."""

import io
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from glocal.errors import RunError, WeightError
from glocal.net import Network
from glocal.training.optim import optimizer
from glocal.training.recipe import Recipe
from glocal.weights.files import whole_file


@dataclass
class State:
    """All that the next step depends on, but for the pictures. `step` counts the steps done."""

    network: Network
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    step: int = 0
    loss_sum: float = 0.0  # of the epoch so far
    seconds: float = 0.0  # spent training and validating
    rows: list[dict[str, float]] = field(default_factory=list)  # one an epoch: metrics.csv

    @classmethod
    def start(cls, network: Network, recipe: Recipe) -> "State":
        """A run that has done nothing."""
        average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema)) if recipe.ema else None
        if average is not None:
            average.module.requires_grad_(False)
        return cls(network, average, optimizer(network, recipe))

    @property
    def judged(self) -> Network:
        """The network that is evaluated and kept: the average where there is one."""
        if self.average is None:
            return self.network
        assert isinstance(self.average.module, Network)
        return self.average.module

    @property
    def best(self) -> float:
        """Highest validation top-1 so far; -1 before the first."""
        return max((row["val_top1"] for row in self.rows), default=-1.0)

    def _parts(self) -> dict[str, Any]:
        parts = {"network": self.network, "average": self.average, "optimizer": self.optimizer}
        return {name: part for name, part in parts.items() if part is not None}

    def save(self, path: Path) -> None:
        """Writes the state in one step. RunError where weights are not finite, or the disk is full."""
        if not all(bool(torch.isfinite(p).all()) for p in self.network.parameters()):
            raise RunError(f"weights are not finite after step {self.step}; the last good state is {path}")
        numbers = {"step": self.step, "loss_sum": self.loss_sum, "seconds": self.seconds, "rows": self.rows}
        whole = io.BytesIO()  # torch answers a full disk in its own words; a plain write says what it is
        torch.save({**numbers, **{name: part.state_dict() for name, part in self._parts().items()}}, whole)
        with whole_file(path) as file:
            file.write(whole.getbuffer())

    def load(self, path: Path) -> None:
        """Takes over a saved state; WeightError for a file that is not whole."""
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
            raise WeightError(f"{path} is not a whole state of a run ({error})") from None
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])
        self.step, self.loss_sum = saved["step"], saved["loss_sum"]
        self.seconds, self.rows = saved["seconds"], saved["rows"]
