"""The trainings of a task, one after the other: each network from each start, for the same processor time."""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from backbones import NETWORKS, Backbone, Update, backbone, steps_in
from torch import nn

M = TypeVar("M", bound=nn.Module)


def arguments(description: str | None, *, seconds: float, **choices: Sequence[str]) -> argparse.Namespace:
    """What a task is told on the command line. choices: further options with their values, of which the first is usual."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="pictures, as scenes.py makes them, and weights/NAME.safetensors")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="the first is the baseline; all by default")
    parser.add_argument("--starts", default="scratch,pretrained")
    parser.add_argument("--seconds", type=float, default=seconds, help="processor time of each training")
    parser.add_argument("--steps", type=int, help="in place of seconds")
    for name, values in choices.items():
        parser.add_argument(f"--{name}", choices=values, default=values[0])
    return parser.parse_args()


def runs(
    options: argparse.Namespace,
    task: str,
    *,
    build: Callable[[Backbone], M],
    loss: Callable[[M], Update],
    train: Callable[[M, int, Path], None],
) -> Iterator[tuple[str, str, Path]]:
    """Each network and start with the file of its results, FOLDER/TASK/NAME-START.npz, which `train` writes where it is missing.

    All networks are timed before the first training, and their steps are kept beside the results: they are the same from both
    starts, and when a stopped command goes on.
    """
    torch.set_num_threads(1)
    names, starts = options.networks.split(","), options.starts.split(",")
    (options.folder / task).mkdir(parents=True, exist_ok=True)
    files = {(name, start): options.folder / task / f"{name}-{start}.npz" for start in starts for name in names}
    kept = options.folder / task / "steps.json"
    steps: dict[str, int] = json.loads(kept.read_text()) if kept.exists() else {}
    if options.steps:
        steps = dict.fromkeys(names, options.steps)
    elif missing := [name for name in names if name not in steps]:
        models = {name: build(backbone(name)).train() for name in missing}
        steps |= steps_in(options.seconds, {name: (model, loss(model)) for name, model in models.items()})
        kept.write_text(json.dumps(steps))
    for (name, start), file in files.items():
        if not file.exists():
            torch.manual_seed(0)
            weights = options.folder / "weights" / f"{name}.safetensors" if start == "pretrained" else None
            train(build(backbone(name, weights)), steps[name], file)
        yield name, start, file
