"""`Run`: a finished training run, as the verbs return it."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from glocal.command_line import command, quoted
from glocal.evaluation.probe import Probe
from glocal.evaluation.scores import Scores
from glocal.weights import AnyArchitecture


@dataclass(frozen=True)
class Run:
    """A finished training run. `val`: the scores of the best epoch on the validation pictures, which chose that epoch."""

    folder: Path
    architecture: AnyArchitecture
    classes: tuple[str, ...]
    weights: Path
    epoch: int
    val: Scores
    probe: Probe | None = None  # of the network before its first step; None where there are too few pictures for one

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "folder": str(self.folder),
            "architecture": self.architecture.name,
            "classes": list(self.classes),
            "weights": str(self.weights),
            "epoch": self.epoch,
            "val": self.val.to_json(),
            "probe": self.probe.to_json() if self.probe else None,
        }

    @property
    def comparison(self) -> str:
        """The result beside what needs no training: the most frequent class, and a linear probe of the network before it.

        Where the 95 % intervals overlap, the pictures cannot tell which is better.
        """
        majority, probe = self.val.majority, self.probe
        text = f"against always the most frequent class, {majority:.2%}: {self._against(majority, majority)}"
        if probe is None:
            return text
        low, high = probe.interval
        text += f"; against a linear probe of the network before training, {probe.top1:.2%} ({low:.2%} to {high:.2%}): "
        return text + self._against(low, high)

    def _against(self, low: float, high: float) -> str:
        ours = self.val.interval
        return "better" if ours[0] > high else "worse" if ours[1] < low else "cannot tell"

    @property
    def next_commands(self) -> tuple[str, ...]:
        """Command lines that use the run."""
        return (
            command("val", self.folder),
            f"{command('predict', self.folder)} PICTURE",
            f"tensorboard --logdir {quoted(str(self.folder))}",
        )

    def _repr_html_(self) -> str:
        """A table for notebooks: accuracy with its interval, what it is compared with, the folder, the next commands."""
        low, high = self.val.interval
        rows = {
            "network": self.architecture.name,
            "validation top-1": f"{self.val.top1:.2%} (95 % interval {low:.2%} to {high:.2%}, n = {self.val.n:,})",
            "best epoch": str(self.epoch + 1),
            "compared": self.comparison,
            "folder": str(self.folder),
        }
        cells = [f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items()]
        lines = "<br>".join(f"<code>{escape(line)}</code>" for line in self.next_commands)
        return f"<table>{''.join(cells)}<tr><th>next</th><td>{lines}</td></tr></table>"
