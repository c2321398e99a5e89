"""What a run says before its first step: pictures, network, recipe, machine, folder. What it says while it runs is in `log`."""

from collections import Counter
from collections.abc import Sequence

import torch
from rich.console import Console

from glocal.data import Data
from glocal.design import Architecture, cost
from glocal.design.text import count
from glocal.training.engine import Machine
from glocal.training.folder import RunFolder
from glocal.training.recipe import Recipe


def announce(
    console: Console,
    arch: Architecture,
    data: Data,
    recipe: Recipe,
    *,
    run: RunFolder,
    machine: Machine,
    step: int,
    beginning: Sequence[str],
) -> None:
    """Prints what is about to be done, in a few lines.

    step: those already done, in a run that goes on. beginning: sentences on the weights it starts from, and what learns.
    """
    size = cost(arch)
    c, h, w = arch.image
    lines = [
        f"pictures  {data.source}: {len(data.train):,} to train, {len(data.val):,} to validate, {len(data.classes)} classes",
        f"          {data.split_rule}",
        *_faults_told(data, run),
        f"          scaled to cover {h}x{w} and cropped to it, {c} channel{'s' * (c > 1)}",
        f"network   {arch.name}: {count(size.params)} weights, {count(size.macs)} multiply-adds a picture",
        *(f"          {line}" for line in beginning if line),
        f"recipe    {recipe.total_epochs} epochs of batches of {recipe.batch_size}, {recipe.opt}, peak rate {recipe.lr:g}, "
        f"seed {recipe.seed}",
        *_warmup_told(recipe),
        f"machine   {_told_of(machine)}, {torch.get_num_threads()} threads, {'bf16' if machine.amp else 'fp32'}",
        f"folder    {run.path}" + (f", resuming after step {step:,}" if step else ""),
        "",
    ]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _warmup_told(recipe: Recipe) -> list[str]:
    if recipe.warmup_epochs <= recipe.epochs:
        return []
    rest = "so the rate never reaches its peak; --warmup-epochs gives another"
    return [f"          the run ends within the warm-up of {recipe.warmup_epochs:g} epochs, {rest}"]


def _told_of(machine: Machine) -> str:
    if machine.processes == 1:
        return str(machine.device)
    how = "the network divided among them (FSDP2)" if machine.sharded else "a copy of the network each (DDP)"
    return f"{machine.processes} processes on {machine.device.type}, {how}"


def _faults_told(data: Data, run: RunFolder) -> list[str]:
    """What the check found: how much of each kind, and by path what may bend a number."""
    kinds = Counter((fault.severity, fault.kind) for fault in data.faults)
    lines = [f"          {severity}: {kind}, {n:,}" for (severity, kind), n in kinds.items()]
    grave = [f for f in data.faults if f.severity in ("warning", "dropped") or f.kind == "class map"]
    lines += [f"            {fault}" for fault in grave[:5]]
    if len(grave) > 5:
        lines.append(f"            and {len(grave) - 5:,} more; {run.path / 'data.json'} names them all")
    return lines
