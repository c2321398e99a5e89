"""The verb about pictures: check."""

import json
import shlex
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from glocal.cli.options import FRACTION, GROUP, JSON, SKIP, reading
from glocal.errors import DataError

if TYPE_CHECKING:
    from glocal.data import Report


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
        options = {"--val-fraction": val_fraction, "--group-by": group_by, "--seed": seed or None}
        words = [str(word) for pair in options.items() if pair[1] is not None for word in pair]
        _tell(report, data, named=faults, words=words + ["--skip-bad-files"] * skip_bad_files)
    if not report.ok:
        raise typer.Exit(DataError.exit_code)


def _tell(report: "Report", source: str, *, named: int, words: list[str]) -> None:
    """The report for a person; `words` are the options that belong to the `glocal train` line it ends with."""
    from glocal.data.faults import SKIPPABLE

    console = Console(highlight=False)
    console.print(source, style="bold", markup=False)
    if report.data:
        console.print(report.data.split_rule, markup=False)
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
        line = ["glocal", "train", source, "--recipe", recipe, "--model", RECIPES[recipe].model, *words]
        console.print(f"  {shlex.join(line)}", soft_wrap=True, markup=False)
    elif any(f.kind in SKIPPABLE and f.severity == "error" for f in report.faults):
        console.print("\npictures that cannot be read are left out and counted with --skip-bad-files")


_GRAVITY = ("error", "warning", "dropped", "converted", "note")


def _counts(report: "Report", console: Console) -> None:
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
