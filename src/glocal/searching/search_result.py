"""A finished search: its winner, written to a folder of its own and shown in notebooks."""

import json
import re
from dataclasses import dataclass, fields
from html import escape
from pathlib import Path
from typing import Any

from glocal.artifacts.run_folder import RunFolder
from glocal.design import Architecture, cost, dump, python
from glocal.design.space import Answers
from glocal.design.text import count
from glocal.evaluation.scores import Scores
from glocal.families import vocabulary
from glocal.files import write_whole, write_yaml
from glocal.searching.candidates.candidate import format_answers
from glocal.trials.training import Trained


@dataclass(frozen=True)
class SearchResult:
    """A finished search. `val` are the winner's scores on held-out training pictures, which chose it among the finalists."""

    folder: Path
    architecture: Architecture
    answers: dict[str, Answers]  # of the winner of each level
    weights: Path
    val: Scores

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        params, macs = cost(self.architecture)
        return {
            "folder": str(self.folder),
            "architecture": self.architecture.name,
            "answers": {level: format_answers(answers) for level, answers in self.answers.items()},
            "params": params,
            "macs": macs,
            "weights": str(self.weights),
            "val": self.val.to_json(),
        }

    def _repr_html_(self) -> str:
        """The result as a table, for notebooks."""
        params, macs = cost(self.architecture)
        low, high = self.val.interval
        rows = {
            "winner": self.architecture.name,
            "accuracy": f"{self.val.top1:.2%} on {self.val.n:,} held-out pictures (95 % interval {low:.2%} to {high:.2%})",
            "size": f"{count(params)} parameters, {count(macs)} multiply-adds",
            **{f"answers, {level}": format_answers(answers) for level, answers in self.answers.items()},
            "weights": str(self.weights),
            "folder": str(self.folder),
        }
        cells = "".join(
            f'<tr><th style="text-align: left">{escape(name)}</th><td style="text-align: left">{escape(text)}</td></tr>'
            for name, text in rows.items()
        )
        return f"<table>{cells}</table>"


def write_winner(
    folder: Path, architecture: Architecture, trained: Trained, *, answers: dict[str, Answers]
) -> SearchResult:
    """Writes FOLDER/winner: the network as data and as Python, its weights and its scores."""
    winner = folder / "winner"
    result = SearchResult(folder, architecture, answers, winner / "weights.safetensors", trained.val)
    low, high = result.val.interval
    scores = {**result.to_json(), "accuracy": result.val.top1, "low": low, "high": high, "n": result.val.n}
    write_yaml(winner / "architecture.yaml", dump(architecture))
    for name, content in (
        ("winner.py", as_module(architecture).encode()),
        ("weights.safetensors", RunFolder(trained.folder).weights("best").read_bytes()),
        ("winner.json", json.dumps(scores, indent=1, ensure_ascii=False).encode()),
    ):
        write_whole(winner / name, content)
    return result


def as_module(arch: Architecture) -> str:
    """An architecture as a Python file that makes it, one block on each line."""
    lines = ["winner = Architecture("]
    for f in fields(arch):
        if f.name != "stages":
            lines.append(f"    {f.name}={python(getattr(arch, f.name))},")
            continue
        lines.append("    stages=(")
        for stage in arch.stages:
            rest = ", ".join(f"{name}={python(getattr(stage, name))}" for name in ("stride", "downsample"))
            lines += [
                f"        Stage({stage.width}, (",
                *(f"            {python(block)}," for block in stage.blocks),
                f"        ), {rest}),",
            ]
        lines.append("    ),")
    body = "\n".join([*lines, ")"])
    names_of: dict[str, list[str]] = {}
    for name, cls in vocabulary().items():
        if re.search(rf"\b{name}\(", body):
            module = "glocal.design" if cls.__module__.startswith("glocal.design") else cls.__module__
            names_of.setdefault(module, []).append(name)
    imports = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(names_of.items())]
    return "\n".join([f'"""{arch.name}, found by glocal search."""', "", *imports, "", body, ""])
