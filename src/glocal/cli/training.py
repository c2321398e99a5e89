"""The verbs that train and use what was trained: train, val, predict."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glocal.cli.options import DEVICE, FRACTION, GROUP, JSON, SKIP, assignments, nothing_beside, reading, size_of
from glocal.errors import RecipeError

if TYPE_CHECKING:
    from glocal.training.run import Run

Number = float | None


class Opt(StrEnum):
    """Optimisers."""

    adamw = "adamw"
    sgd = "sgd"
    momentum = "momentum"
    lamb = "lamb"
    muon = "muon"


class Amp(StrEnum):
    """Precision of training."""

    auto = "auto"
    bf16 = "bf16"
    off = "off"


class Loss(StrEnum):
    """What an answer is measured by."""

    cross_entropy = "cross_entropy"
    sigmoid = "sigmoid"


class Parallel(StrEnum):
    """What several processes do with the network."""

    ddp = "ddp"
    fsdp = "fsdp"


class SplitName(StrEnum):
    """Splits that can be evaluated on."""

    train = "train"
    val = "val"
    test = "test"


_RUN, _RECIPE = "The run", "The recipe"


def _of_recipe(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=_RECIPE)


def _of_run(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=_RUN)


def train(
    data: Annotated[
        str | None, typer.Argument(help="A folder, table, shards or data set of pictures (docs/data.md), or `digits`.")
    ] = None,
    recipe: Annotated[str | None, _of_recipe("A named recipe; by default the one that suits the pictures.")] = None,
    config: Annotated[Path | None, _of_recipe("A run.yaml whose settings to take.")] = None,
    model: Annotated[str | None, _of_recipe("A name from `glocal models`, or an architecture.yaml.")] = None,
    img_size: Annotated[str | None, _of_recipe("Pixels: 224, or 192x256 (height x width).")] = None,
    epochs: Annotated[int | None, _of_recipe("Passes over the training pictures.")] = None,
    batch_size: Annotated[int | None, _of_recipe("Pictures a step.")] = None,
    opt: Annotated[Opt | None, _of_recipe("Optimiser.")] = None,
    lr: Annotated[Number, _of_recipe("Peak learning rate.")] = None,
    weight_decay: Annotated[Number, _of_recipe("Decay of the weights that decay.")] = None,
    layer_decay: Annotated[Number, _of_recipe("Rate of a group of layers over that of the one above.")] = None,
    warmup_epochs: Annotated[Number, _of_recipe("Epochs in which the rate rises.")] = None,
    drop_path: Annotated[Number, _of_recipe("Stochastic depth of the last block.")] = None,
    mixup: Annotated[Number, _of_recipe("Alpha of mixup; 0 is off.")] = None,
    cutmix: Annotated[Number, _of_recipe("Alpha of CutMix; 0 is off.")] = None,
    loss: Annotated[Loss | None, _of_recipe("One class a picture, or a yes or no for each class.")] = None,
    smoothing: Annotated[Number, _of_recipe("Label smoothing.")] = None,
    teacher: Annotated[str | None, _of_recipe("A network to learn from: a run, a file, or timm:NAME@FILE.")] = None,
    clip_grad: Annotated[Number, _of_recipe("Largest norm of the gradients.")] = None,
    ema: Annotated[Number, _of_recipe("Decay of averaged weights; 0 is off.")] = None,
    amp: Annotated[Amp | None, _of_recipe("bf16 where the hardware has it (auto), always, or off.")] = None,
    seed: Annotated[int | None, _of_recipe("Of the split, the weights and every draw.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE for any other setting.", rich_help_panel=_RECIPE)
    ] = None,
    weights: Annotated[
        str | None, _of_run("Weights to start from: a file, a run's folder, a URL, hf:OWNER/REPO/FILE or timm:NAME.")
    ] = None,
    head_rows: Annotated[Path | None, _of_run("File of the rows of their classifier that become ours.")] = None,
    device: DEVICE = "auto",
    parallel: Annotated[Parallel, _of_run("Under torchrun: copy the network to each process, or divide it.")] = (
        Parallel.ddp
    ),
    workers: Annotated[
        int | None, _of_run("Processes that load pictures; by default threads do, where it pays.")
    ] = None,
    output: Annotated[Path, _of_run("Where the folder of the run is made.")] = Path("runs/train"),
    name: Annotated[str | None, _of_run("Name of that folder; an existing one is never overwritten.")] = None,
    resume: Annotated[Path | None, _of_run("Folder of a run to go on with; nothing else can be given.")] = None,
    checkpoint_seconds: Annotated[float, _of_run("Seconds between the states written within an epoch.")] = 60.0,
    mlflow: Annotated[
        str | None,
        typer.Option(
            help="A store of MLflow that is told of the run: a folder, or a server's address.",
            envvar="MLFLOW_TRACKING_URI",
            rich_help_panel=_RUN,
        ),
    ] = None,
    val_fraction: FRACTION = None,
    skip_bad_files: SKIP = False,
    group_by: GROUP = None,
    as_json: JSON = False,
) -> None:
    """Train a network on a folder of pictures: checked, trained, evaluated, and written to a folder of its own."""
    from glocal.training import run as runs

    console = None if as_json else Console()
    if resume is not None:
        nothing_beside("--resume", "--json")
        run = runs.resume(resume, console=console, progress=reading(quiet=as_json))
    else:
        given: dict[str, Any] = {
            "model": model,
            "img_size": size_of(img_size),
            "epochs": epochs,
            "batch_size": batch_size,
            "opt": opt and opt.value,
            "lr": lr,
            "weight_decay": weight_decay,
            "layer_decay": layer_decay,
            "warmup_epochs": warmup_epochs,
            "drop_path": drop_path,
            "mixup": mixup,
            "cutmix": cutmix,
            "loss": loss and loss.value,
            "smoothing": smoothing,
            "teacher": teacher,
            "clip_grad": clip_grad,
            "ema": ema,
            "amp": amp and amp.value,
            "seed": seed,
        }
        run = runs.train(
            data or _source_of(config),
            recipe=recipe,
            config=config,
            settings={**{k: v for k, v in given.items() if v is not None}, **assignments(settings or [])},
            origin="command line",
            weights=weights,
            head_rows=head_rows,
            output=output,
            name=name,
            device=device,
            parallel=parallel.value,
            workers=workers,
            checkpoint_s=checkpoint_seconds,
            mlflow=mlflow,
            val_fraction=val_fraction,
            skip_bad_files=skip_bad_files,
            group_by=group_by,
            console=console,
            progress=reading(quiet=as_json),
        )
    if console is None:
        print(json.dumps(run.to_json(), ensure_ascii=False))
        return
    console.print(f"\n[bold]best epoch {run.epoch + 1}[/bold]: {run.val}", highlight=False)
    console.print(_beside(run), highlight=False, soft_wrap=True, markup=False)
    console.print("\nnext:", style="bold")
    for line in (
        f"glocal val {run.folder}",
        f"glocal predict {run.folder} PICTURE",
        f"tensorboard --logdir {run.folder}",
    ):
        console.print(f"  {line}", highlight=False, soft_wrap=True, markup=False)


def _beside(run: "Run") -> str:
    """The result next to what needs no training. Intervals of the pictures drawn that overlap leave open which is better."""

    def against(low: float, high: float) -> str:
        ours = run.val.interval
        return "better" if ours[0] > high else "worse" if ours[1] < low else "cannot tell"

    majority, probe = run.val.majority, run.probe
    told = f"against always the most frequent class, {majority:.2%}: {against(majority, majority)}"
    if probe is None:
        return told
    low, high = probe.interval
    told += f"; against a linear probe of the network as it began, {probe.top1:.2%} ({low:.2%} to {high:.2%}): "
    return told + against(low, high)


def rerun(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    as_json: JSON = False,
) -> None:
    """Make a run again from what it wrote, beside it, and say whether the bits agree; exit 1 where they do not."""
    from glocal.training.rerun import rerun as made_again

    again = made_again(run, console=None if as_json else Console(), progress=reading(quiet=as_json))
    if as_json:
        print(json.dumps(again.to_json(), ensure_ascii=False))
    else:
        print(f"\nmade again in {again.run.folder}: {'the same, to the bit' if again.same else 'NOT the same'}")
        for line in again.numbers:
            print(f"  {line}")
        if again.surroundings and not again.same:
            print("what else is other:")
        for line in again.surroundings if not again.same else ():
            print(f"  {line}")
    if not again.same:
        raise typer.Exit(1)


def _source_of(config: Path | None) -> str:
    """The data that a run.yaml names."""
    from glocal.training.settings import read_config

    if config is None:
        raise RecipeError("name a folder of pictures, or `digits`: glocal train DATA")
    return read_config(config, "data")["source"]


def val(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or a file of weights.")],
    data: Annotated[str | None, typer.Argument(help="Pictures; by default those of the run.")] = None,
    split: Annotated[SplitName, typer.Option(help="Each use of test is noted in the run's folder.")] = SplitName.val,
    batch_size: Annotated[int, typer.Option(help="Pictures a pass.")] = 256,
    workers: Annotated[int | None, typer.Option(help="Processes that load pictures; by default threads.")] = None,
    device: DEVICE = "auto",
    skip_bad_files: SKIP = False,
    as_json: JSON = False,
) -> None:
    """Evaluate a run's best weights on its validation split, or on another split or folder."""
    from glocal.training import use

    scores = use.evaluate(
        run,
        data,
        split=split.value,
        device=device,
        batch_size=batch_size,
        workers=workers,
        skip_bad_files=skip_bad_files,
    )
    if as_json:
        print(json.dumps({"split": split.value, **scores.to_json()}, ensure_ascii=False))
        return
    print(f"{split.value}: {scores}")
    print(scores.split_rule)
    if scores.trained:
        print(f"{scores.trained:,} of the {scores.n:,} pictures were trained on, so this measures what was shown")
    print(f"always saying the most frequent class would give {scores.majority:.2%}")
    worst = sorted(scores.recall.items(), key=lambda item: item[1])[:5]
    print("lowest recall: " + ", ".join(f"{name} {share:.1%}" for name, share in worst))
    if wrong := scores.most_wrong:
        print(f"most confidently wrong: {wrong.path} is {wrong.truth}, said {wrong.said} ({wrong.confidence:.0%})")
    if scores.opened:
        print(f"the test split has now been opened {scores.opened} time{'s' * (scores.opened > 1)} with this run")


def predict(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or a file of weights.")],
    paths: Annotated[list[str], typer.Argument(help="Pictures, or folders of them.")],
    top: Annotated[int, typer.Option(help="Answers a picture.")] = 3,
    batch_size: Annotated[int, typer.Option(help="Pictures a pass.")] = 64,
    device: DEVICE = "auto",
    as_json: JSON = False,
) -> None:
    """Say what is on pictures. One that cannot be read is named, the others are answered, and the exit code is 1."""
    from glocal.training import use

    found = use.predict(run, paths, top=top, batch_size=batch_size, device=device)
    if as_json:
        print(json.dumps({"predictions": [p.to_json() for p in found]}, ensure_ascii=False))
    else:
        table = Table(
            "picture", *[f"answer {i + 1}" for i in range(top)], box=None, header_style="bold", pad_edge=False
        )
        for p in found:
            table.add_row(Text(p.path), *(Text(f"{name} {share:.1%}") for name, share in p.answers))
        Console().print(table)
        for p in found:
            if p.error:
                print(p.error, file=sys.stderr)
    if any(p.error for p in found):
        raise typer.Exit(1)
