"""The verb benchmark."""

import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel, Field
from rich.table import Table

from glocal.cli.flags import from_settings
from glocal.cli.options import DEVICE, JSON
from glocal.cli.verbosity import stdout_console
from glocal.design import Architecture
from glocal.errors import ArchitectureError, RecipeError
from glocal.families.catalogue import timm_arguments
from glocal.recipes.schema import Size
from glocal.settings import STRICT, Flag, merge

if TYPE_CHECKING:
    import torch

    from glocal.net.timing.latency import Timing


class BenchmarkSettings(BaseModel):
    """How networks are measured."""

    model_config = STRICT

    img_size: Annotated[Size | None, Flag("Pixels: 224, or 192x256 (height x width).")] = None
    rounds: Annotated[int, Field(ge=2), Flag("Passes that are timed, after five that are not.")] = 30
    bf16: Annotated[bool, Flag("Under bfloat16 autocast.")] = False
    threads: Annotated[int | None, Field(ge=1), Flag("CPU threads.")] = None
    fused: Annotated[bool, Flag("Beside the network fused for evaluation.")] = False
    timm: Annotated[bool, Flag("Beside the same network from timm, in turns.")] = False


@from_settings("settings", BenchmarkSettings)
def benchmark(
    model: Annotated[
        list[str],
        typer.Argument(help="Names of models, timm:NAME, or exported files; several are measured one after the other."),
    ],
    settings: dict[str, Any],
    batch_size: Annotated[list[int], typer.Option(help="Pictures a pass; give it again for more.")] = [1, 8],  # noqa: B006
    device: DEVICE = "auto",
    as_json: JSON = False,
) -> None:
    """Measure images/s, and the milliseconds of a pass (median and 95th percentile)."""
    import torch

    from glocal.deploying.classifiers import raise_device
    from glocal.deploying.exported import find_exported
    from glocal.machine.device import keep_memory, pick_device

    how = merge(BenchmarkSettings(), settings)
    exported = {name: file for name in model if (file := find_exported(name)) is not None}
    for file in exported.values():
        raise_device(file, device)
    place = pick_device(device)
    keep_memory(place)
    if min(batch_size) < 1:
        raise RecipeError("--batch-size is at least 1")
    if how.threads:
        torch.set_num_threads(how.threads)
    rows: dict[str, list[dict[str, float]]] = {}
    for name in model:
        for size in batch_size:
            of_name = _exported(exported[name], size, how) if name in exported else _measured(name, size, how, place)
            for label, row in of_name.items():
                rows.setdefault(label, []).append(row)
    parts = [f"{place}, {torch.get_num_threads()} threads"]
    parts += ["bf16" if how.bf16 else "fp32"] if len(exported) < len(model) else []
    parts += ["exported files in their own precision"] if exported else []
    measured = f"{', '.join(parts)}, {how.rounds} rounds after 5 of warm-up"
    if as_json:
        print(json.dumps({"measured": measured, "models": rows}))
        return
    table = Table("model", "batch", "images/s", "p50 ms", "p95 ms", box=None, header_style="bold", pad_edge=False)
    for label, of_model in rows.items():
        for row in of_model:
            cells = (f"{row[k]:,.1f}" for k in ("images_per_s", "p50_ms", "p95_ms"))
            table.add_row(label, str(row["batch_size"]), *cells)
    stdout_console().print(table)
    print(f"\n{measured}")


def _measured(
    name: str, batch_size: int, how: BenchmarkSettings, device: "torch.device"
) -> dict[str, dict[str, float]]:
    """Speeds of a network and of what is measured beside it, by their labels."""
    from glocal.net.fuse import fuse
    from glocal.net.timing.latency import measure
    from glocal.weights import build_network, find_architecture
    from glocal.weights.networks.any_network import adapt_any, of_design_space

    arch = adapt_any(find_architecture(name), size=how.img_size)
    networks: dict[str, Any] = {arch.name: build_network(arch)}
    if how.timm:
        arch = of_design_space(arch, wanted="--timm")
        networks[f"{arch.name} (timm)"] = _of_timm(arch)
    if how.fused:
        arch = of_design_space(arch, wanted="--fused")
        networks[f"{arch.name} (fused)"] = fuse(networks[arch.name])
    found = measure(networks, arch.image, batch_size=batch_size, device=device, rounds=how.rounds, bf16=how.bf16)
    return {label: _row(timing) for label, timing in found.items()}


def _row(timing: "Timing") -> dict[str, float]:
    return {**asdict(timing), "images_per_s": timing.images_per_s}


def _exported(file: Path, batch_size: int, how: BenchmarkSettings) -> dict[str, dict[str, float]]:
    """Speed of an exported file on pictures of its network's size, preprocessing included."""
    import torch

    from glocal.deploying.speed import exported_timing

    if how.bf16 or how.fused or how.timm or how.img_size is not None:
        raise RecipeError(f"{file} is measured as it is: --bf16, --fused, --timm and --img-size have no effect on it")
    timing = exported_timing(file, batch_size=batch_size, threads=torch.get_num_threads(), rounds=how.rounds)
    return {str(file): _row(timing)}


def _of_timm(arch: Architecture):  # type: ignore[no-untyped-def]  # timm has no types
    if (theirs := timm_arguments(arch.name)) is None:
        raise ArchitectureError(f"timm has no {arch.name}; leave --timm out")
    import timm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm resizes its tables by deprecated calls
        network = timm.create_model(**theirs)
        if hasattr(network, "set_input_size"):
            network.set_input_size(img_size=(arch.image.h, arch.image.w))
    return network
