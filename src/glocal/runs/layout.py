"""The layout in memory that a run trains with: the recipe's, or that of the faster step, measured once and kept in the run."""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from glocal.errors import RecipeError
from glocal.machine.device import autocasts
from glocal.machine.processes import Machine
from glocal.net import Network
from glocal.net.layout import Layout, faster_layout, measure_layouts
from glocal.net.timing.latency import device_name
from glocal.recipes.schema import Recipe
from glocal.runs.record import RunRecord
from glocal.weights import AnyArchitecture, AnyNetwork, build_network


def set_layout(network: AnyNetwork, recipe: Recipe) -> None:
    """Lets a network lay pictures out as the recipe says. RecipeError for a network of timm, which has the plain layout alone."""
    if isinstance(network, Network):
        network.layout = "channels_last" if recipe.layout == "channels_last" else "plain"
    elif recipe.layout != "plain":
        raise RecipeError(f"--set layout={recipe.layout} has no effect here: it needs a network of glocal, not of timm")


def with_measured_layout(record: RunRecord, arch: AnyArchitecture, machine: Machine) -> RunRecord:
    """The record with a layout in the place of "measured", and what was measured as its origin: what resumes or repeats the
    run finds the layout, and measures nothing."""
    recipe = record.recipe
    if recipe.layout != "measured":
        return record
    layout, why = machine.broadcast(_measured(recipe, arch, machine) if machine.main else ("plain", ""))
    return replace(record, recipe=recipe.merged({"layout": layout}), origins={**record.origins, "layout": why})


def _measured(recipe: Recipe, arch: AnyArchitecture, machine: Machine) -> tuple[Layout, str]:
    with torch.random.fork_rng(devices=[]):
        network = build_network(arch)
        n = max(2, recipe.batch_size // recipe.accumulate // machine.processes)
        x = torch.randn(n, arch.image.c, *recipe.training_size((arch.image.h, arch.image.w)), device=machine.device)
    set_layout(network, recipe)
    step = partial(_step, x=x, bf16=autocasts(recipe.amp, machine.device))
    ms = measure_layouts(step, network.to(machine.device).train(), device=machine.device)
    found = ", ".join(f"{layout} {each:.0f} ms" for layout, each in ms.items())
    return faster_layout(ms), f"measured: {found} a step of {n} pictures on {device_name(machine.device)}"


def _step(network: nn.Module, layout: Layout, *, x: Tensor, bf16: bool) -> None:
    """A forward and a backward pass."""
    assert isinstance(network, Network)
    network.layout = layout
    with torch.inference_mode(False), torch.enable_grad():
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            loss = network(x).float().square().mean()
        loss.backward()
