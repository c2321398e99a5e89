"""The verb val, which evaluates."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from pydantic import BaseModel, Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glocal.cli.flags import from_settings
from glocal.cli.options import JSON, progress_bar
from glocal.data.options import DataOptions
from glocal.errors import RunError
from glocal.settings import STRICT, Flag, merge

if TYPE_CHECKING:
    from glocal.evaluation.scores import Scores

SHOWN = 20  # classes that are shown without --all-classes; of more the ten worst


class EvaluateOptions(BaseModel):
    """What is evaluated, what is shown of it, and where it computes."""

    model_config = STRICT

    split: Annotated[
        Literal["train", "val", "test"] | None, Flag("By default val. Each use of test is noted in the run's folder.")
    ] = None
    all_classes: Annotated[bool, Flag(f"Show every class, also where there are more than {SHOWN}.")] = False
    output: Annotated[
        Path | None, Flag("Folder for report.csv and reliability.png; by default one in the run's folder.")
    ] = None
    batch_size: Annotated[int, Field(ge=1), Flag("Pictures that pass through the network together.")] = 256
    workers: Annotated[
        int | None, Field(ge=0), Flag("Processes that load pictures; by default threads do, where that is faster.")
    ] = None
    device: Annotated[str, Flag("auto, cpu, cuda, cuda:0 or mps.")] = "auto"


@from_settings("options", EvaluateOptions)
@from_settings("data_options", DataOptions, panel="The pictures")
def val(
    run: Annotated[Path, typer.Argument(help="Folder of a run, a file of weights, or an exported file.")],
    options: dict[str, Any],
    data_options: dict[str, Any],
    data: Annotated[
        str | None,
        typer.Argument(help="Pictures with labels; by default the run's own. Without splits all of them are scored."),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Evaluate a run's best weights on its validation split, or on another split or folder: accuracy, each class, calibration."""
    from glocal.deploying.classifiers import evaluate
    from glocal.deploying.exported import find_exported

    wanted = merge(EvaluateOptions(), options)
    scores = evaluate(
        run,
        data,
        split=wanted.split,
        device=wanted.device,
        batch_size=wanted.batch_size,
        workers=wanted.workers,
        options=merge(DataOptions(), data_options),
        progress=progress_bar(quiet=as_json),
    )
    written = _write(scores, find_exported(run) or run, data=data, output=wanted.output)
    if as_json:
        print(json.dumps({**scores.to_json(), "report": written}, ensure_ascii=False))
    else:
        _print(scores, all_classes=wanted.all_classes, written=written)


def _write(scores: "Scores", run: Path, *, data: str | None, output: Path | None) -> str | None:
    """Writes the files of the evaluation. Returns their folder; None where the weights lie in no run's folder, or none can be
    written there and nobody asked for another."""
    from glocal.evaluation.evaluate import find_run_weights
    from glocal.evaluation.report import FOLDER, name_of_evaluation, write_report

    _, of_run = find_run_weights(run)
    name = name_of_evaluation(data, scores.split)
    if output is None and of_run is None:
        return None
    folder = output or of_run.path / FOLDER / name  # type: ignore[union-attr]
    title = f"{of_run.path.name if of_run else run.name} on {name}: {scores.n:,} pictures"
    try:
        return str(write_report(scores, folder, title=title))
    except RunError as error:
        if output is not None:
            raise
        typer.echo(f"{error}; give a folder with --output", err=True)
        return None


def _print(scores: "Scores", *, all_classes: bool, written: str | None) -> None:
    console = Console(highlight=False, soft_wrap=True)

    def line(text: str) -> None:
        console.print(text, markup=False)

    line(f"{scores.split}: {scores}")
    line(scores.split_rule)
    for text in _cautions(scores):
        line(text)
    line(f"always predicting the most frequent class would give {scores.majority:.2%}")
    if wrong := scores.most_wrong:
        line(
            f"most confidently wrong: {wrong.path} is {wrong.truth}, predicted as {wrong.predicted} ({wrong.confidence:.0%})"
        )
    line("")
    _print_classes(scores, console, all_classes=all_classes, written=written)
    line("")
    _print_calibration(scores, console)
    if written:
        line(f"\nreport.csv and reliability.png are in {written}")
    if scores.opened:
        line(f"the test split has now been opened {scores.opened} time{'s' * (scores.opened > 1)} with this run")


def _cautions(scores: "Scores") -> list[str]:
    """What makes the accuracy look better than it is on new pictures."""
    texts = []
    if scores.skipped:
        texts.append(f"{scores.skipped:,} files that cannot be read are left out")
    if scores.trained:
        texts.append(
            f"{scores.trained:,} of the {scores.n:,} pictures were trained on, so the accuracy on new pictures is lower"
        )
    if scores.chosen_on:
        of = "these" if scores.chosen_on == scores.n else f"{scores.chosen_on:,} of the {scores.n:,}"
        texts.append(f"the best epoch was chosen on {of} pictures, so the accuracy is a little optimistic")
    return texts


def _print_classes(scores: "Scores", console: Console, *, all_classes: bool, written: str | None) -> None:
    from glocal.evaluation.per_class import worst_first

    rows = worst_first(scores.per_class)
    shown = rows if all_classes or len(rows) <= SHOWN else rows[: SHOWN // 2]
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("class, lowest F1 first")
    for name in ("n", "recall", "95 % interval", "precision", "F1"):
        table.add_column(name, justify="right")
    for row in shown:
        low, high = row.recall_interval or (None, None)
        interval = f"{low:.1%} to {high:.1%}" if low is not None else ""
        f1 = _percent(row.f1 if row.n else None)
        table.add_row(Text(row.name), f"{row.n:,}", _percent(row.recall), interval, _percent(row.precision), f1)
    console.print(table)
    if more := len(rows) - len(shown):
        where = " or in report.csv" if written else ""
        console.print(f"and {more:,} more with --all-classes{where}", markup=False)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _print_calibration(scores: "Scores", console: Console) -> None:
    report = scores.calibration
    assert report
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("calibration")
    for name in ("ECE", "by chance", "RMS, debiased", "NLL", "Brier"):
        table.add_column(name, justify="right")
    rows = [("probabilities of the network", report.before)]
    rows += [(f"with temperature {report.temperature:.3f}", report.honest)] if report.temperature != 1 else []
    for name, found in rows:
        shares = (found.ece, found.ece_by_chance, found.rms_debiased)
        table.add_row(name, *map(_percent, shares), f"{found.nll:.4f}", f"{found.brier:.4f}")
    console.print(table)
    if report.cross_fitted:
        text = "the temperature was fitted on these pictures, so each half is measured with the one fitted on the other half"
        console.print(text, markup=False)
    console.print(
        "ECE: how far predicted probabilities lie from the share that is right, on average; `by chance`: what perfectly "
        "calibrated ones would show on so few pictures",
        markup=False,
    )
