"""What a run prints before its first step: pictures, network, recipe, machine, folder. What it prints later is in `log`."""

from collections import Counter
from collections.abc import Sequence

import torch
from rich.console import Console

from glocal.artifacts.run_folder import RunFolder
from glocal.data import Data
from glocal.design.text import count
from glocal.machine.processes import Machine
from glocal.recipes.schema import Recipe
from glocal.weights import AnyArchitecture, cost_of


def announce(
    console: Console,
    arch: AnyArchitecture,
    data: Data,
    recipe: Recipe,
    *,
    run: RunFolder,
    machine: Machine,
    step: int,
    notes: Sequence[str],
) -> None:
    """Prints what the run is about to do, in a few lines.

    step: the steps already done, in a run that is resumed. notes: sentences on the pretrained weights, and on which parts
    learn.
    """
    size = cost_of(arch)
    c, h, w = arch.image
    scaled = f"squashed to {h}x{w}" if recipe.aspect == "squash" else f"scaled to cover {h}x{w} and cropped to it"
    lines = [
        f"pictures  {data.source}: {len(data.train):,} to train, {len(data.val):,} to validate, {len(data.classes)} classes",
        f"          {data.split_rule}",
        *_fault_lines(data, run),
        f"          {scaled}, {c} channel{'s' * (c > 1)}",
        f"network   {arch.name}: {count(size.params)} parameters, {count(size.macs)} multiply-adds a picture",
        *(f"          {line}" for line in notes if line),
        f"recipe    {recipe.total_epochs} epochs of batches of {recipe.batch_size}, {recipe.opt}, "
        f"peak learning rate {recipe.lr:g}, seed {recipe.seed}",
        *_warmup_lines(recipe),
        f"machine   {_machine_line(machine)}, {torch.get_num_threads()} threads, {'bf16' if machine.amp else 'fp32'}",
        f"folder    {run.path}" + (f", after step {step:,}" if step else ""),
        "",
    ]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _warmup_lines(recipe: Recipe) -> list[str]:
    if recipe.warmup_epochs <= recipe.epochs:
        return []
    rest = "so the learning rate never reaches its peak; --warmup-epochs gives a shorter one"
    return [f"          the run ends within the warm-up of {recipe.warmup_epochs:g} epochs, {rest}"]


def _machine_line(machine: Machine) -> str:
    if machine.processes == 1:
        return str(machine.device)
    how = "the network divided among them (FSDP2)" if machine.sharded else "each with a copy of the network (DDP)"
    return f"{machine.processes} processes on {machine.device.type}, {how}"


def _fault_lines(data: Data, run: RunFolder) -> list[str]:
    """What the check of the pictures found: how many of each kind, and the paths of those that may change a number."""
    kinds = Counter((fault.severity, fault.kind) for fault in data.faults)
    lines = [f"          {severity}: {kind}, {n:,}" for (severity, kind), n in kinds.items()]
    serious = [f for f in data.faults if f.severity in ("warning", "dropped") or f.kind == "class map"]
    lines += [f"            {fault}" for fault in serious[:5]]
    if len(serious) > 5:
        lines.append(f"            and {len(serious) - 5:,} more; all are in {run.path / 'data.json'}")
    return lines
