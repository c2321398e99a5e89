"""The verb predict."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel, Field
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from glocal.cli.flags import from_settings
from glocal.cli.options import JSON
from glocal.errors import RecipeError
from glocal.settings import STRICT, Flag, merge

if TYPE_CHECKING:
    from glocal.evaluation.predict import Prediction
    from glocal.evaluation.prediction_files import Write

_NAMED = 20  # unreadable pictures that are named where a file names them all
_WIDEST = 32  # cells of a class name on the terminal


class PredictOptions(BaseModel):
    """How pictures are predicted, and where the predictions go."""

    model_config = STRICT

    csv: Annotated[
        Path | None, Flag("File for a table: path, predicted class, confidence, error, probabilities of all classes.")
    ] = None
    jsonl: Annotated[Path | None, Flag("File for the same, one JSON object a line.")] = None
    overwrite: Annotated[bool, Flag("Replace files that exist.")] = False
    threshold: Annotated[
        str | None,
        Flag(
            "Leave predictions open that are less probable than this (0.8), or than what reaches an accuracy (auto:95%)."
        ),
    ] = None
    top: Annotated[int, Field(ge=1), Flag("Most probable classes to show for each picture.")] = 3
    batch_size: Annotated[int, Field(ge=1), Flag("Pictures that pass through the network together.")] = 64
    device: Annotated[str, Flag("auto, cpu, cuda, cuda:0 or mps.")] = "auto"


@from_settings("options", PredictOptions)
def predict(
    run: Annotated[Path, typer.Argument(help="Folder of a run, a file of weights, or an exported file.")],
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Pictures, folders, patterns in quotes ('photos/**/*.jpg'), @FILE for a list of them, or - to read a list from "
            "standard input."
        ),
    ],
    options: dict[str, Any],
    as_json: JSON = False,
) -> None:
    """Predict the class of pictures. One that cannot be read is named, the others are predicted, and the exit code is 1."""
    from glocal.deploying.classifiers import load_classifier
    from glocal.evaluation.predict import predictions_of
    from glocal.evaluation.prediction_files import check_new_files, prediction_files
    from glocal.evaluation.selective import threshold_of

    wanted = merge(PredictOptions(), options)
    _raise_without_effect(options, as_json=as_json)
    check_new_files(wanted.csv, wanted.jsonl, overwrite=wanted.overwrite)
    model = load_classifier(run, device=wanted.device)
    threshold, selective = threshold_of(model, wanted.threshold)
    names, total = _names(paths)
    files = [str(path) for path in (wanted.csv, wanted.jsonl) if path is not None]
    summary = Summary(files=files, temperature=model.temperature, threshold=threshold)
    found = predictions_of(model, names, threshold=threshold, batch_size=wanted.batch_size)
    sink: AbstractContextManager[Write]
    if files:
        sink = prediction_files(wanted.csv, wanted.jsonl, classes=model.classes)
    else:
        differs = model.multi_label or threshold is not None
        sink = _json_rows() if as_json else _table_rows(model.classes, wanted.top, predicted=differs)
    with sink as write, _bar(total, hidden=not files and sys.stdout.isatty()) as advance:
        for prediction in summary.counted(found):
            write(prediction)
            advance()
    held = selective.to_json() if selective else None
    if as_json:
        text = json.dumps({**asdict(summary), "held_out": held}, ensure_ascii=False)
        print(text if files else text[1:])
    else:
        _print_summary(summary, str(selective) if selective else "")
    if summary.errors:
        raise typer.Exit(1)


def _raise_without_effect(options: dict[str, Any], *, as_json: bool) -> None:
    to_files = "csv" in options or "jsonl" in options
    if "overwrite" in options and not to_files:
        raise RecipeError("--overwrite has no effect without a file; name one: --csv FILE or --jsonl FILE")
    if "top" in options and (to_files or as_json):
        raise RecipeError(
            "--top has no effect with --csv, --jsonl or --json, which hold the probabilities of all classes"
        )


def _names(paths: list[str]) -> tuple[Iterable[str], int | None]:
    """The pictures that were named, and how many they are; None where they are still being read from standard input."""
    from glocal.evaluation.picture_paths import names_in, picture_paths

    if "-" not in paths:
        names = [*picture_paths(paths)]
        return names, len(names)
    every = (names_in(sys.stdin) if path == "-" else [path] for path in paths)
    return (name for some in every for name in some), None


@dataclass
class Summary:
    """What was done, counted while it is done."""

    files: list[str]
    temperature: float
    threshold: float | None
    pictures: int = 0
    left_open: int = 0
    errors: int = 0
    seconds: float = 0.0

    def counted(self, predictions: Iterable["Prediction"]) -> Iterator["Prediction"]:
        """The same predictions; errors are printed on standard error, a part of them where a file names them all."""
        start = time.monotonic()
        for prediction in predictions:
            self.pictures += 1
            self.errors += prediction.error is not None
            self.left_open += prediction.error is None and not prediction.predicted
            if prediction.error and (not self.files or self.errors <= _NAMED):
                print(_printable(prediction.error), file=sys.stderr)
            self.seconds = time.monotonic() - start
            yield prediction


def _print_summary(summary: Summary, held_out: str) -> None:
    n, s = summary.pictures, summary.seconds
    parts = [f"{n:,} picture{'s' * (n != 1)} in {s:.1f} s ({n / s if s else 0:,.0f} images/s)"]
    parts += [f"{summary.left_open:,} left open"] if summary.threshold is not None else []
    parts += [f"{summary.errors:,} not read"] if summary.errors else []
    if summary.errors > _NAMED and summary.files:
        print(f"and {summary.errors - _NAMED:,} more, named in {summary.files[0]}", file=sys.stderr)
    if summary.files:
        print(f"{', '.join(parts)}; written to {' and '.join(summary.files)}")
    if summary.threshold is not None:
        print(
            held_out or f"threshold {summary.threshold:.4f}: no held-out predictions of these weights say what it does"
        )
    if summary.files or summary.threshold is not None:
        how = f"calibrated with temperature {summary.temperature:.3f}" if summary.temperature != 1 else "not calibrated"
        print(f"probabilities are {how}; `glocal val` says how far they can be trusted")


def _printable(text: str) -> str:
    """Text with what would break the line, colour it or not be UTF-8 spelled out."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


@contextmanager
def _json_rows() -> Iterator["Write"]:
    """Prints the beginning of an object, and each prediction as an element of its list; the rest of the object follows."""
    from glocal.evaluation.prediction_files import json_line

    separator = '{"predictions": ['

    def write(prediction: "Prediction") -> None:
        nonlocal separator
        print(separator, json_line(prediction), sep="", end="")
        separator = ",\n"

    yield write
    print("], " if separator == ",\n" else f"{separator}], ", end="")


@contextmanager
def _table_rows(classes: tuple[str, ...], top: int, *, predicted: bool) -> Iterator["Write"]:
    """Prints a line for each picture, in columns whose width is known before the first; with a column of what is predicted where
    that is not always the most probable class alone."""
    width = min(_WIDEST, max(map(cell_len, classes)))
    names = ["most probable", *(f"no. {i}" for i in range(2, min(top, len(classes)) + 1))]
    heads = ["predicted", *names] if predicted else names
    sizes = [max(width + 7, cell_len(head)) for head in heads]
    console = Console(highlight=False, soft_wrap=True)

    def line(cells: list[str], last: str, *, style: str = "") -> None:
        text = "  ".join(set_cell_size(cell, size) for cell, size in zip(cells, sizes, strict=True))
        console.print(f"{text}  {last}", markup=False, style=style)

    line(heads, "picture", style="bold")

    def write(prediction: "Prediction") -> None:
        if prediction.error is None:
            shares = [f"{set_cell_size(name, width)} {p:6.1%}" for name, p in prediction.top(len(names))]
            first = ["|".join(prediction.predicted) or "(left open)"] if predicted else []
            line([*first, *shares], _printable(prediction.path))

    yield write


@contextmanager
def _bar(total: int | None, *, hidden: bool) -> Iterator[Callable[[], None]]:
    """A bar on standard error with the pictures done, the speed and the time left; nothing where that is no terminal."""
    if hidden or not sys.stderr.isatty():
        yield lambda: None
        return
    speed, left = TextColumn("{task.speed:,.0f} images/s"), TimeRemainingColumn()
    with Progress(BarColumn(), MofNCompleteColumn(), speed, left, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)
