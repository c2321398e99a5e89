"""The verb about pictures: check."""

import json
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from glocal.cli.options import FRACTION, GROUP, JSON, SKIP, reading
from glocal.data import Report
from glocal.data.faults import SKIPPABLE
from glocal.errors import DataError


def check(
    data: Annotated[str, typer.Argument(help="A folder of pictures, or `digits`.")],
    val_fraction: FRACTION = None,
    skip_bad_files: SKIP = False,
    group_by: GROUP = None,
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    faults: Annotated[int, typer.Option(help="How many places to name for each kind of fault.")] = 5,
    as_json: JSON = False,
) -> None:
    """Check a folder of pictures for what makes numbers wrong; exit 3 where it cannot be trusted as it is."""
    from glocal.data import check as check_data

    report = check_data(
        data,
        seed=seed,
        val_fraction=val_fraction,
        skip_bad_files=skip_bad_files,
        group_by=group_by,
        progress=reading(quiet=as_json),
    )
    if as_json:
        print(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        _tell(report, data, named=faults)
    if not report.ok:
        raise typer.Exit(DataError.exit_code)


def _tell(report: Report, source: str, *, named: int) -> None:
    console = Console(highlight=False)
    console.print(f"[bold]{source}[/bold]")
    if report.data:
        console.print(report.data.split_rule)
    _counts(report, console)
    kinds = Counter((fault.severity, fault.kind) for fault in report.faults)
    for (severity, kind), n in sorted(kinds.items(), key=lambda item: _GRAVITY.index(item[0][0])):
        console.print(f"\n[bold]{severity}[/bold]: {kind}, {n:,}", style="red" if severity == "error" else "")
        for fault in [f for f in report.faults if (f.severity, f.kind) == (severity, kind)][:named]:
            console.print(f"  {fault}", markup=False, soft_wrap=True)
        if n > named:
            console.print(f"  ... and {n - named:,} more (--faults {n} names them)")
    if report.ok and report.data:
        from glocal.training.recipes import RECIPES, suggest

        recipe = suggest(report.data.source, report.data.typical_size)
        console.print("\nnext:", style="bold")
        console.print(f"  {_line(source, recipe, RECIPES[recipe].model)}", soft_wrap=True)
    elif any(f.kind in SKIPPABLE and f.severity == "error" for f in report.faults):
        console.print("\npictures that cannot be read are left out and counted with --skip-bad-files")


_GRAVITY = ("error", "warning", "dropped", "converted", "note")


def _counts(report: Report, console: Console) -> None:
    """Pictures of each class in each split; for many classes, only their number and range."""
    splits = [name for name, counts in report.counts.items() if counts]
    classes = sorted({c for counts in report.counts.values() for c in counts})
    table = Table("class" if len(classes) <= 20 else "", *splits, box=None, header_style="bold", pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    if len(classes) <= 20:
        for c in classes:
            table.add_row(c, *(f"{report.counts[s].get(c, 0):,}" for s in splits))
    else:
        ranges = [list(report.counts[s].values()) for s in splits]
        table.add_row(f"{len(classes)} classes, from", *(f"{min(r):,}" for r in ranges))
        table.add_row("to", *(f"{max(r):,}" for r in ranges))
    table.add_row("all", *(f"{sum(report.counts[s].values()):,}" for s in splits))
    console.print(table)
    if report.sizes:
        least, middle, most = ("x".join(map(str, size)) for size in report.sizes)
        console.print(f"height x width: {least} the smallest, {middle} typical, {most} the largest")


def _line(source: str, recipe: str, model: str) -> str:
    """The command that `glocal train` would be run as, with what it would choose spelled out."""
    import shlex

    return f"glocal train {shlex.quote(source)} --recipe {recipe} --model {model}"
